"""Make the pictures of the README and the docs.

``python docs/pictures.py readme`` draws the README's from the model in the box.  ``python
docs/pictures.py recipe RUN...`` copies the newest grid of each run into the gallery, as
``docs/pictures/recipes/RECIPE.png``.  ``python docs/pictures.py translations RUN`` draws figurines
beside a translator's pictures of them.  ``python docs/pictures.py heads`` makes the sheet of heads,
each row of photos above its drawn twins.  ``python docs/pictures.py portraits`` draws heads beside
what the model in the box makes of them.  ``python docs/pictures.py directions`` draws the sheet of
``ganzoo directions`` for the model in the box.  ``python docs/pictures.py projected`` finds latents
of avatars in that model and changes them; ``python docs/pictures.py inpainted RUN`` fills holes.
``python docs/pictures.py upscaled`` enlarges avatars by interpolation and by the model in the box.
``python docs/pictures.py layouts RUN`` draws layouts of unseen avatars in two colours of hair.
``python docs/pictures.py stylized`` draws a rendered head in the styles of two drawings.
``python docs/pictures.py texts MODEL`` draws the rows of texts of the page on them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from torchvision.transforms.functional import to_pil_image

import ganzoo
from ganzoo.layouts import draw
from ganzoo.models.direction_sheet import sheet
from ganzoo_avatars.avatars import Avatars
from ganzoo_figurines.figurines import Figurines
from ganzoo_heads.heads import Heads
from ganzoo_inpainting.filling import inpaint, project
from ganzoo_style.transfer import stylize

PICTURES = Path(__file__).resolve().parent / "pictures"
GAP = 4
COLUMNS = 12
#: the widest that a grid of the gallery is, in pixels
WIDEST = 560


def readme() -> None:
    """Draw avatars, the same faces with pink and with green hair, and a walk between two."""
    model = ganzoo.load("ganzoo/avatars-64", device="cpu")
    save("avatars", model.sample(2 * COLUMNS, seed=3))
    half = COLUMNS // 2
    colours = [model.sample(half, seed=3, label={"hair": hair}) for hair in ("pink", "green")]
    save("hair", [face for faces in zip(*colours, strict=True) for face in faces])
    ends = model.latents(2, seed=8)
    walk = torch.stack([ends[0].lerp(ends[1], t) for t in torch.linspace(0, 1, COLUMNS)])
    asked = {"hair": "blue", "skin": "light", "background": "sky", "clothes": "yellow"}
    save("walk", model.sample(latents=walk, label=asked))


#: the rows of ``texts``; docs/texts.md lists them
TEXTS = (
    "pink hair, fair skin, smiling, sky blue background",
    "spiky green hair, dark skin, surprised",
    "long black hair, tan skin, wearing red, against rose",
    "a person with silver hair in a bun, lilac background, yellow clothes",
    "laughing, orange hair, brown skin, mint background",
    "a sad face, eyes closed, blue hair, white background",
)


def texts(model_name: str) -> None:
    """Draw six texts, each with the same eight latents."""
    model = ganzoo.load(model_name, device="cpu")
    latents = model.latents(8, seed=2)
    rows = [model.sample(text=text, latents=latents) for text in TEXTS]
    save("texts", [image for row in rows for image in row], columns=8)


def translations(run: Path) -> None:
    """Draw six figurines that the model has not seen, each beside its translation."""
    save("figurines", beside(run, Figurines(count=COLUMNS // 2, size=64, seed=1)))


def heads() -> None:
    """Draw 64 heads, each row of photos above the row of their drawn twins."""
    dataset = Heads(count=64, size=72)
    dataset.prepare()
    shown = [
        to_pil_image(dataset[i][word] / 2 + 0.5)
        for row in range(0, len(dataset), 16)
        for word in ("photo", "real")
        for i in range(row, row + 16)
    ]
    save("heads", shown, 16, "jpg")


def portraits() -> None:
    """Draw six heads that the model has not seen, each beside its drawing."""
    unseen = Heads(count=COLUMNS // 2, size=128, seed=1)
    save("portraits", beside("ganzoo/photo-avatar", unseen), suffix="jpg")


def beside(source: str | Path, unseen: Figurines | Heads) -> list[Image.Image]:
    """Return each photo, and after it what a translator makes of it."""
    model = ganzoo.load(source, device="cpu")
    unseen.prepare()
    photos = [to_pil_image(unseen[i]["photo"] / 2 + 0.5) for i in range(len(unseen))]
    return [image for photo in photos for image in (photo, model.translate(photo))]


def directions() -> None:
    """Draw what six directions of the model in the box do."""
    model = ganzoo.load("ganzoo/avatars-64", device="cpu")
    asked = {"hair": "pink", "skin": "light", "background": "sky", "clothes": "yellow"}
    path = PICTURES / "directions.png"
    sheet(model, 6, 0, asked).quantize(256).save(path, optimize=True)
    print(path)


def projected() -> None:
    """Draw unseen avatars, what the model in the box finds, and that with other hair."""
    model = ganzoo.load("ganzoo/avatars-64", device="cpu")
    faces = unseen_avatars(COLUMNS // 2)
    matches = [project(model, face)[1] for face in faces]
    rows = [[to_pil_image(match.image / 2 + 0.5) for match in matches]]
    for hair in ("pink", "green"):
        labels = [{**match.label, "hair": hair} for match in matches]
        pairs = zip(matches, labels, strict=True)
        rows += [[model.sample(latents=m.latent, label=label)[0] for m, label in pairs]]
    save("projected", [*faces, *(face for row in rows for face in row)], COLUMNS // 2)


def inpainted(run: Path) -> None:
    """Draw unseen avatars, the same with holes, and the holes filled by a run."""
    model = ganzoo.load(run, device="cpu", discriminator=True)
    faces = unseen_avatars(COLUMNS // 2)
    hole = np.zeros((64, 64), bool)
    hole[20:44, 16:48] = True
    holed = [np.where(hole[..., None], 128, np.array(face)).astype(np.uint8) for face in faces]
    filled = [inpaint(model, face, hole)[0] for face in faces]
    save("inpainted", [*faces, *map(Image.fromarray, holed), *filled], COLUMNS // 2)


def layouts(run: Path) -> None:
    """Draw layouts of unseen avatars, what a run draws of them, and that with pink hair."""
    model = ganzoo.load(run, device="cpu")
    data = Avatars(count=COLUMNS // 2, size=64, seed=77)
    data.demand(["layout"])
    numbers = torch.stack([data[i]["layout"] for i in range(len(data))])
    assert data.palette is not None  # toon-head has one
    pictures = list(map(to_pil_image, draw(numbers, data.palette) / 2 + 0.5))
    rows = [
        [model.sample(1, seed=i, layout=one, label=label)[0] for i, one in enumerate(pictures)]
        for label in ({}, {"hair": "pink", "background": "sky"})
    ]
    save("layouts", [*pictures, *(face for row in rows for face in row)], COLUMNS // 2)


def stylized() -> None:
    """Draw a rendered head, two styles, and the head in each, then in one with other settings."""
    head = Heads(count=1, size=160, seed=78)[0]
    photo = to_pil_image(head["photo"] / 2 + 0.5)
    styles = [
        to_pil_image(Avatars(style=style, count=8, size=160, seed=5)[3]["real"] / 2 + 0.5)
        for style in ("toon-head", "adventurer")
    ]
    how: dict[str, Any] = {"steps": 100, "size": 160}
    drawn = [stylize(photo, style, **how) for style in styles]
    others = [
        stylize(photo, styles[0], keep_colors=True, **how),
        stylize(photo, styles[0], scale=0.5, **how),
        stylize(photo, styles[0], strength=10, **how),
    ]
    save("stylized", [photo, *styles, drawn[0], drawn[1], *others], 4)


def upscaled() -> None:
    """Draw small avatars and an unseen drawing, enlarged by interpolation and by the upscaler."""
    faces = ganzoo.load("ganzoo/avatars-64", device="cpu").sample(3, seed=3)
    head = to_pil_image(Heads(count=1, size=64, seed=78)[0]["real"] / 2 + 0.5)
    upscaler = ganzoo.load("ganzoo/upscaler", device="cpu")
    side = (256, 256)
    plain = [face.resize(side, Image.Resampling.BICUBIC) for face in (*faces, head)]
    save("upscaled", [*plain, *upscaler.translate([*faces, head])], 4)


def unseen_avatars(count: int) -> list[Image.Image]:
    """Return avatars of 64 px that no model was trained on."""
    dataset = Avatars(count=count, size=64, seed=77)
    dataset.prepare()
    return [to_pil_image(dataset[i]["real"] / 2 + 0.5) for i in range(count)]


def recipe(run: Path) -> None:
    """Copy the newest grid of a run, no wider than the page."""
    newest = max((run / "samples").glob("*.png"))
    name = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))["recipe"]
    with Image.open(newest) as grid:
        grid.thumbnail((WIDEST, WIDEST))
        path = PICTURES / "recipes" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grid.convert("RGB").quantize(256).save(path, optimize=True)
    print(path)


def save(
    name: str, images: Sequence[Image.Image], columns: int = COLUMNS, suffix: str = "png"
) -> None:
    """Save rows of ``columns`` pictures, on a transparent ground if they are drawings."""
    side = images[0].width
    rows = -(-len(images) // columns)
    step = side + GAP
    sheet = Image.new("RGBA", (columns * step - GAP, rows * step - GAP), (0, 0, 0, 0))
    for i, image in enumerate(images):
        sheet.paste(image, (i % columns * step, i // columns * step))
    path = PICTURES / f"{name}.{suffix}"
    if suffix == "png":
        sheet.quantize(256).save(path, optimize=True)
    else:
        white = Image.new("RGBA", sheet.size, "white")
        Image.alpha_composite(white, sheet).convert("RGB").save(path, quality=88)
    print(path)


if __name__ == "__main__":
    command, *runs = sys.argv[1:]
    for arguments in [(Path(run),) for run in runs] or [()]:
        globals()[command](*arguments)
