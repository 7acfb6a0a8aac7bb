"""Pushing: what goes is whole and right, what was there stays, and no break does harm."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import toy
import yaml
from hub_server import Failure, HubServer, hermetic
from safetensors.torch import load_file, save_file
from short_runs import ROLES
from submitted import entry, submit

from ganzoo.errors import HubError, HubFailure, RunError
from ganzoo.evaluation.result import read_entry, write_entry
from ganzoo.hub import client, pull, repository, search
from ganzoo.hub import push as publish
from ganzoo.hub.push_types import Options, Plan, Pushed
from ganzoo.models import config as configs
from ganzoo.models import model
from ganzoo.models.hub_id import parse_id
from ganzoo.models.weights import weights_hash
from ganzoo.training import checkpoint
from ganzoo.training.loop import resume, start
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder

REPO = "ann/toy"
ASKED = Options(licence="cc-by-4.0", data_licence="cc0-1.0")
REGISTRY = toy.plugins().registry
Push = Callable[..., Pushed]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run; tests copy what they change."""
    folder, before = tmp_path_factory.mktemp("trained"), torch.get_num_threads()
    torch.set_num_threads(1)
    start(toy.recipe(folder), folder / "run", toy.plugins())
    torch.set_num_threads(before)
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path, one_thread: None) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def xet(request: pytest.FixtureRequest) -> bool:
    return bool(getattr(request, "param", False))


both_ways = pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"], indirect=True)


@pytest.fixture
def server(xet: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """The Hub, for ann, who may write; the toy's plugin has a licence."""
    monkeypatch.setattr(configs, "code_licence", lambda _: "MIT")
    with HubServer(xet=xet) as found:
        hermetic(monkeypatch, tmp_path, found.url, xet=xet)
        monkeypatch.setenv("HF_TOKEN", found.token("ann"))
        yield found


def push(source: Path, repo: str = REPO, token: str | None = None, **asked: Any) -> Pushed:
    return publish.push(source, repo, REGISTRY, replace(ASKED, **asked), token)


def plan(source: Path, repo: str = REPO, **asked: Any) -> Plan:
    return publish.plan(source, repo, REGISTRY, replace(ASKED, **asked))


def writes(server: HubServer) -> list[str]:
    return [r.path for r in server.requests if r.method not in ("GET", "HEAD")]


def sent(done: Pushed | Plan) -> dict[str, str]:
    """What a push did, but for what it left as it was."""
    changes = done.plan.sent if isinstance(done, Pushed) else done.sent
    return {change.name: change.action for change in changes}


def weights(folder: Path) -> str:
    return weights_hash(model.load(folder, REGISTRY).generator)


# -- there and back ----------------------------------------------------------------------------


@both_ways
def test_a_pushed_run_comes_back_to_the_bit(run: Path, server: HubServer) -> None:
    done = push(run)
    assert (done.url, done.commit) == (f"{server.url}/{REPO}", server.repos[REPO].log()[0].sha)
    pulled = pull.pull(parse_id(REPO), REGISTRY).folder
    for name in ("model.safetensors", "recipe.yaml", "samples.png"):
        assert (pulled / name).read_bytes() == (run / "model" / name).read_bytes()
    before, after = model.load(run, REGISTRY), model.load(pulled, REGISTRY)
    stated = replace(before.config, licences=configs.Licences("MIT", "cc-by-4.0", "cc0-1.0"))
    assert after.config == stated
    assert after.recipe == before.recipe
    assert torch.equal(after.sample(3, as_tensor=True), before.sample(3, as_tensor=True))
    assert set(server.files(REPO)) == {
        ".gitattributes", "README.md", "config.json", "model.safetensors", "recipe.yaml",
        "samples.png",
    }  # fmt: skip


def test_the_card_tells_what_training_wrote(run: Path, server: HubServer) -> None:
    training = plan(run).card.partition("## Training")[2].partition("## Licences")[0]
    facts = dict(line[2:].split(": ", 1) for line in training.splitlines() if line[:2] == "- ")
    assert facts["recipe"] == "toy"
    assert facts["trained for"].startswith("9 steps, 36 images, ")
    assert facts["dataset"] == "toy"
    sha = model.load(run, REGISTRY).config.training["dataset"]["sha256"]
    assert facts["fingerprint of the dataset"] == sha
    assert "torch " in facts["environment"]


def test_a_run_of_several_networks_comes_back(
    tmp_path: Path, server: HubServer, one_thread: None
) -> None:
    networks = {
        "generator": {"use": "toy"},
        "backward": {"kind": "generator", "use": "toy"},
        "discriminator": {"use": "toy"},
    }
    terms = [
        {"use": "non-saturating"},
        {"use": "non-saturating", "inputs": {"fake": "second"}},
    ]
    stage = {"name": "both", "steps": 1, "generator": terms, "discriminator": terms[:1]}
    recipe = toy.recipe(
        tmp_path,
        generator=None,
        discriminator=None,
        networks=networks,
        players={"generator": ["generator", "backward"]},
        views={"second": {"apply": "backward", "to": "latent"}},
        stages=[stage],
    )
    start(recipe, tmp_path / "run", toy.plugins())
    push(tmp_path / "run")
    pulled = pull.pull(parse_id(REPO), REGISTRY).folder
    for name in ("model.safetensors", "backward.safetensors"):
        assert (pulled / name).read_bytes() == (tmp_path / "run" / "model" / name).read_bytes()
    assert sent(push(pulled)) == {}


def test_critics_go_where_they_are_asked_for(
    tmp_path: Path, server: HubServer, one_thread: None
) -> None:
    run = tmp_path / "run"
    start(toy.recipe(tmp_path, **ROLES["cycle"]), run, toy.plugins())
    plan = push(run).plan
    assert plan.networks == ("generator", "backward")
    assert plan.left_out == ("discriminator", "photo_critic")
    plan = push(run, with_discriminator=True).plan
    assert plan.networks == ("generator", "discriminator", "backward", "photo_critic")
    assert plan.left_out == ()
    pulled = pull.pull(parse_id(REPO), REGISTRY).folder
    recipe = toy.recipe(tmp_path / "more", init_from=str(pulled), **ROLES["cycle"])
    begun = Run(recipe, RunFolder(tmp_path / "more" / "run"), toy.plugins())
    kept = checkpoint.newest(run / "checkpoints")[0]
    for role in ("discriminator", "photo_critic"):
        state = begun.parts.networks[role].bare.state_dict()
        assert all(torch.equal(state[name], kept[role][name]) for name in kept[role]), role
        assert sent(push(run))[f"{role}.safetensors"] == "removed"
        push(run, with_discriminator=True)


@both_ways
def test_only_what_changed_goes(run: Path, server: HubServer) -> None:
    push(run)
    count = server.count("POST|PUT")
    again = push(run, licence=None, data_licence=None)  # as they were
    assert (again.commit, sent(again)) == (None, {})
    assert server.count("POST|PUT") == count
    assert len(server.repos[REPO].log()) == 2

    resume(run, ["stages.0.steps=12"], toy.plugins())
    more = push(run)
    assert set(sent(more)) == {
        "README.md", "config.json", "model.safetensors", "recipe.yaml", "samples.png",
    }  # fmt: skip
    push(run, licence="mit")
    old, new = (commit.files for commit in server.repos[REPO].log()[1::-1])
    assert {name for name in new if new[name] is not old[name]} == {"README.md", "config.json"}


def test_what_people_wrote_on_the_hub_stays(run: Path, server: HubServer, tmp_path: Path) -> None:
    push(run)
    card = server.files(REPO)["README.md"].decode()
    mine = card.replace("\n---\n", "\nlanguage: en # mine\n---\n", 1) + "\r\n## My own words: ä\n"
    theirs = {
        "README.md": mine.encode(),
        "notes.txt": b"mine",
        ".eval_results/by-hand.yaml": b"[]",
        "onnx/config.json": b"{}",
    }
    server.put(REPO, theirs)
    assert sent(push(run)) == {}
    push(run, licence="mit")
    files = server.files(REPO)
    assert files["README.md"].decode() == mine.replace("cc-by-4.0", "mit")
    assert {name: files[name] for name in list(theirs)[1:]} == dict(list(theirs.items())[1:])

    written = tmp_path / "card.md"
    written.write_text("---\nlanguage: de\n---\n# Anders\n")
    push(run, card=written, licence="mit")
    text = server.files(REPO)["README.md"].decode()
    assert "language: de" in text
    assert "# Anders" in text
    assert "My own words" not in text
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "mit"


def test_a_card_that_the_cache_altered_is_fetched_anew(run: Path, server: HubServer) -> None:
    push(run)
    card = server.files(REPO)["README.md"] + b"\nMine.\n"
    server.put(REPO, {"README.md": card})
    plan(run)  # now it is in the cache
    cached = next(path for path in Path(pull.pull(parse_id(REPO), REGISTRY).folder).glob("README*"))
    cached.write_bytes(b"# Nothing\n")
    push(run)
    assert server.files(REPO)["README.md"] == card


def test_a_pulled_folder_can_be_pushed_on(run: Path, server: HubServer) -> None:
    """From huggingface_hub's cache, whose files are links, and with its card."""
    push(run)
    server.put(REPO, {"README.md": server.files(REPO)["README.md"] + b"\nMine.\n"})
    pulled = pull.pull(parse_id(REPO), REGISTRY).folder
    push(pulled, "ann/copy")
    assert server.files("ann/copy")["README.md"].endswith(b"\nMine.\n")
    assert server.files("ann/copy")["config.json"] == server.files(REPO)["config.json"]


@both_ways
def test_a_discriminator_goes_where_it_is_asked_for(
    run: Path, server: HubServer, tmp_path: Path
) -> None:
    push(run, with_discriminator=True)
    pulled = pull.pull(parse_id(REPO), REGISTRY)
    pull.copy(pulled.folder, tmp_path / "pulled")
    kept = load_file(run / "checkpoints" / "step-00000009" / "discriminator.safetensors")
    found = load_file(tmp_path / "pulled" / "discriminator.safetensors")
    assert all(torch.equal(found[name], kept[name]) for name in kept)

    recipe = toy.recipe(tmp_path / "more", init_from=str(tmp_path / "pulled"))
    recipe = replace(recipe, stages=(replace(recipe.stages[0], steps=0),))
    more = start(recipe, tmp_path / "more" / "run", toy.plugins())
    states = checkpoint.newest(more.folder.checkpoints)[0]
    drawn = load_file(run / "model" / "model.safetensors")
    assert all(torch.equal(states["generator"][name], drawn[name]) for name in drawn)
    assert all(torch.equal(states["discriminator"][name], kept[name]) for name in kept)

    assert sent(push(tmp_path / "pulled", with_discriminator=True)) == {}  # it has it
    assert sent(push(run))["discriminator.safetensors"] == "removed"


def test_the_discriminator_is_that_of_the_model(run: Path, server: HubServer) -> None:
    """And not of a newer step, which a damaged or best model does not belong to."""
    shutil.rmtree(run / "checkpoints" / "step-00000009")
    with pytest.raises(RunError, match=r"--with-discriminator: .*no part"):
        push(run, with_discriminator=True)
    with pytest.raises(RunError, match="Give the run"):
        push(Path(shutil.copytree(run / "model", run / "alone")), with_discriminator=True)
    assert not writes(server)


# -- repositories, branches and tags -------------------------------------------------------------


def test_a_private_repository(run: Path, server: HubServer) -> None:
    push(run, private=True)
    assert server.repos[REPO].private
    push(run, private=True, licence="mit")
    push(run, "ann/public")
    with pytest.raises(HubError, match="is public; --private"):
        push(run, "ann/public", private=True, licence="mit")
    assert not server.repos["ann/public"].private


def test_tags_do_not_move(run: Path, server: HubServer) -> None:
    done = push(run, tag="v1")
    assert server.repos[REPO].tags["v1"].sha == done.commit
    push(run, tag="v1")  # it is there, and right
    push(run, tag="same")
    assert server.repos[REPO].tags["same"].sha == done.commit
    count = len(writes(server))
    with pytest.raises(HubError, match=r"has a tag 'v1' already.*Name another"):
        push(run, tag="v1", licence="mit")
    for fixed in ("v1", str(done.commit)):
        with pytest.raises(HubError, match="is a tag or a commit"):
            push(run, f"{REPO}@{fixed}", licence="mit")
    assert len(writes(server)) == count


@pytest.mark.parametrize("new", [True, False], ids=["new repository", "old"])
def test_a_branch_leaves_main_as_it_is(run: Path, server: HubServer, new: bool) -> None:
    if not new:
        push(run)
        server.put(REPO, {"entries/old.json": b"{}", "notes.txt": b"mine"})
    before = server.files(REPO) if not new else {".gitattributes"}
    done = push(run, f"{REPO}@dev", licence="mit")
    assert done.url == f"{server.url}/{REPO}/tree/dev"
    assert server.files(REPO) == before if not new else set(server.files(REPO)) == before
    dev = server.files(REPO, "dev")
    assert b"license: mit" in dev["README.md"]
    assert "entries/old.json" not in dev
    if not new:
        changed = {"README.md", "config.json", "entries/old.json"}
        assert set(sent(done)) == changed
        assert dev["notes.txt"] == b"mine"
    assert sent(push(run, f"{REPO}@dev", licence="mit")) == {}
    assert pull.pull(parse_id(f"{REPO}@dev"), REGISTRY).commit == done.commit


def test_a_new_branch_begins_at_the_commit_that_was_looked_at(
    run: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run)
    package = publish._plan
    monkeypatch.setattr(
        publish, "_plan", lambda *given: (server.put(REPO, {"x": b"x"}), package(*given))[1]
    )
    push(run, f"{REPO}@dev", licence="mit")
    assert "x" not in server.files(REPO, "dev")


def test_a_card_written_here_and_there(run: Path, server: HubServer, tmp_path: Path) -> None:
    """What somebody wrote is never dropped without a word."""
    push(run)
    pull.copy(pull.pull(parse_id(REPO), REGISTRY).folder, tmp_path / "mine")
    with (tmp_path / "mine" / "README.md").open("a") as file:
        file.write("## My limits\n")
    with pytest.raises(RunError, match=r"lines that the card .*--card"):
        push(tmp_path / "mine")
    assert sent(push(tmp_path / "mine", card=tmp_path / "mine" / "README.md")) == {
        "README.md": "changed"
    }
    assert b"## My limits" in server.files(REPO)["README.md"]


def test_a_licence_changed_on_the_hub_is_not_put_back(run: Path, server: HubServer) -> None:
    push(run, licence="mit")
    card = server.files(REPO)["README.md"].replace(b"license: mit", b"license: cc-by-sa-4.0")
    server.put(REPO, {"README.md": card})
    with pytest.raises(RunError, match=r"card .* cc-by-sa-4\.0, .*model mit"):
        publish.push(run, REPO, REGISTRY, Options())
    assert set(sent(push(run, licence="cc-by-sa-4.0"))) == {"README.md", "config.json"}


@pytest.mark.parametrize("tag", ["v 1", "a..b", "main", "dev"])
def test_a_tag_that_cannot_be_one(run: Path, server: HubServer, tag: str) -> None:
    push(run, f"{REPO}@dev")
    before = len(server.repos[REPO].log("main"))
    with pytest.raises(HubError, match=r"revision|branch"):
        push(run, tag=tag)
    assert len(server.repos[REPO].log("main")) == before


def test_half_the_size(run: Path, server: HubServer, tmp_path: Path) -> None:
    """What is pulled is the generator rounded, which has no claim to the scores of the whole."""
    submit(tmp_path / "entries", "whole", fid=1.0, weights_sha256=weights(run))
    push(run, half=True, entries=(tmp_path / "entries",))
    files, whole = server.files(REPO), load_file(run / "model" / "model.safetensors")
    assert not any(name.startswith("entries/") for name in files)
    found = model.load(pull.pull(parse_id(REPO), REGISTRY).folder, REGISTRY)
    kept = {k: v.half().float() if v.is_floating_point() else v for k, v in whole.items()}
    state = found.generator.state_dict()
    assert all(torch.equal(state[name], kept[name]) for name in kept)
    numbers = sum(v.numel() * v.element_size() for v in whole.values() if v.is_floating_point())
    stated = (run / "model" / "model.safetensors").stat().st_size - len(files["model.safetensors"])
    assert abs(stated - numbers / 2) < 64


# -- scores ------------------------------------------------------------------------------------


def test_scores_of_these_weights_go_and_come_back(
    run: Path, server: HubServer, tmp_path: Path
) -> None:
    sha, root, own = weights(run), tmp_path / "entries", run / "model" / "entries"
    submit(root, "other", fid=1.0, weights_sha256="0" * 64)
    submit(root, "old", fid=2.0, weights_sha256=sha, date="2026-01-01")
    new = submit(run / "evaluation", "new", fid=3.0, weights_sha256=sha, date="2026-03-01")
    submit(root, "real", fid=0.0, kind="reference", weights_sha256=sha, date="2026-04-01")
    (root / "avatars-32" / "damaged.json").write_text("{}")  # somebody else's
    write_entry(own / "older.json", entry("older", 4.0, weights_sha256=sha, date="2025-01-01"))
    write_entry(own / "b.json", entry("b", 5.0, weights_sha256=sha, benchmark="avatars-64"))
    push(run, entries=(root,))
    files = server.files(REPO)
    assert [name for name in files if "/" in name] == [
        ".eval_results/ganzoo-avatars-32.yaml", ".eval_results/ganzoo-avatars-64.yaml",
        "entries/avatars-32.json", "entries/avatars-64.json",
    ]  # fmt: skip
    kept = read_entry(new)
    pulled = pull.pull(parse_id(REPO), REGISTRY).folder
    assert read_entry(pulled / "entries" / "avatars-32.json") == kept
    assert yaml.safe_load(files[".eval_results/ganzoo-avatars-32.yaml"])[0]["value"] == 3.0
    (found,) = search.search()
    assert found.entries[0].scores == kept.scores
    boards = search.standings()[0]
    assert [board.benchmark for board in boards] == ["avatars-32", "avatars-64"]
    assert boards[0].tables[0].rows[0].entry.model.name == REPO
    assert sent(push(run, entries=(root,))) == {}

    shutil.rmtree(root)
    shutil.rmtree(own)
    assert sent(push(run)) == {}  # from elsewhere: what the Hub has is of these weights still
    resume(run, ["stages.0.steps=12"], toy.plugins())
    gone = {name for name, action in sent(push(run)).items() if action == "removed"}
    assert gone == {name for name in files if "/" in name}
    assert not any("/" in name for name in server.files(REPO))


# -- what is refused -----------------------------------------------------------------------------


def spoil(run: Path, what: str) -> None:
    """Make one mistake in a model folder."""
    folder = run / "model"
    config, file = json.loads((folder / "config.json").read_text()), folder / "model.safetensors"
    if what == "nan":
        tensors = load_file(file)
        tensors["outer.bias"][0] = float("nan")
        save_file(tensors, file)
        config["files"] = {}
    elif what == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif what == "no weights":
        file.unlink()
    elif what == "no discriminator":
        config["files"]["discriminator.safetensors"] = config["files"]["model.safetensors"]
    elif what == "pickle":
        torch.save({}, folder / "discriminator.safetensors")
        config["files"]["discriminator.safetensors"] = config["files"]["model.safetensors"]
    elif what == "plugin":
        config["generator"] |= {"use": "alien", "distribution": "acme-gan", "version": "2.1"}
    elif what == "newer":
        config["ganzoo_format"] = 99
    elif what == "path":
        config["training"]["dataset"]["path"] = "/home/ann/photos"
    elif what == "recipe path":
        with (folder / "recipe.yaml").open("a") as recipe:
            recipe.write("notes: {path: /home/ann/photos}\n")
    elif what == "size":
        config["output"]["size"] = 64
    elif what == "labels":
        config["labels"] = {"hair": ["pink"]}
    elif what == "kind":
        config["input"] = {"kind": "image", "words": ["photo"], "size": None}
    elif what in ("recipe list", "recipe text", "recipe of another"):
        text = {"recipe list": "[1]", "recipe text": "dcgan"}.get(what, "generator: {use: dcgan}")
        (folder / "recipe.yaml").write_text(text)
    elif what == "recipe":
        (folder / "recipe.yaml").write_text("a: [")
    elif what == "token":
        with (folder / "recipe.yaml").open("a") as recipe:
            recipe.write(f"mine: hf_{'x' * 34}\n")
    elif what == "card token":
        (folder / "README.md").write_text(f"export HF_TOKEN=hf_{'Ab3' * 12}")
    elif what == "card":
        (folder / "README.md").write_text("---\ntags: [")
    elif what == "card bytes":
        (folder / "README.md").write_bytes(b"\xff\xfe")
    elif what == "link":
        (run / "secret").write_text("s")
        (folder / "recipe.yaml").unlink()
        (folder / "recipe.yaml").symlink_to(run / "secret")
    elif what == "entry":
        (folder / "entries").mkdir()
        (folder / "entries" / "x.json").write_text("{}")
    elif what == "samples":
        (folder / "samples.png").write_bytes(b"GIF89a")
    elif what == "large":
        (folder / "recipe.yaml").write_text(f"# {'x' * (1 << 20)}\nrecipe: x\n")
    (folder / "config.json").write_text(json.dumps(config))


SPOILT = {
    "nan": "NaN or infinity in tensor 'outer.bias'",
    "cut": "it was cut short or replaced",
    "no weights": "model.safetensors is missing",
    "no discriminator": "has no weights of its discriminator",
    "pickle": "discriminator.safetensors is a pickle",
    "plugin": "pip install 'acme-gan==2.1'",
    "newer": "has model format 99; this ganzoo reads up to 5",
    "path": "config.json names a place on this machine",
    "recipe path": "recipe.yaml names a place on this machine",
    "recipe": "recipe.yaml cannot be read",
    "recipe list": "recipe.yaml is no recipe, but a list of 1",
    "recipe text": "recipe.yaml is no recipe, but 'dcgan'",
    "recipe of another": "recipe.yaml is of another model: its generator is 'dcgan'",
    "size": "output.size is 64 in it, and the generator's is 8",
    "labels": "labels is a mapping in it, and the generator's is null",
    "kind": "input.kind is 'image' in it, and the generator's is 'noise'",
    "token": "recipe.yaml holds what looks like a token",
    "card token": "README.md holds what looks like a token",
    "card": "the model card cannot be made: its metadata",
    "card bytes": "README.md cannot be read as text in UTF-8",
    "link": r"recipe.yaml is a link to .*secret",
    "entry": r"entries/x.json: ",
    "samples": "samples.png is no PNG",
    "large": "recipe.yaml has .* bytes; 1,048,576 is the most",
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_folder_is_refused_before_anything_is_sent(
    run: Path, server: HubServer, what: str
) -> None:
    spoil(run, what)
    with pytest.raises(RunError, match=SPOILT[what]):
        push(run)
    assert not writes(server)
    assert not server.repos


def test_all_that_is_wrong_is_told_at_once(
    run: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(configs, "code_licence", lambda _: None)
    for what in ("nan", "recipe path", "token", "entry", "path"):
        spoil(run, what)
    missing = tmp_path / "nothing.md"
    with pytest.raises(RunError) as caught:
        push(run, licence="<b>", data_licence=None, card=missing)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"not pushed to {REPO}, for {len(lines) - 1} problems:"
    for part in (
        "licence of the code is not known", "licence of the weights: expected",
        "licence of the data is not known", "NaN", "recipe.yaml names", "config.json names",
        "recipe.yaml holds", "entries/x.json", "nothing.md cannot be read",
    ):  # fmt: skip
        assert len([line for line in lines if part in line]) == 1, part
    assert not writes(server)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda self, latent, label=None: 1 / 0, "the model cannot be used: division by zero"),
        (
            lambda self, latent, label=None: torch.full((16, 3, 8, 8), torch.nan),
            "makes pictures with NaN",
        ),
    ],
    ids=["breaks", "nan"],
)
def test_a_generator_that_draws_nothing_is_refused(
    run: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch, made: Any, message: str
) -> None:
    monkeypatch.setattr(toy.ToyGenerator, "forward", made)
    (run / "model" / "samples.png").unlink()
    with pytest.raises(RunError, match=message):
        push(run)
    assert not writes(server)


def test_samples_that_are_missing_are_drawn(run: Path, server: HubServer) -> None:
    (run / "model" / "samples.png").rename(run / "before.png")
    push(run)
    assert server.files(REPO)["samples.png"] == (run / "before.png").read_bytes()


def test_a_folder_of_format_1_is_brought_up_to_date(run: Path, server: HubServer) -> None:
    file = run / "model" / "config.json"
    new = json.loads(file.read_text())
    old = {name: new[name] for name in ("generator", "output", "training")}
    file.write_text(json.dumps({"ganzoo_format": 1, "input": "noise", "labels": None} | old))
    push(run)
    there = json.loads(server.files(REPO)["config.json"])
    kept = ("generator", "output", "files", "training", "plugins", "ganzoo_format")
    assert {name: there[name] for name in kept} == {name: new[name] for name in kept}


def test_a_full_disk_is_one_sentence(
    run: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, out: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(out))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(RunError, match=r"No space left .*set TMPDIR"):
        push(run)
    assert not writes(server)


# -- looking only ------------------------------------------------------------------------------


def test_a_dry_run_sends_nothing(run: Path, server: HubServer) -> None:
    first = plan(run)
    assert set(sent(first).values()) == {"new"}
    assert first.card.startswith("---\nlibrary_name: ganzoo\n")
    assert not first.notes
    assert not writes(server)
    push(run)
    count = len(writes(server))
    assert sent(plan(run)) == {}
    assert sent(plan(run, licence="mit")) == {"README.md": "changed", "config.json": "changed"}
    spoil(run, "nan")
    assert len(plan(run).problems) == 1
    assert len(writes(server)) == count


UNASKED = {
    "offline": "HF_HUB_OFFLINE is set",
    "down": "cannot be reached",
    "bad token": "needs a token",
    "no token": "needs a token",
}


@pytest.mark.parametrize("how", UNASKED)
def test_a_dry_run_needs_no_hub(
    run: Path, server: HubServer, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if how == "offline":
        hermetic(monkeypatch, tmp_path, server.url, offline=True)
        monkeypatch.setenv("HF_TOKEN", server.token("ann"))
    elif how == "down":
        server.stop()
    elif how == "bad token":
        monkeypatch.setenv("HF_TOKEN", "hf_no")
    else:
        monkeypatch.delenv("HF_TOKEN")
    found = plan(run)
    assert set(sent(found).values()) == {"new"}
    assert len(found.notes) == (how != "no token")
    assert all("the Hub has is not known" in note for note in found.notes)
    with pytest.raises(HubError, match=UNASKED[how]):
        push(run)


PUSH = """
import sys
from ganzoo.errors import HubFailure
from ganzoo.hub import push
from ganzoo.hub.push_types import Options
from ganzoo.plugins.manager import installed
try:
    push.push("ganzoo/avatars-64", "ann/toy", installed().registry, Options())
except HubFailure as error:
    print(error, "torch" in sys.modules)
"""


def test_an_unreachable_hub_is_reported_before_torch_is_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hermetic(monkeypatch, tmp_path, "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_some")
    said = subprocess.check_output([sys.executable, "-c", PUSH], text=True)
    assert "http://127.0.0.1:9 cannot be reached" in said
    assert said.endswith(" False\n")


# -- the Hub refuses -----------------------------------------------------------------------------


def test_who_may_not_write_is_told_so(
    run: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run)
    reader, other = server.token("ann", "read"), server.token("bob")
    refusals = {
        "hf_wrong": "needs a token",
        reader: "must have the role `write`",
        other: "you must own the repository",
    }
    for token, message in refusals.items():
        for repo in (REPO, "ann/new", f"{REPO}@new"):
            with pytest.raises(HubError, match=message):
                push(run, repo, token, licence="mit")
    server.repos[REPO].private = True
    with pytest.raises(HubError, match="you must own the repository"):
        push(run, REPO, other, licence="mit")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match=r"needs a token.*hf auth login"):
        push(run, licence="mit")
    assert list(server.repos) == [REPO]
    assert len(server.repos[REPO].log()) == 2
    assert list(server.repos[REPO].branches) == ["main"]


@both_ways
def test_a_push_of_somebody_else_in_between_is_kept(
    run: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run)
    look = publish._look
    monkeypatch.setattr(
        publish, "_look", lambda *given: (look(*given), server.put(REPO, {"x": b"x"}))[0]
    )
    with pytest.raises(HubError, match="changed by somebody else just now"):
        push(run, licence="mit")
    assert b"cc-by-4.0" in server.files(REPO)["README.md"]
    server.fail(404, "GET", "/refs", headers={"X-Error-Code": "RepoNotFound"})
    with pytest.raises(HubError, match="made by somebody else just now"):
        push(run, licence="mit")


def test_metadata_that_the_hub_refuses_is_told(run: Path, server: HubServer) -> None:
    (run / "model" / "README.md").write_text("---\nmodel-index: [{results: []}]\n---\n")
    push(run)
    index = "model-index:\n- results:\n  - {dataset: {type: x}}\n"
    (run / "model" / "README.md").write_text(f"---\n{index}---\n")
    with pytest.raises(HubError, match=r"refuses the card's metadata.*'task' is required"):
        push(run, "ann/other")
    assert set(server.files("ann/other")) == {".gitattributes"}


# -- breaks ------------------------------------------------------------------------------------


def after(server: HubServer, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> str:
    """Which of two states a repository is in; there is no third."""
    found = server.files(REPO)
    assert found in (old, new)
    return "old" if found == old else "new"


def impatient(patch: pytest.MonkeyPatch, tmp_path: Path, server: HubServer, xet: bool) -> None:
    """Wait for a silent server for a moment only."""
    hermetic(patch, tmp_path, server.url, xet=xet, patience=0.1)
    patch.setenv("HF_TOKEN", server.token("ann"))
    patch.setenv("HF_XET_CLIENT_READ_TIMEOUT", "100ms")
    patch.setattr(client, "SILENCE", 0.1)
    patch.setattr(repository, "TIMEOUT", 0.1)


def refusal(run: Path, **asked: Any) -> HubError | None:
    try:
        push(run, **asked)
    except HubError as error:
        return error
    return None


@both_ways
@pytest.mark.parametrize("how", ["cut", "lost", 500, "hang"])
def test_a_break_anywhere_does_no_harm(
    run: Path, server: HubServer, xet: bool, how: Failure, tmp_path: Path
) -> None:
    """Every request of a push breaks once, in turn."""
    push(run)
    repo, old = server.repos[REPO], server.files(REPO)
    first = repo.branches["main"]
    resume(run, ["stages.0.steps=12"], toy.plugins())
    asked = {"tag": "v1", "with_discriminator": True}
    start = len(server.requests)
    push(run, **asked)
    new, requests = server.files(REPO), server.requests[start:]
    broken = 0
    for at in range(1, len(requests) + 1):
        repo.branches["main"] = first
        repo.tags.clear()
        for sha in [b.sha256 for b in repo.commits[first.sha].files.values()]:
            repo.store.pop(sha, None)
        fault, before = server.fail(how, at=at), len(server.requests)
        with pytest.MonkeyPatch.context() as patch:
            if how == "hang":
                impatient(patch, tmp_path, server, xet)
            error, state = refusal(run, **asked), after(server, old, new)
        if error is None:
            assert state == "new"
        else:
            tagging = "/tag/" in server.requests[before + at - 1].path
            assert state == ("new" if tagging else "old") or how == "hang"
            assert isinstance(error, HubFailure) or how == "lost"
            broken += 1
        fault.release()
        server.faults.clear()
        push(run, **asked)
        assert after(server, old, new) == "new"
        assert repo.tags["v1"] is repo.branches["main"]
    assert broken


@pytest.mark.parametrize(
    ("xet", "how"), [(False, "cut"), (True, "lost")], ids=["lfs", "xet"], indirect=["xet"]
)
def test_a_first_push_that_breaks_can_be_run_again(
    run: Path, server: HubServer, how: Failure
) -> None:
    push(run, f"{REPO}@dev", private=True)
    requests = len(server.requests)
    whole = set(server.files(REPO, "dev"))
    for at in range(1, requests + 1):
        repo = f"ann/toy-{at}"
        server.fail(how, at=at)
        error = refusal(run, repo=f"{repo}@dev", private=True)
        branches = server.repos[repo].branches if repo in server.repos else {}
        if "dev" in branches:
            assert set(server.files(repo, "dev")) in (whole, {".gitattributes"})
        server.faults.clear()
        assert (push(run, f"{repo}@dev", private=True).commit is None) == (error is None)
        assert set(server.files(repo, "dev")) == whole
        assert set(server.files(repo)) == {".gitattributes"}
        assert server.repos[repo].private


def test_a_removal_that_fails_is_not_taken_for_done(run: Path, server: HubServer) -> None:
    push(run)
    server.put(REPO, {"entries/old.json": b"{}"})
    server.fail(500, "POST", "/commit/")
    assert isinstance(refusal(run), HubFailure)
    assert sent(push(run)) == {"entries/old.json": "removed"}
    assert "entries/old.json" not in server.files(REPO)


# -- what a killed push leaves -------------------------------------------------------------------


def test_what_a_killed_push_left_is_removed_by_the_next(
    run: Path, server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = f"""
import os, tempfile
from ganzoo.hub.staging import staging
tempfile.tempdir = {str(tmp_path)!r}
with staging() as folder:
    (folder / "model.safetensors").write_bytes(b"0" * 100)
    print("ready", flush=True)
    input()
"""
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    alive, dead = (subprocess.Popen(command, **pipes) for _ in range(2))  # type: ignore[call-overload]
    with alive, dead:
        lefts = []
        for process in (alive, dead):
            assert process.stdout.readline() == "ready\n"
        lefts = sorted(tmp_path.glob("ganzoo-push-*"))
        assert len(lefts) == 2
        dead.kill()
        dead.wait()
        other = tmp_path / "ganzoo-push-link"
        other.symlink_to(run)
        for left in lefts:
            os.utime(left, (0, 0))
        plan(run)
        assert len(set(lefts) & set(tmp_path.glob("ganzoo-push-*"))) == 1
        assert run.is_dir()
        alive.communicate("\n")
    assert sorted(tmp_path.glob("ganzoo-push-*")) == [other]


def test_a_dry_run_lists_what_would_go_beside_the_problems(run: Path, server: HubServer) -> None:
    found = plan(run, licence=None, data_licence=None)
    assert {change.name for change in found.changes} >= {"config.json", "model.safetensors"}
    assert any("licence of the weights" in problem for problem in found.problems)
    assert any("licence of the data" in problem for problem in found.problems)
    assert plan(run).problems == ()
    assert not server.repos
