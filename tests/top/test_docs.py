"""The site builds without a warning, leads nowhere wrong, has all there is, and does as it says."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from environment import Environment
from hub_server import HubServer, hermetic
from typer.main import get_command
from typer.testing import CliRunner

from ganzoo import errors, hookspecs
from ganzoo.cli import command_line
from ganzoo.plugins.manager import HOOKS, Plugins, installed
from ganzoo.plugins.registry import KINDS, Origin, Registration
from ganzoo.plugins.shipped import registered_files
from ganzoo.plugins.signature import read_signature
from ganzoo.recipe.recipe import load_recipe, shipped_recipes
from ganzoo.recipe.vocabulary import aim
from ganzoo.testing import contracts

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md")),
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "benchmarks").rglob("*.md")),
]
FENCE = re.compile(r"^(```+)([^\n]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


class Page(HTMLParser):
    """What a page has: its text by section, its anchors, its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sections: defaultdict[str, str] = defaultdict(str)
        self.ids: set[str] = set()
        self.links: list[str] = []
        self._open = [""]
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found["id"]} if "id" in found else set()
        self.links += [found[name] for name in ("href", "src") if name in found]
        if tag == "section":
            self._open.append(found.get("id", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.sections[self._open[-1]] += data

    @property
    def text(self) -> str:
        """All of its text."""
        return " ".join(self.sections.values())


class Site(dict[str, Page]):
    """The pages of a built site, by their paths."""

    def __init__(self, html: Path) -> None:
        self.html = html
        for path in html.rglob("*.html"):
            self[path.relative_to(html).as_posix()] = Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    for needed in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(needed, reason=f"{needed} is not installed: pip install -e '.[dev]'")
    out = tmp_path_factory.mktemp("docs")
    build = [sys.executable, str(DOCS / "build.py"), str(out)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Site(out / "html")


def built_in(kind: str) -> list[Registration]:
    return [e for e in installed().registry.entries(kind) if e.origin.distribution == "ganzoo"]


# -- links


def test_every_link_of_the_site_leads_somewhere(site: Site) -> None:
    wrong = []
    for path, page in site.items():
        for link in page.links:
            there = urlsplit(link)
            if there.scheme:
                good = there.scheme in ("https", "data") and (there.netloc or there.path)
            else:
                target = (site.html / path).parent / unquote(there.path) if there.path else None
                name = target.resolve().relative_to(site.html).as_posix() if target else path
                good = (site.html / name).is_file()
                if good and name.endswith(".html") and there.fragment:
                    good = unquote(there.fragment) in site[name].ids
            if not good:
                wrong.append(f"{path}: {link}")
    assert not wrong
    assert "index.html" in site


def test_nothing_of_the_site_is_fetched_from_elsewhere(site: Site) -> None:
    pages = {path: (site.html / path).read_text(encoding="utf-8") for path in site}
    fetched = r"<(?:script|img|link)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*"
    assert {
        path: found for path, text in pages.items() if (found := re.findall(fetched, text))
    } == {}


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_written_page_leads_to_a_file(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    links = [
        urlsplit(link)
        for link in re.findall(r"\]\(([^)\s]+)\)|<(https?:[^>\s]+)>", text)
        for link in link
        if link
    ]
    for link in links:
        if link.scheme:
            assert link.scheme == "https"
            assert "." in link.netloc
        elif link.path:
            assert (path.parent / link.path).exists(), link.path
        else:
            assert path.parent == DOCS, f"#{link.fragment}"  # the build checks those


# -- everything is there


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_page_with_its_arguments(site: Site, hook: str) -> None:
    page = site[f"reference/hooks/{hook}.html"]
    spec = getattr(hookspecs, hook)
    signature = re.search(rf"{hook}\((.*?)\) →", page.text.replace("\n", " "))
    assert signature
    assert re.findall(r"(\w+)\s*: ", signature[1]) == list(inspect.signature(spec).parameters)
    assert plain((spec.__doc__ or "").partition("\n")[0]) in spaced(page.text)
    assert hook in site["reference/hooks.html"].text


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_every_hook_works(
    site: Site, hook: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = site[f"reference/hooks/{hook}.html"].sections["the-least-that-implements-it"]
    file = tmp_path / "ganzoo_acme.py"
    file.write_text(code[code.index("from ") :])
    (tmp_path / "acme.yaml").write_text("recipe: acme\n")
    (tmp_path / "acme-32.yaml").write_text("benchmark: acme-32\n")
    spec = importlib.util.spec_from_file_location("ganzoo_acme", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plugins = Plugins()
    plugin = plugins.add(lambda: module, Origin("acme", "ganzoo-acme", "1"))
    assert (plugin.error, plugin.hooks) == (None, [hook])
    if hook == "register_commands":
        done = CliRunner().invoke(command_line(plugins), ["acme"])
        assert done.output == "hello\n"
    elif hook.startswith("register_"):
        name = "acme-32" if hook == "register_benchmarks" else "acme"
        assert [entry.name for entry in plugin.entries] == [name]
    else:
        run = SimpleNamespace(step=3, recipe=SimpleNamespace(name="toy"))
        arguments = dict.fromkeys(inspect.signature(getattr(hookspecs, hook)).parameters, 3)
        getattr(plugins.hook, hook)(**arguments | {"run": run})
        assert capsys.readouterr().out.startswith("toy 3")


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_is_on_the_page_of_its_kind(site: Site, kind: str) -> None:
    sections = site[f"reference/kinds/{kind}.html"].sections
    promised = spaced(sections["what-is-tested"])
    for entry in built_in(kind):
        section = spaced(sections[f"{kind}-{entry.name}"])
        signature = read_signature(entry.target)
        assert plain(signature.summary) in section
        for parameter in signature.parameters:
            assert plain(f"{parameter.name} {parameter.type.describe()}") in section
            assert plain(parameter.help) in section
        for method, words in signature.methods.items():
            shown = [word if must else f"{word} (optional)" for word, must in words]
            assert f"{method} reads {', '.join(shown) or 'nothing'}" in section
        for contract in contracts(entry.origin.plugin):
            if contract.component == f"{kind} {entry.name}":
                assert plain(contract.promise) in promised


def test_every_recipe_is_in_the_gallery_with_what_its_terms_read(site: Site) -> None:
    registry = installed().registry
    recipes = shipped_recipes()
    for name in recipes.keys() - registered_files("recipe", registry).keys():
        page, recipe = site[f"recipes/{name}.html"], load_recipe(name)
        assert f"recipes/{name}.html" in site["recipes.html"].links
        for stage in recipe.stages:
            title = f"Stage {stage.name}: "
            (section,) = (
                text for s in page.sections.values() if (text := spaced(s)).startswith(title)
            )
            for player, terms in stage.terms.items():
                for term in terms:
                    loss = read_signature(registry.get("loss", term.use).target)
                    words = loss.methods[recipe.method(player)]
                    judge = {"discriminator": term.judge} if term.judge else {}
                    reads = ", ".join(judge.get(word, aim(word, term.inputs)) for word, _ in words)
                    assert re.search(rf"\b{term.use}\b.*\b{reads}\b", section)
                    assert f"../reference/kinds/loss.html#loss-{term.use}" in page.links


def test_every_command_and_option_is_told(site: Site) -> None:
    sections = site["reference/command-line.html"].sections

    def told(group: object, name: str) -> Iterator[str]:
        for verb, command in getattr(group, "commands", {}).items():
            section = sections[f"{name}-{verb}"]
            for parameter in command.params:
                if parameter.param_type_name == "option":
                    assert max(parameter.opts, key=len) in section
            yield verb
            yield from told(command, f"{name}-{verb}")

    verbs = list(told(get_command(command_line(installed())), "ganzoo"))
    assert {"train", "plugins", "check"} <= set(verbs)


def test_every_error_is_told_with_its_exit_code(site: Site) -> None:
    text = spaced(site["reference/errors.html"].text)
    found = [c for c in vars(errors).values() if inspect.isclass(c) and hasattr(c, "exit_code")]
    for error in found:
        assert f"{error.__name__} {error.exit_code} " in text


def plain(text: str) -> str:
    """A docstring as a browser shows it."""
    return spaced(text.replace("`", ""))


def spaced(text: str) -> str:
    return " ".join(text.split())


def test_every_recipe_that_needs_no_data_has_a_picture(site: Site) -> None:
    for name in shipped_recipes():
        if load_recipe(name).dataset.use in ("avatars", "figurines"):
            assert any(f"{name}.png" in link for link in site[f"recipes/{name}.html"].links), name


# -- what it says happens


def steps(page: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: what is after the fence, and the text."""
    for _, what, text in FENCE.findall((DOCS / page).read_text(encoding="utf-8")):
        yield what.strip(), text


COMMANDS = [
    line.partition(" #")[0]
    for page in sorted(DOCS.glob("*.md"))
    if page.name != "tutorial.md"
    for what, text in steps(page.name)
    if not what
    for line in text.splitlines()
    if line.startswith("ganzoo ")
]


def test_there_are_commands() -> None:
    assert COMMANDS


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_exists_with_its_options(line: str) -> None:
    _, *words = shlex.split(line)
    command = get_command(command_line(installed()))
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


LANGUAGE = (DOCS / "recipe-language.md").read_text(encoding="utf-8")
EXAMPLES = [text for _, what, text in FENCE.findall(LANGUAGE) if what == "yaml"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split()[1])
def test_the_examples_of_the_recipe_language_are_right(example: str, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(example, encoding="utf-8")
    assert load_recipe(file).name == example.split()[1]


def test_the_complete_recipe_of_the_language_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    from ganzoo.training.loop import start

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "my-gan.yaml"
    file.write_text(EXAMPLES[0], encoding="utf-8")
    small = ["dataset.count=16", "stages.0.steps=2", "samples.every=2"]
    run = start(load_recipe(file, small), tmp_path / "run", installed())
    assert run.step == 2
    assert (run.folder.samples / "00000002.png").is_file()


def test_the_tutorial_does_what_it_says(tmp_path: Path, ganzoo_wheel: Path) -> None:
    environment = Environment(tmp_path, ganzoo_wheel)
    here, said, ran = tmp_path, "", 0
    for what, text in steps("tutorial.md"):
        if what == "sh":
            said = ""
            for line in text.splitlines():
                program, *arguments = shlex.split(line, comments=True)
                if program == "cd":
                    here = here / arguments[0]
                    continue
                done = environment.run(program, *arguments, cwd=here)
                said += done.stdout + done.stderr
                ran += 1
        elif what == "text":
            for shown in filter(None, text.splitlines()):
                pattern = shown.replace("[", "[[]").replace("...", "*")
                assert any(fnmatch(line.rstrip(), pattern) for line in said.splitlines()), said
        elif found := re.match(r":caption: (\S+)\n\n", text):
            edit(here / found[1], text[found.end() :], what)
    assert ran > 8


def edit(path: Path, text: str, what: str) -> None:
    """Write a shown file, or change one as a shown diff says."""
    if what.endswith(" diff"):
        before, after = (
            "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] in signs)
            for signs in (" -", " +")
        )
        whole = path.read_text(encoding="utf-8")
        assert whole.count(before) == 1
        text = whole.replace(before, after)
    path.write_text(text, encoding="utf-8")


def test_the_page_on_python_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    blocks = [
        text
        for _, language, text in FENCE.findall((DOCS / "python.md").read_text(encoding="utf-8"))
        if language == "python"
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    with HubServer(xet=False) as server:
        hermetic(monkeypatch, tmp_path, server.url)
        monkeypatch.setenv("HF_TOKEN", server.token("me"))
        left: dict[str, Any] = {}
        exec("\n".join(blocks), left)
    assert left["middle"].size == (64, 64)
    assert left["many"].shape == (200, 3, 64, 64)
    assert left["run"].report.is_file()
    assert left["found"].id == "me/avatars"
    assert (tmp_path / "models" / "avatars" / "config.json").is_file()
