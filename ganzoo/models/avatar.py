"""Draw the faces of photos: each cropped as the model was trained, drawn, and perhaps put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ganzoo import faces, images
from ganzoo.errors import DataError, RecipeError, RunError
from ganzoo.faces import MARGIN, Array
from ganzoo.files import without_downloads
from ganzoo.images import BadImage, Picture
from ganzoo.interfaces import Detector, Generator
from ganzoo.models import model as models
from ganzoo.models.cutout import cut_out
from ganzoo.models.face_finder import Face, FaceFinder
from ganzoo.models.framing import Framing
from ganzoo.models.model import Model
from ganzoo.models.precision import inference_format
from ganzoo.models.translate import TILE, Translator
from ganzoo.models.upscale import Upscaler
from ganzoo.plugins.registry import Registry, construct
from ganzoo.plugins.shipped import shipped_models


def _framing(size: int) -> Framing:
    """Return the framing of ``ganzoo data faces`` with its default margin."""
    left, right, mouth = ((float(x), float(y)) for x, y in faces.canonical(MARGIN))
    return Framing(size, left, right, mouth)


#: what draws if no model is named, the first that works here: a model that comes with ganzoo, such
#: as ``ganzoo/NAME``, or a generator without weights
DEFAULTS = ("ganzoo/photo-avatar", "portrait-abstraction", "abstraction")
#: the side of their pictures
DEFAULT_SIZE = 512
#: how a model crops that does not say: as ``ganzoo data faces`` does by default
FRAMING = _framing(256)
DETECTOR, LANDMARKS, NO_LANDMARKS = "lbp", "face68", "none"
#: arguments of detectors that suit photos better than their defaults
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {"lbp": {"min_size": 0.03, "fewest": 3}}
#: a face is coarse if its crop grows by more than this
GROWTH = 2.5


@dataclass(frozen=True)
class Avatar:
    """A face that was drawn: its crop, the drawing of it, and the place of both in the photo."""

    face: Face
    crop: Image.Image
    drawing: Image.Image
    place: Array

    @property
    def coarse(self) -> bool:
        """Whether the photo has too few pixels of the face for a good drawing."""
        return bool(self.crop.width > GROWTH * np.hypot(*self.place[:, 0]))


class Artist:
    """Draws the faces that a finder finds, with a translator, framed as its model knows faces.

    An upscaler enlarges the drawings.
    """

    def __init__(
        self,
        translator: Translator,
        framing: Framing,
        finder: FaceFinder,
        upscaler: Upscaler | None = None,
    ):
        self.translator, self.framing, self.find = translator, framing, finder
        self.upscaler = upscaler
        #: the side of a crop, and that of its drawing
        self.crop_size = (translator.size or framing.size * translator.scale) // translator.scale
        self.size = self.crop_size * translator.scale * (upscaler.times if upscaler else 1)

    def avatars(self, photo: Image.Image) -> list[Avatar]:
        """Draw every face in an RGB photo, from left to right; BadImage if the model refuses."""
        return [self.draw(photo, face) for face in self.find(photo)]

    def draw(self, photo: Image.Image, face: Face) -> Avatar:
        """Draw one face of a photo."""
        place = faces.align(face.anchors, np.array(self.framing.places))
        crop = faces.cut(photo, place, self.crop_size)
        drawing = self.translator(np.asarray(crop))
        if self.upscaler:
            drawing = self.upscaler(drawing)
        return Avatar(face, crop, Image.fromarray(drawing), place)

    def crops(self, photo: Image.Image) -> list[Image.Image]:
        """Return the drawings of the faces in any PIL image; DataError if it cannot be used."""
        return [avatar.drawing for avatar in self._drawn(photo)[1]]

    def pasted(self, photo: Image.Image) -> Image.Image:
        """Return any PIL image with its faces drawn; DataError if it cannot be used."""
        picture, avatars = self._drawn(photo)
        result = put_back(picture.image, avatars)
        if picture.alpha:
            result.putalpha(picture.alpha)
        return result

    def _drawn(self, photo: Image.Image) -> tuple[Picture, list[Avatar]]:
        if not isinstance(photo, Image.Image):
            raise DataError(
                f"avatar: expected a PIL image, not {repr(photo)[:100]}. "
                "Open a file with PIL.Image.open(path)."
            )
        try:
            picture = images.picture(photo)
            return picture, self.avatars(picture.image)
        except BadImage as error:
            raise DataError(f"avatar: {error}") from error


def put_back(photo: Image.Image, avatars: list[Avatar]) -> Image.Image:
    """Return the photo with its avatars in place of the faces, the largest on top.

    A plain ground of theirs stays away: the photo's own shows around them.
    """
    result = photo.copy()
    for avatar in sorted(avatars, key=lambda avatar: avatar.face.side):
        faces.paste(result, cut_out(avatar.drawing), avatar.place)
    return result


def artist(
    model: Model | None,
    finder: FaceFinder,
    registry: Registry,
    tile: int = TILE,
    upscale: int = 1,
) -> tuple[Artist, str]:
    """Make an artist of a model, or of the best of ``DEFAULTS``; return it and what draws.

    Its drawings are enlarged ``upscale`` times.  Raises RunError if the model takes no photo, or
    no upscaler enlarges so.
    """
    name = str(model.path) if model else ""
    framing = (model.config.face or FRAMING) if model else FRAMING
    generator: Generator | None = model.generator if model else None
    for default in () if generator else DEFAULTS:
        name, framing = default, _framing(DEFAULT_SIZE)
        try:
            if path := shipped_models().get(default):
                shipped = models.load(path, registry)
                generator, framing = shipped.generator, shipped.config.face or FRAMING
            else:
                with without_downloads():
                    generator = construct(registry, "generator", default, {}).eval()
            break
        except (DataError, RecipeError, RunError) as error:  # its weights or its plugin are missing
            reason = error
    if generator is None:
        raise DataError(f"{reason} Name a model with --model.")
    where = models.device()
    translator = Translator(generator, where, inference_format(generator, where), tile)
    upscaler = Upscaler(upscale, where) if upscale != 1 else None
    return Artist(translator, framing, finder, upscaler), name


def finder(
    registry: Registry,
    detector: str = DETECTOR,
    landmarks: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> FaceFinder:
    """Make a finder of a registered detector and extractor of landmarks.

    Without ``landmarks`` it is ``face68`` if its weights are there; ``none`` is none.  Raises
    RecipeError for an unknown name, and DataError if something that they need is missing.
    """
    chosen = {**ARGUMENTS.get(detector, {}), **(arguments or {})}
    boxes: Detector = construct(registry, "detector", detector, chosen)
    if landmarks == NO_LANDMARKS:
        return FaceFinder(boxes)
    if landmarks is not None:
        extractor = construct(registry, "extractor", landmarks, {})
        return FaceFinder(boxes, extractor.eval(), landmarks)
    try:
        with without_downloads():
            extractor = construct(registry, "extractor", LANDMARKS, {})
    except (DataError, RecipeError):
        return FaceFinder(boxes)
    return FaceFinder(boxes, extractor.eval(), LANDMARKS)
