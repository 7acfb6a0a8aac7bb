"""Contact sheets: many images on one."""

from __future__ import annotations

from PIL import Image


def contact_sheet(images: list[Image.Image], columns: int | None = None) -> Image.Image:
    """Arrange images of one size in a grid, by default about as high as it is wide."""
    columns = min(columns or max(1, round(len(images) ** 0.5)), len(images))
    rows = -(-len(images) // columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for place, image in enumerate(images):
        sheet.paste(image, (place % columns * width, place // columns * height))
    return sheet
