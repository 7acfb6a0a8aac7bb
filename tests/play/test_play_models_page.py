"""The page in a real browser: models of the Hub, layouts, and slow work that is stopped."""

from __future__ import annotations

import base64
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import changed, needs_browser, picture_of, saved, slide
from hub_server import HubServer, hermetic
from pictures import photo_like
from PIL import Image
from playing import Served, page

from ganzoo.models import config as configs
from ganzoo.models import writing
from ganzoo.models.writing import new as new_model
from ganzoo.play import draw_tab, photos
from ganzoo.play.sheets import Sheet
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo.plugins.shipped import shipped_models

pytestmark = needs_browser
REGISTRY = installed().registry


def new_painter(path: Path) -> None:
    """Write a model that draws what layouts of avatars show."""
    dataset = construct(REGISTRY, "dataset", "avatars", {"count": 8, "size": 32})
    arguments = {
        "size": 32, "palette": dataset.palette, "width": 4, "latent": 8, "label": None
    }  # fmt: skip
    part = configs.part(REGISTRY.get("generator", "al-cgan"), "al-cgan", arguments)
    writing.save(
        path,
        construct(REGISTRY, "generator", "al-cgan", arguments),
        {"generator": part},
        {},
        recipe_yaml="dataset: {use: avatars, count: 8, size: 32}\n",
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    new_model("xdog", {}, root / "xdog", REGISTRY)
    new_painter(root / "painter")
    (root / "folder").mkdir()
    for number in range(3):
        Image.fromarray(photo_like(number, 48)).save(root / "folder" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer() as hub, pytest.MonkeyPatch.context() as patch:
        hermetic(patch, tmp_path_factory.mktemp("hub"), hub.url)
        folder = shipped_models()["ganzoo/avatars-64"]
        files = ("config.json", "model.safetensors")
        hub.put("ann/drawer", {name: (folder / name).read_bytes() for name in files})
        hub.put("ann/other", {"config.json": b"{}"})
        yield hub


@pytest.fixture(scope="module")
def served(root: Path, hub: HubServer) -> Iterator[Served]:
    with page(root, [str(root / "xdog")]) as served:
        yield served


def choose(tab: Any, name: str) -> None:
    tab.locator("#model input").fill(name)
    tab.locator("#model input").press("Enter")


def message(tab: Any) -> str:
    """What the page says went wrong; it is closed then."""
    text: str = tab.locator(".toast-body").first.inner_text()
    tab.locator(".toast-close").first.click()
    tab.locator(".toast-body").first.wait_for(state="detached")
    return text


def test_a_model_of_the_hub_draws(visit: Callable[..., Any], hub: HubServer) -> None:
    tab = visit()
    changed(tab, lambda: choose(tab, "ann/drawer"))
    assert "ganzoo sample ann/drawer " in tab.locator("#pictures pre").first.text_content()
    assert hub.count("GET", "/ann/drawer/resolve/") > 0
    before = len(hub.requests)
    changed(tab, lambda: tab.locator("#new").click())
    assert len(hub.requests) == before  # it stays in memory
    for name, text in (
        ("ann/nothing", "ann/nothing"),
        ("ann/other", "ann/other"),
        ("no id at all", "not offered here"),
    ):
        choose(tab, name)
        assert text in message(tab)
    assert tab.locator("#pictures button img").count() == 16


def test_a_layout_is_drawn(visit: Callable[..., Any], root: Path, tmp_path: Path) -> None:
    tab = visit()
    choose(tab, "painter")
    tab.get_by_text("Give a layout").wait_for()
    assert tab.locator(".gz-palette li").count() == 7
    field = tab.locator("#layout input[type=file]")
    field.set_input_files(root / "folder" / "0.png")
    assert "no colour of the palette" in message(tab)
    tab.locator("#example").click()
    tab.wait_for_selector("#pictures img")
    layout = picture_of(saved(tab, tab.get_by_text("Save the layout"))).convert("RGB")
    assert layout.size == (32, 32)
    assert "--layout layout.png" in tab.locator("#pictures pre").first.text_content()
    layout.paste(layout.getpixel((0, 0)), (0, 0, 32, 16))
    layout.save(tmp_path / "mine.png")
    tab.get_by_label("Remove Image").click()
    tab.get_by_text("Give a layout").wait_for()
    field.set_input_files(tmp_path / "mine.png")
    tab.wait_for_selector("#pictures img")
    mine = picture_of(saved(tab, tab.get_by_text("Save the layout"))).convert("RGB")
    assert mine.tobytes() == layout.tobytes()


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """What is left of a sheet, and photos, advance each time that the semaphore is released."""
    paces, go_on, translate = threading.Semaphore(0), Sheet.go_on, photos.Mixed.__call__

    def paced(sheet: Sheet, seconds: float) -> None:
        if seconds < 0:
            paces.acquire()
        go_on(sheet, seconds)

    def paced_too(*arguments: Any) -> Any:
        paces.acquire()
        return translate(*arguments)

    monkeypatch.setattr(Sheet, "go_on", paced)
    monkeypatch.setattr(photos.Mixed, "__call__", paced_too)
    monkeypatch.setattr(draw_tab, "_SOON", 0)
    monkeypatch.setattr(draw_tab, "_OFTEN", -1)
    yield paces
    paces.release(1000)


def test_a_slow_sheet_shows_how_far_it_is_and_stops(
    visit: Callable[..., Any], paces: threading.Semaphore
) -> None:
    tab = visit()
    tab.get_by_role("button", name="Number and seed").click()
    changed(tab, lambda: slide(tab, "count", 64))
    assert tab.locator("#pictures button img").count() == 16
    tab.get_by_text("16 of 64 pictures").wait_for()
    paces.release()
    tab.get_by_text("32 of 64 pictures").wait_for()
    tab.locator("#stop-sheet").click()
    tab.get_by_text("Save the pictures").wait_for()
    tab.locator("#stop-sheet").wait_for(state="hidden")
    paces.release(1000)
    pictures = zipfile.ZipFile(io.BytesIO(saved(tab, tab.get_by_text("Save the pictures"))))
    assert len(pictures.namelist()) == tab.locator("#pictures button img").count() == 32
    assert "-n 32 " in tab.locator("#pictures pre").first.text_content()
    changed(tab, lambda: tab.locator("#new").click())
    tab.get_by_text("Save the pictures").wait_for()
    assert tab.locator("#pictures button img").count() == 64


def drop(tab: Any, place: Any, *paths: Path) -> None:
    """Drop files, as from a folder of the desktop."""
    data = tab.evaluate_handle(
        "files => { const data = new DataTransfer(); for (const [name, text] of files) {"
        " const bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0));"
        " data.items.add(new File([bytes], name, {type: 'image/png'})) } return data }",
        [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths],
    )
    for event in ("dragenter", "dragover", "drop"):
        place.dispatch_event(event, {"dataTransfer": data})


def test_photos_that_were_dropped_are_drawn_until_stopped(
    visit: Callable[..., Any], root: Path, paces: threading.Semaphore
) -> None:
    tab = visit()
    tab.get_by_role("tab", name="Photo").click()
    assert tab.get_by_label("The whole picture").is_checked()  # xdog, which was named
    drop(tab, tab.locator("#photo button:has-text('Drop')"), root / "folder" / "0.png")
    tab.locator("#drawn .gz-waiting").wait_for()
    tab.locator("#stop-photo").click()
    tab.locator("#drawn .gz-waiting").wait_for(state="detached")
    assert tab.locator("#drawn figure").count() == 1  # the photo
    paces.release()
    tab.get_by_role("button", name="Many photos").click()
    names = ["0.png", "1.png", "2.png"]
    place = tab.locator("#photos button:has-text('Drop')")
    drop(tab, place, *(root / "folder" / name for name in names))
    tab.locator("#photos").get_by_label("2.png").wait_for()

    def drawn() -> list[str]:
        return zipfile.ZipFile(io.BytesIO(saved(tab, tab.locator("#archive p a")))).namelist()

    paces.release()
    tab.locator("#draw-all").click()
    tab.locator("#archive").get_by_text("1 of 3 steps").wait_for()
    tab.locator("#stop-photo").click()
    tab.locator("#stop-photo").wait_for(state="hidden")
    paces.release()  # the second is drawn to its end
    tab.locator("#archive").get_by_text("Stopped.").wait_for()
    assert drawn() == names[:2]
    paces.release(3)
    tab.locator("#draw-all").click()
    tab.locator("#archive").get_by_text("Save 3 files").wait_for()
    assert drawn() == names
