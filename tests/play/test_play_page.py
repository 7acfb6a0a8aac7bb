"""The page in a real browser: every tab's controls."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy
from browsing import PATIENCE, changed, needs_browser, picture_of, saved, slide
from pictures import photo_like
from PIL import Image
from playing import Served, page
from videos import make_video

from ganzoo.models import samples
from ganzoo.models.writing import new as new_model
from ganzoo.play import trainings
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo.plugins.shipped import shipped_models
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training.loop import start

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = needs_browser
TABS = ("Draw", "Photo", "Watch", "Leaderboard", "Recipe")
#: the addresses that this process connected to or looked up
CONTACTS: list[Any] = []


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("playroom")
    start(toy.recipe(root / "recipes"), root / "runs" / "first", toy.plugins())
    shutil.copytree(root / "runs" / "first", root / "runs" / "second")
    new_model("xdog", {}, root / "xdog", installed().registry)
    Image.fromarray(photo_like(1, 96)).save(root / "photo.png")
    heads = construct(installed().registry, "dataset", "heads", {"size": 128, "count": 2})
    heads.prepare()
    two = Image.new("RGB", (320, 200), "white")
    for left, number in ((10, 0), (170, 1)):
        pixels = samples.to_uint8(heads[number]["photo"]).permute(1, 2, 0).numpy()
        two.paste(Image.fromarray(pixels), (left, 40))
    two.save(root / "two.png")
    (root / "folder").mkdir()
    shutil.copy(root / "photo.png", root / "folder" / "one.png")
    Image.fromarray(photo_like(2, 48)).save(root / "folder" / "other.jpg")
    (root / "folder" / "broken.png").write_bytes(b"no picture")
    if find_spec("av"):
        make_video(root / "folder" / "film.mp4", [Image.fromarray(photo_like(3, 64))] * 3)
    return root


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            CONTACTS.append(arguments[1])
        elif event == "socket.getaddrinfo":
            CONTACTS.append(arguments[:2])

    sys.addaudithook(note)
    with page(root) as served:
        yield served


def open_tab(tab: Any, name: str) -> None:
    tab.get_by_role("tab", name=name).click()
    ready = {"Watch": "#watched .chart", "Leaderboard": "#board tbody tr", "Recipe": "#form form"}
    if name in ready:
        tab.wait_for_selector(ready[name])


def test_drawing_with_every_control(visit: Callable[..., Any]) -> None:
    tab = visit()
    assert tab.locator("#pictures button img").count() == 16
    changed(tab, lambda: tab.locator("#choosers select").first.select_option("pink"))
    assert "hair pink" in tab.locator("#pictures button").nth(3).get_attribute("aria-label")
    changed(tab, lambda: tab.locator("#new").click())
    clicked = tab.locator("#pictures button").nth(5)
    name = clicked.get_attribute("aria-label").partition(": ")[2]
    changed(tab, clicked.click)
    assert name in tab.locator(".gz-centre").get_attribute("aria-label")
    changed(tab, lambda: slide(tab, "spread", 0.6))
    changed(tab, lambda: tab.locator("#forget").click())
    assert tab.locator(".gz-centre").count() == 0
    tab.get_by_role("button", name="Number and seed").click()
    changed(tab, lambda: slide(tab, "count", 4))
    assert tab.locator("#pictures button img").count() == 4
    tab.locator("#seed input").fill("7")
    changed(tab, lambda: tab.locator("#seed input").press("Enter"))
    tab.get_by_role("button", name="Truncation, directions").click()
    changed(tab, lambda: tab.get_by_label("Truncation").fill("0.5"))
    changed(tab, lambda: tab.get_by_label("Direction 1").fill("2"))
    tab.get_by_text("The line that draws the same").click()
    lines = tab.locator("#pictures pre").first.inner_text()
    assert "-n 4 --seed 7" in lines
    assert "--truncation 0.5 --direction 1=2" in lines
    tab.get_by_text("The latent, number by number").click()
    changed(tab, lambda: tab.locator("[data-number='3']").fill("1.5"))
    assert "latents.flatten(1)[:, 3] += 1.5" in tab.locator("#pictures pre").first.inner_text()
    changed(tab, lambda: tab.get_by_text("Set them all back").click())
    assert tab.get_by_label("Direction 1").input_value() == "0"
    pictures = zipfile.ZipFile(io.BytesIO(saved(tab, tab.get_by_text("Save the pictures"))))
    sizes = [picture_of(pictures.read(name)).size for name in pictures.namelist()]
    assert sizes == [(128, 128)] * 4
    assert picture_of(saved(tab, tab.get_by_text("Save as one sheet"))).width > 128
    tab.get_by_role("button", name="A walk between").click()
    tab.locator("#walk").click()
    tab.wait_for_selector("#film img")
    film = picture_of(saved(tab, tab.get_by_text("Save the GIF")))
    assert film.n_frames > 10  # type: ignore[attr-defined]


def test_drawing_what_words_say(visit: Callable[..., Any]) -> None:
    tab = visit()
    tab.locator("#model input").fill("ganzoo/text-avatars")
    changed(tab, lambda: tab.locator("#model input").press("Enter"))
    words = tab.get_by_label("Say what to draw")
    words.fill("pink hair")
    changed(tab, lambda: words.press("Enter"))
    assert "--text 'pink hair'" in tab.locator("#pictures pre").first.text_content()


def test_a_mistake_is_told_on_the_page(visit: Callable[..., Any]) -> None:
    tab = visit()
    field, message = tab.locator("#model input"), tab.locator(".toast-body").first
    field.fill("../../etc<img src=x onerror=alert(1)>")
    field.press("Enter")
    assert "is not offered here" in message.inner_text()
    assert tab.locator(".toast-body img").count() == 0


def test_turning_photos(visit: Callable[..., Any], root: Path) -> None:
    tab = visit()
    open_tab(tab, "Photo")
    links = "document.querySelectorAll('#drawn figure a').length === "
    assert tab.get_by_label("The faces, each alone").is_checked()  # its model was trained on them
    tab.locator("#photo input[type=file]").first.set_input_files(root / "two.png")
    tab.wait_for_function(links + "2")
    assert picture_of(saved(tab, tab.locator("#drawn a").first)).size == (128, 128)
    changed(tab, lambda: tab.get_by_label("The faces, in the photo").check(), "#drawn")
    tab.wait_for_function(links + "1")
    inside = np.asarray(picture_of(saved(tab, tab.locator("#drawn a").first)), int)
    photo = np.asarray(Image.open(root / "two.png"), int)
    assert inside.shape == photo.shape
    assert abs(inside - photo)[:10].max() <= 1  # above the faces
    assert abs(inside - photo).max() > 50
    tab.locator("#translators input").click()
    tab.get_by_role("option", name="xdog").click()
    tab.wait_for_function(links + "2")
    changed(tab, lambda: tab.get_by_label("The whole picture").check(), "#drawn")
    tab.wait_for_function(links + "2")
    slide(tab, "strength", 0)
    for _ in range(10):  # what was asked for before may still arrive
        last = tab.locator("#drawn a").last
        before = last.get_attribute("href")
        if np.array_equal(np.asarray(picture_of(saved(tab, last))), photo):
            break
        with suppress(sync_api.TimeoutError):
            tab.wait_for_function(
                "old => { const links = [...document.querySelectorAll('#drawn figure a')];"
                " return links.length === 2 && links[1].getAttribute('href') !== old }",
                arg=before,
                timeout=6000,
            )
    else:
        pytest.fail("strength 0 did not show the photo")


def test_pasting_and_the_camera(visit: Callable[..., Any], root: Path) -> None:
    tab = visit()
    tab.context.grant_permissions(["clipboard-read", "clipboard-write", "camera"])
    open_tab(tab, "Photo")
    tab.locator("#translators input").press("Backspace")  # the camera's picture is large
    tab.get_by_role("option", name="xdog").click()
    tab.get_by_label("The whole picture").check()
    tab.evaluate(
        "data => { const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));"
        " return navigator.clipboard.write([new ClipboardItem("
        "{'image/png': new Blob([bytes], {type: 'image/png'})})]) }",
        base64.b64encode((root / "photo.png").read_bytes()).decode(),
    )
    tab.get_by_label("Paste from clipboard").click()
    tab.locator("#drawn figure a").first.wait_for()
    assert picture_of(saved(tab, tab.locator("#drawn a").first)).size == (96, 96)
    changed(tab, lambda: tab.get_by_label("Capture from camera").click(), "#photo")
    tab.get_by_text("Click to Access Webcam").click()
    tab.wait_for_function("document.querySelector('#photo video')?.videoWidth > 0")
    shutter = tab.locator("#photo").get_by_role("button", name="capture photo")
    changed(tab, shutter.click, "#drawn")
    tab.locator("#drawn figure a").first.wait_for()
    assert picture_of(saved(tab, tab.locator("#drawn a").first)).width > 96


def test_turning_a_folder(visit: Callable[..., Any], root: Path) -> None:
    tab = visit()
    open_tab(tab, "Photo")
    tab.get_by_label("The whole picture").check()
    tab.get_by_role("button", name="Many photos").click()
    chooser = (
        tab.locator("#folder")
        .locator("xpath=preceding-sibling::input")
        .or_(tab.locator("#folder input"))
    )
    chooser.set_input_files(root / "folder")
    tab.get_by_label("broken.png").wait_for()
    tab.locator("#draw-all").click()
    files = zipfile.ZipFile(io.BytesIO(saved(tab, tab.locator("#archive p a"))))
    names = {"one.png", "other.jpg"} | ({"film.mp4"} if find_spec("av") else set())
    assert set(files.namelist()) == names
    assert picture_of(files.read("one.png")).size == (96, 96)
    assert tab.locator("#archive video").count() == ("film.mp4" in names)
    assert "broken.png" in tab.locator("#archive .gz-bad").inner_text()


def test_watching_a_run(visit: Callable[..., Any], root: Path) -> None:
    run = root / "runs" / "first"
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.rglob("*") if p.is_file()}
    tab = visit()
    open_tab(tab, "Watch")
    tab.locator("#run input").click()
    tab.get_by_role("option", name="runs/first").click()
    tab.wait_for_function("document.querySelector('#watched h2').innerText === 'runs/first'")
    assert tab.locator("#watched img").count() == 1
    with tab.context.expect_page() as opened:
        tab.get_by_text("the whole report").click()
    opened.value.get_by_text("Findings").first.wait_for()
    opened.value.close()  # behind it, Chromium may slow the timer of the tab
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.rglob("*") if p.is_file()}
    assert before == after
    row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1]) | {"step": 4321}

    def go_on() -> None:
        with (run / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    go_on()
    tab.get_by_text("4,321").first.wait_for()
    tab.locator("#beside input").click()
    tab.get_by_role("option", name="runs/second").click()
    tab.wait_for_selector("#watched-beside .chart")


def test_the_leaderboard_plays_a_row(visit: Callable[..., Any]) -> None:
    tab = visit()
    open_tab(tab, "Leaderboard")
    every = tab.locator("#board tbody tr:visible").count()
    tab.locator(".gz-filter").fill("reference")
    assert 0 < tab.locator("#board tbody tr:visible").count() < every
    tab.locator(".gz-filter").fill("")
    tab.locator("#benchmark input").click()
    tab.get_by_role("option", name="avatars-32").click()
    tab.wait_for_selector("#board [aria-label^='avatars-32']")
    tab.locator("#benchmark input").click()
    tab.get_by_role("option", name="avatars-64").click()
    tab.wait_for_selector("#board [aria-label^='avatars-64']")
    name = tab.locator("#board .gz-play").first.get_attribute("data-model")
    assert name in shipped_models()
    tab.locator("#board tr:has(.gz-play) td").first.click()
    tab.wait_for_selector("[role=tab][data-tab-id=draw][aria-selected=true]")
    sync_api.expect(tab.locator("#model input")).to_have_value(name, timeout=PATIENCE)


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training that begins, and ends when it is stopped, without a second of work."""
    script = tmp_path / "stub.py"
    script.write_text(
        "#!" + sys.executable + "\n"
        "import pathlib, signal, sys, time\n"
        "run = pathlib.Path(sys.argv[sys.argv.index('--out') + 1]); run.mkdir(parents=True)\n"
        "(run / 'words').write_text(' '.join(sys.argv[3:]))\n"
        "signal.signal(signal.SIGTERM, lambda *_: ((run / 'stopped').touch(), sys.exit(130)))\n"
        "(run / 'manifest.json').write_text('{}')\n"
        "time.sleep(120)\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(trainings.sys, "executable", str(script))
    return script


def test_changing_and_training_a_recipe(
    visit: Callable[..., Any], root: Path, tmp_path: Path, stub: Path
) -> None:
    tab = visit()
    open_tab(tab, "Recipe")
    tab.locator("#plan").get_by_text("real_logits").first.wait_for()
    batch = tab.locator("[data-path='batch']")
    batch.fill("-3")
    batch.press("Tab")
    bad = tab.locator("[data-path='batch'][aria-invalid]")
    bad.wait_for()
    place = tab.locator(".gz-field", has=bad)
    assert "at least 1" in place.locator(".gz-bad").inner_text()
    tab.wait_for_function("document.activeElement.dataset.path === 'precision'")
    tab.wait_for_selector("#start[disabled]")
    tab.locator("[data-path='batch']").fill("8")
    changed(tab, lambda: tab.locator("[data-path='batch']").press("Tab"), "#plan")
    tab.locator("[data-add='stages[0].discriminator']").select_option("r2")
    tab.wait_for_function("document.querySelector('#plan').innerText.includes('r2')")
    tab.wait_for_selector("details[data-section='stages[0].discriminator[2]']")
    tab.locator("details[data-section='stages[0].discriminator[1]'] summary").click()
    tab.locator("[data-remove='stages[0].discriminator[1]']").click()
    tab.wait_for_function("!document.querySelector('#plan .gz-terms').innerText.includes('r1')")
    yaml = tmp_path / "mine.yaml"
    yaml.write_bytes(saved(tab, tab.get_by_text("Save the recipe")))
    recipe = load_recipe(yaml, (), installed().registry)
    assert recipe.batch == 8
    assert [t.use for t in recipe.stages[0].terms["discriminator"]] == ["relativistic", "r2"]
    tab.locator("#start").click()
    tab.wait_for_function("document.querySelector('#training').innerText.includes('goes on')")
    (run,) = (root / "runs").glob("dcgan-avatars")
    assert "train dcgan-avatars" in (run / "words").read_text()
    assert "--set batch=8" in (run / "words").read_text()
    tab.locator("#stop").click()
    tab.wait_for_function("document.querySelector('#training').innerText.includes('resume')")
    for _ in range(600):
        if (run / "stopped").exists():
            break
        tab.wait_for_timeout(50)
    assert (run / "stopped").exists()
    shutil.rmtree(run)


def test_two_users_at_once(visit: Callable[..., Any]) -> None:
    ann, bob = visit(), visit()
    changed(ann, lambda: ann.locator("#choosers select").first.select_option("green"))
    changed(bob, lambda: bob.locator("#choosers select").first.select_option("red"))
    changed(ann, lambda: ann.locator("#new").click())
    assert "hair green" in ann.locator("#pictures button").first.get_attribute("aria-label")
    assert "hair red" in bob.locator("#pictures button").first.get_attribute("aria-label")


def test_an_open_page_survives_a_restart(visit: Callable[..., Any], root: Path) -> None:
    with page(root) as first:
        tab = visit(address=first.address)
        port = first.port
    with page(root, port=port):
        changed(tab, lambda: tab.locator("#new").click())
    assert tab.locator("#pictures button img").count() == 16


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
def test_every_tab_fits_and_axe_finds_no_serious_fault(
    visit: Callable[..., Any], width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = visit(width, scheme)
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 384) == (scheme == "dark")
    for name in TABS:
        open_tab(tab, name)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
        faults = [
            (fault["id"], [node["html"][:200] for node in fault["nodes"]])
            for fault in axe.run(tab).response["violations"]
            if fault["impact"] in ("serious", "critical")
        ]
        assert faults == [], name


def test_the_keyboard_alone(visit: Callable[..., Any]) -> None:
    tab = visit()

    def reach(selector: str) -> None:
        for _ in range(60):
            if tab.evaluate("s => document.activeElement.matches(s)", selector):
                return
            tab.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {selector}")

    reach("[role=tab]")
    reach("#choosers select")
    changed(tab, lambda: tab.keyboard.press("ArrowDown"))
    reach("#new")
    changed(tab, lambda: tab.keyboard.press("Enter"))
    reach("#pictures button")
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    changed(tab, lambda: tab.keyboard.press("Enter"))
    assert tab.locator(".gz-centre").count() == 1


def test_nothing_was_sent_anywhere(visit: Callable[..., Any]) -> None:
    visit()
    hosts = {contact[0] for contact in CONTACTS if isinstance(contact, tuple)}
    assert hosts <= {"127.0.0.1", "localhost", "::1", None}, hosts
