"""Many images on one sheet."""

from __future__ import annotations

from PIL import Image


def contact_sheet(images: list[Image.Image], columns: int | None = None) -> Image.Image:
    """Images of one size in a grid, about as high as wide unless ``columns`` are given."""
    columns = min(columns or max(1, round(len(images) ** 0.5)), len(images))
    rows = -(-len(images) // columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for place, image in enumerate(images):
        sheet.paste(image, (place % columns * width, place // columns * height))
    return sheet
