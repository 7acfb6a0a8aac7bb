"""Decode users' images of any kind into sRGB, or say why one cannot be used."""

from __future__ import annotations

import io
import re
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, features

from ganzoo import colour
from ganzoo.errors import DataError
from ganzoo.files import check_exists, refusals

if TYPE_CHECKING:
    from torch import Tensor

#: Every readable kind of image: its file endings and, if they identify it, its first bytes.
KINDS: dict[str, tuple[tuple[str, ...], bytes | None]] = {
    "PNG": ((".png", ".apng"), rb"\x89PNG\r\n\x1a\n"),
    "JPEG": ((".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"), rb"\xff\xd8\xff"),
    "WEBP": ((".webp",), rb"RIFF.{4}WEBP"),
    "GIF": ((".gif",), rb"GIF8[79]a"),
    "TIFF": ((".tif", ".tiff"), rb"II\*\0|MM\0\*|II\+\0|MM\0\+"),
    "BMP": ((".bmp", ".dib"), rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    "AVIF": ((".avif", ".avifs"), None),
    "HEIC": ((".heic", ".heif", ".hif"), None),
    "JPEG2000": (
        (".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
        rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
    ),
    "PPM": ((".ppm", ".pgm", ".pbm", ".pnm"), rb"P[1-6]\s"),
    "QOI": ((".qoi",), rb"qoif"),
    "PSD": ((".psd",), rb"8BPS\0\x01"),
    "SGI": ((".sgi",), None),
    "PCX": ((".pcx",), None),
    "ICO": ((".ico",), None),
    "TGA": ((".tga",), None),
}
#: The endings of all kinds.
ENDINGS = frozenset(ending for endings, _ in KINDS.values() for ending in endings)
#: What to do about an unreadable kind.
REMEDIES = {
    "HEIC": "pip install pillow-heif, or convert it to JPEG",
    "AVIF": "pip install 'pillow>=11.3', or convert it to PNG",
    "JPEG XL": "convert it to PNG",
}
#: The filter of every resize; named in the cache's key.
FILTER = "lanczos"
#: The most pixels of an image, and the number from which one is processed at a time.
PIXELS, MOST_PIXELS = 90_000_000, 250_000_000
#: Notes on unused parts of a file.
FIRST_FRAME = "only the first frame or page is used"
BAD_PROFILE = "its colour profile is damaged and ignored"
#: Kinds that may hold several frames or pages.
_MULTI_FRAME = {"GIF", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"}
#: Pixels of 16 bits that are turned to 8 at once, to bound the memory.
_AT_ONCE = 1_000_000
#: Pillow's names for 16-bit colours in a file, and their byte order.
_BYTES = re.compile("(RGBA?;16)([BLN])$")
#: The brands of HEIC, and of its containers.
_HEIC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


class BadImage(Exception):
    """Why an image file cannot be used, in a few words."""


@dataclass(frozen=True)
class Picture:
    """A decoded file: upright RGB pixels in sRGB, what it held, and its transparency.

    ``notes`` say what in the file was not used.
    """

    image: Image.Image
    format: str
    mode: str
    #: mode L, of the same size; None if nothing is transparent
    alpha: Image.Image | None = None
    notes: tuple[str, ...] = ()


def decode(data: bytes, most: int = PIXELS) -> Picture:
    """Decode the first frame: upright as in EXIF, sRGB, transparency on white, 8 bits; or BadImage.

    An image of more than ``most`` pixels is refused.  An unusable colour profile is ignored and
    noted.
    """
    if not data:
        raise BadImage("the file is empty")
    try:
        with _open(data) as image:
            if image.width * image.height > most:
                size = f"{image.width:,} x {image.height:,}"
                raise BadImage(f"{size} pixels are more than {most // 1_000_000} million")
            frames = _frames(image)
            # 16-bit colours, of which Pillow reads the upper bytes
            is_deep = bool(image.tile) and all(
                _BYTES.match(str(_layout(tile)[0])) for tile in image.tile
            )
            image.load()
            if image.format == "PNG":
                _state_profile(image)
            if is_deep:
                _fold(image, _low_bytes(data))
            kind = image.format or "?"
            ImageOps.exif_transpose(image, in_place=True)
            return _picture(image, kind, frames)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise anything on damaged files
        raise BadImage(str(error).strip().rstrip(".") or type(error).__name__) from error


def read(path: Path) -> Picture:
    """Decode an image file; raises DataError if there is none, or it cannot be used."""
    check_exists(path, "an image")
    with refusals():
        try:
            return decode(path.read_bytes())
        except BadImage as error:
            raise DataError(f"{path} cannot be used: {error}.") from error
        except IsADirectoryError:
            raise DataError(f"{path} is a folder: give one image.") from None


def picture(image: Image.Image) -> Picture:
    """Treat an opened image as ``decode`` does, leaving it unchanged; or raise BadImage."""
    upright = ImageOps.exif_transpose(image)
    if image.format == "PNG":
        _state_profile(upright)
    return _picture(upright, image.format or "?", 1)


def kind_of(start: bytes) -> str | None:
    """Return the kind of image that begins like ``start`` (64 bytes or so), or None.

    One of ``KINDS`` or ``REMEDIES``, whether or not it can be read here.
    """
    if start[4:8] == b"ftyp":  # a container, which lists its kinds
        end = int.from_bytes(start[:4], "big")
        brands = {start[at : at + 4] for at in (8, *range(16, min(end, len(start)), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIC" if brands & _HEIC else None
    if start.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "JPEG XL"
    for kind, (_, mark) in KINDS.items():
        if mark and re.match(mark, start, re.DOTALL):
            return kind
    return None


def stem(name: str) -> str:
    """Strip the ending of an image from a name or path; other endings stay."""
    stem, _, ending = name.rpartition(".")
    return stem if f".{ending.lower()}" in ENDINGS else name


def readable() -> dict[str, tuple[str, ...]]:
    """Return the kinds that can be read here, with their file endings."""
    return {kind: KINDS[kind][0] for kind in _readers()}


@cache
def _readers() -> dict[str, tuple[Any, Any]]:
    """Return Pillow's class for each kind that can be read here, and its test of a file's start."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    Image.init()
    readers = {kind: Image.OPEN.get("HEIF" if kind == "HEIC" else kind) for kind in KINDS}
    for kind in ("AVIF", "WEBP"):  # without the library, Pillow has readers that only report that
        if not features.check(kind.lower()):
            readers[kind] = None
    return {kind: reader for kind, reader in readers.items() if reader}


def _open(data: bytes) -> ImageFile.ImageFile:
    """Open an image without reading its pixels.

    Pillow's own ``open`` prints a warning for large images, by a limit shared by the whole process,
    and reads kinds that run other programs.
    """
    start = data[:64]
    for factory, accept in _readers().values():
        if accept is None or accept(start) is True:
            with suppress(SyntaxError, IndexError, TypeError, struct.error):  # another kind
                image: ImageFile.ImageFile = factory(io.BytesIO(data), "")
                return image
    kind = kind_of(start)
    if kind in REMEDIES:
        raise BadImage(f"{kind} cannot be read here: {REMEDIES[kind]}")
    raise BadImage("not an image, or damaged at its start")


def _frames(image: ImageFile.ImageFile) -> int:
    """Count frames or pages; one if a damaged file does not say."""
    if image.format not in _MULTI_FRAME:
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # any error beyond the first frame
        image.seek(0)
        return 1


def _low_bytes(data: bytes) -> Image.Image:
    """Read the lower bytes of 16-bit colours, by asking Pillow for the other byte order."""
    image = _open(data)
    other_order = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    for place, tile in enumerate(image.tile):
        mode, *others = _layout(tile)
        order = _BYTES.match(mode)
        assert order  # deep images have one
        mode = order[1] + other_order[order[2]]
        image.tile[place] = tile._replace(args=(mode, *others) if others else mode)
    image.load()
    return image


def _layout(tile: Any) -> tuple[Any, ...]:
    """Return the arguments of a tile's decoder; the first is the layout of pixels in the file."""
    return tile.args if isinstance(tile.args, tuple) and tile.args else (tile.args,)


def _state_profile(image: Image.Image) -> None:
    """Give an image of a PNG the profile that its gamma and chromaticities stand for."""
    if profile := colour.of_png(image.info):
        image.info["icc_profile"] = profile


def _fold(image: ImageFile.ImageFile, low: Image.Image) -> None:
    """Fold 16 bits of colour into the 8 of ``image``, in sRGB if its profile can be used."""
    profile = image.info.pop("icc_profile", None)
    rows = max(1, _AT_ONCE // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        values = np.asarray(image.crop(box)).astype(np.uint16) * 256 + np.asarray(low.crop(box))
        pixels = np.rint(values / np.float32(257)).astype(np.uint8)
        if profile:
            try:
                pixels[..., :3] = colour.deep_to_srgb(values[..., :3], profile)
            except colour.BadProfile:  # it fails again later, and is noted there
                image.info["icc_profile"], profile = profile, None
        image.paste(Image.fromarray(pixels), box)


def _picture(image: Image.Image, kind: str, frames: int) -> Picture:
    notes = [] if frames == 1 else [FIRST_FRAME]
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    plain = _without_alpha(image, kind, alpha is not None)
    profile = image.info.get("icc_profile")
    if profile is None and kind in ("JPEG", "MPO") and _is_adobe_rgb(image):
        profile = colour.adobe_rgb()
    try:
        rgb = colour.to_srgb(plain, profile)
    except colour.BadProfile:
        notes.append(BAD_PROFILE)
        rgb = colour.to_srgb(plain, None)
    if alpha is not None:
        rgb.putalpha(alpha)
        rgb = Image.alpha_composite(Image.new("RGBA", rgb.size, "white"), rgb).convert("RGB")
    return Picture(rgb, kind, image.mode, alpha, tuple(notes))


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether a camera says so in EXIF (Exif 2.32, 4.6.8: the index of its interoperability)."""
    try:
        index = image.getexif().get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    except Exception:  # damaged EXIF, which Pillow parses only now
        return False
    return index in ("R03", b"R03", "R03\0")


def _without_alpha(image: Image.Image, kind: str, is_transparent: bool) -> Image.Image:
    """Drop transparency: RGB, gray of 8 or 16 bits, CMYK or LAB pixels."""
    mode = image.mode
    if mode == "I" and kind in ("PNG", "PPM"):  # 16-bit gray
        return colour.eight_bits(image)
    if mode in ("I", "F"):
        raise BadImage("32-bit pixels have no agreed range; save it with 8 or 16 bits")
    if is_transparent:
        image = image.convert("RGBA")
        return image.getchannel("R") if mode in ("L", "LA", "La") else image.convert("RGB")
    if mode.startswith("I;16") or mode in ("L", "CMYK", "LAB"):
        return image
    return image.convert("L" if mode == "1" else "RGB")


def square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Crop the centre of ``image`` and resize its shorter side to ``size``: (3, size, size).

    Raises BadImage if the image would have to grow more than twofold.
    """
    short = shortest(image, size)
    left, top = (image.width - short) / 2, (image.height - short) / 2
    box = (left, top, left + short, top + short)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    return np.asarray(image).transpose(2, 0, 1)


def shortest(image: Image.Image, size: int) -> int:
    """Return the shorter side; BadImage if it would have to grow more than twofold to ``size``."""
    short = min(image.size)
    if 2 * short < size:
        raise BadImage(f"{image.width}x{image.height} pixels would grow more than twofold")
    return short


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pad images (N, C, H, W) at the right and the bottom to sides that a strided network takes.

    These are multiples of ``multiple``, and at least two of them.  The image is mirrored, or its
    border repeated where it is too small for that.
    """
    from torch.nn.functional import pad

    for axis in (-1, -2):
        side = image.shape[axis]
        margin = max(2 * multiple - side, -side % multiple)
        if margin:
            edges = (0, margin, 0, 0) if axis == -1 else (0, 0, 0, margin)
            image = pad(image, edges, "reflect" if margin < side else "replicate")
    return image
