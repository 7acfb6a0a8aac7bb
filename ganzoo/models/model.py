"""The model folder: the same in a run, on disk and on the Hub.

``config.json`` says how to build the generator through the registry (``config.py``),
``model.safetensors`` holds its weights (``weights.py``).  Neither can run code.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from ganzoo import images
from ganzoo.errors import DataError, RunError
from ganzoo.formats.markdown import html_of
from ganzoo.formats.types import written
from ganzoo.formats.yaml import parse
from ganzoo.interfaces import Generator
from ganzoo.models import config as configs
from ganzoo.models import directions as latent_directions
from ganzoo.models import latent_files, samples, walks, weights
from ganzoo.models.composed import composed
from ganzoo.models.config import Config
from ganzoo.models.directions import Directions
from ganzoo.models.folder import CARD, CONFIG, RECIPE, SAMPLES, find
from ganzoo.models.network import anchor, reads
from ganzoo.models.pictures import figure
from ganzoo.models.precision import inference_format
from ganzoo.models.roles import network
from ganzoo.models.samples import Sampling
from ganzoo.models.translate import Translator, translate_tensor
from ganzoo.models.upscale import Upscaler
from ganzoo.models.writing import refuse_untrue
from ganzoo.plugins.registry import Registry

#: what an encoder of pictures calls them; others read texts or codes
_PICTURES = ("image", "photo")
_PRECISIONS = {None: "auto", torch.float32: "fp32", torch.bfloat16: "bf16"}


@dataclass(repr=False)
class Model:
    """A generator, ready to use, and where it came from.

    ``generator`` is in eval mode without gradients; ``config`` is read from its folder ``path``.
    ``precision`` is the number format of ``translate``: fp32, bf16, or auto, which is bf16 on a CPU
    that computes it natively.  In a notebook a model shows its samples and
    its card.
    """

    generator: Generator
    config: Config
    path: Path
    precision: str = "auto"
    encoder: nn.Module | None = None
    #: what it was trained against, if it was loaded too
    discriminator: nn.Module | None = None

    def __repr__(self) -> str:
        """Say what it makes from what, its size and place; never fails."""
        try:
            config, weight = self.config, anchor(self.generator)
            count = sum(parameter.numel() for parameter in self.generator.parameters())
            facts = [
                config.generator.use,
                f"{config.input.kind} to {config.output.sides('the same size')}",
                f"{count:,} parameters",
                f"{weight.dtype} on {weight.device}".removeprefix("torch."),
            ]
            if config.labels:
                facts.append(f"labels {', '.join(config.labels)}")
            return f"Model({str(self.path)!r}: {'; '.join(facts)})"
        except Exception:  # a damaged model must still have a repr
            return f"Model({str(getattr(self, 'path', None))!r})"

    def _repr_html_(self) -> str:
        card = ""
        with suppress(RunError, AttributeError):  # a damaged model must still have a repr
            card = html_of(self.card or "")
        folded = f"<details><summary>Model card</summary>{card}</details>" if card else ""
        return figure(getattr(self, "path", Path()) / SAMPLES, repr(self), folded)

    def latents(
        self, n: int = 1, *, seed: int = 0, around: Tensor | None = None, spread: float = 0.3
    ) -> Tensor:
        """Draw the latents of ``sample(n, seed=seed)``: float (n, ...) on the CPU.

        The first dimension counts pictures; the others are the generator's own.  With ``around``, a
        latent (1, ...), the first is that one, and the others lie ``spread`` of the way from it to
        the seed's.  Raises RunError if they do not fit, or the model needs photos.
        """
        self._refuse_photos()
        if not (_is_whole(n, 1) and _is_whole(seed, 0) and 0 <= spread <= 1):
            raise RunError(
                f"latents({n!r}, seed={seed!r}, spread={spread!r}): n is 1 or more, seed 0 or "
                "more, and spread 0 to 1."
            )
        drawn = samples.latents(self.generator, seed, n)
        return drawn if around is None else walks.around(self._checked(around, 1), drawn, spread)

    def save_latents(
        self,
        path: Path,
        latents: Mapping[str, Tensor],
        labels: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Write latents, each (...), by a name, for ``ganzoo sample --latent``.

        ``labels`` are those of a picture, by the same name.  Raises OSError if the disk refuses.
        """
        latent_files.write(path, latents, labels or {})

    def directions(self) -> Directions:
        """Find the directions of the latents that change pictures most, without labels.

        ``sample(directions={3: 2.0})`` goes along number 3, which is ``directions().vectors[3]``.
        Raises RunError if the model needs photos.
        """
        self._refuse_photos()
        return self._directions

    @cached_property
    def _directions(self) -> Directions:
        return latent_directions.directions(self.generator)

    def edit(
        self, truncation: float = 1.0, directions: Mapping[int, float] | None = None
    ) -> samples.Edit:
        """Return a function that changes latents (n, ...) as the options of ``sample`` do.

        Raises RunError for a truncation outside [0, 1] or an unknown direction.
        """
        vectors = self.directions().vectors if directions else None
        return latent_directions.edit(vectors, truncation, directions or {})

    @overload
    def sample(
        self, n: int | None = None, *, as_tensor: Literal[False] = False, **how: Unpack[Sampling]
    ) -> list[Image.Image]: ...
    @overload
    def sample(
        self, n: int | None = None, *, as_tensor: Literal[True], **how: Unpack[Sampling]
    ) -> Tensor: ...
    @overload
    def sample(
        self, n: int | None = None, *, as_tensor: bool, **how: Unpack[Sampling]
    ) -> list[Image.Image] | Tensor: ...
    def sample(
        self,
        n: int | None = None,
        *,
        seed: int = 0,
        label: Mapping[str, str] | None = None,
        latents: Tensor | None = None,
        truncation: float = 1.0,
        directions: Mapping[int, float] | None = None,
        batch_size: int = samples.CHUNK,
        upscale: int = 1,
        as_tensor: bool = False,
        **conditions: Any,
    ) -> list[Image.Image] | Tensor:
        """Draw ``n`` pictures from noise: PIL images, or float (n, 3, H, W) in [-1, 1] on the CPU.

        The same ``seed`` draws the same pictures; ``n`` defaults to one.  ``label`` sets
        attributes, as in ``{"hair": "pink"}``.  ``latents`` (see ``latents()``) replace ``n`` and
        the latents of the seed; the seed still draws the labels that are not set.

        ``truncation`` below 1 shrinks all latents towards 0, so that pictures are more usual and
        less various.  ``directions`` (see ``directions()``) then moves them all, as in ``{0: 2.0,
        3: -1.5}``, in standard deviations of the latents.

        Other arguments are conditions, if the model reads some: ``layout`` is a picture or its path
        (``ganzoo.layouts``), ``text`` says what to draw.  Of several texts in a list each picture
        has the next; ``n`` defaults to their number.

        ``batch_size`` pictures go through the generator together: more are faster on a GPU, fewer
        take less memory.  The batch size does not change the pictures, except perhaps the last bits
        of a value, since other kernels compute it.  ``upscale=4`` makes them four times as high and
        wide with ``ganzoo/upscaler``, from 8 bits.

        Raises RunError if an argument does not fit the model, or the model needs photos.
        """
        self._refuse_photos()
        if latents is not None:
            latents = self._checked(latents, n)
            n = len(latents)
        words = samples.read_conditions(self.generator, conditions, label)
        n = max([1, *map(len, words.values())]) if n is None else n
        if not (_is_whole(n, 1) and _is_whole(seed, 0) and _is_whole(batch_size, 1)):
            raise RunError(
                f"sample({n!r}, seed={seed!r}, batch_size={batch_size!r}): n is 1 or more, so is "
                "batch_size, and seed 0 or more."
            )
        if label is not None and not isinstance(label, Mapping):
            raise RunError(f'sample(label={label!r}): write it as label={{"hair": "pink"}}.')
        words = samples.read_conditions(self.generator, conditions)
        enlarge = Upscaler(upscale, anchor(self.generator).device) if upscale != 1 else None
        inputs = samples.inputs(self.generator, n, seed, label or {}, latents, conditions=words)
        inputs["latent"] = self.edit(truncation, directions)(inputs["latent"])
        batch = samples.generate(self.generator, inputs, batch_size)
        if enlarge:
            batch = samples.from_uint8(enlarge.batch(samples.to_uint8(batch)))
        if as_tensor:
            return batch
        return [Image.fromarray(one) for one in samples.pixels([samples.to_uint8(batch)])]

    def _refuse_photos(self) -> None:
        if self.config.input.kind != "noise":
            raise RunError(
                f"{self.path} turns images into images; it does not draw from noise. "
                "Give it some: model.translate(photo)"
            )

    def _checked(self, latents: Tensor, n: int | None) -> Tensor:
        """Move ``latents`` to the CPU; raises RunError if they do not fit the generator."""
        one = samples.latents(self.generator, 0, 1)[0]
        shape = ", ".join(["n", *map(str, one.shape)])
        if not isinstance(latents, Tensor) or not latents.is_floating_point():
            raise RunError(f"sample(latents=...): expected a float tensor ({shape}).")
        if latents.shape[1:] != one.shape or not len(latents):
            raise RunError(
                f"sample(latents=...): expected ({shape}), as model.latents(n) returns, not "
                f"{tuple(latents.shape)}."
            )
        if n not in (None, len(latents)):
            raise RunError(f"sample({n!r}, latents=...): there are {len(latents)}. Leave out n.")
        return latents.detach().cpu().to(one)

    @overload
    def translate(self, photo: Image.Image) -> Image.Image: ...
    @overload
    def translate(self, photo: Tensor) -> Tensor: ...
    @overload
    def translate(self, photo: Sequence[Image.Image]) -> list[Image.Image]: ...
    def translate(self, photo: Any) -> Any:
        """Turn photos into pictures: PIL to PIL, a list to a list, a tensor to a tensor.

        PIL images keep their transparency, and their size unless the model enlarges.  Tensors,
        (3, H, W) or (N, 3, H, W) in [-1, 1], go through unchanged and come back on the CPU.  Raises
        RunError if the model draws from noise, and DataError if it cannot take the photo.
        """
        if isinstance(photo, Tensor):
            return translate_tensor(self.generator, photo)
        if isinstance(photo, Image.Image):
            return self._translate_picture(photo)
        is_list = isinstance(photo, Sequence) and not isinstance(photo, str)
        for one in photo if is_list else [photo]:
            if not isinstance(one, Image.Image):
                raise DataError(
                    "translate: expected a PIL image, a list of them or a tensor, not "
                    f"{repr(one)[:100]}. Open a file with PIL.Image.open(path)."
                )
        return [self._translate_picture(one) for one in photo]

    @property
    def weights_sha256(self) -> str:
        """The hash of the weights; without any, that of the generator's name and arguments."""
        if self.generator.state_dict():
            return weights.weights_hash(self.generator)
        part = self.config.generator
        text = json.dumps([part.use.rpartition("/")[2], part.arguments], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def encode(self, image: Image.Image | Sequence[Image.Image] | Tensor) -> Tensor:
        """Return the codes of pictures: float (N, n) on the CPU, N = 1 for one picture.

        PIL images are cut to their middle square and resized to the model's size.  Tensors,
        (3, H, W) or (N, 3, H, W) in [-1, 1], go through unchanged.  Raises RunError if the model
        has no encoder, and DataError if it cannot take the image.
        """
        encoder = self.require_encoder()
        if isinstance(image, Tensor):
            batch = image if image.ndim == 4 else image[None]
        else:
            pictures = [image] if isinstance(image, Image.Image) else list(image)
            if not pictures or not all(isinstance(one, Image.Image) for one in pictures):
                raise DataError("encode: expected a PIL image, a list of them or a tensor.")
            squares = [np.array(self.square(one)) for one in pictures]
            batch = samples.from_uint8(torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2))
        weight = next(encoder.parameters())
        try:
            with torch.no_grad():
                codes: Tensor = encoder(batch.to(weight))
        except (RuntimeError, ValueError) as error:
            raise DataError(f"encode: the encoder refuses {tuple(batch.shape)}: {error}") from error
        return codes.float().cpu()

    def reconstruct(self, image: Image.Image | Sequence[Image.Image] | Tensor) -> list[Image.Image]:
        """Draw pictures from their own codes: what the model takes them for.

        Raises as ``encode`` does.
        """
        return self.sample(latents=self.encode(image))

    def require_encoder(self) -> nn.Module:
        """Return the encoder; raises RunError if the model has none."""
        if self.encoder is None:
            raise RunError(
                f"{self.path} has no encoder: it cannot say which code an image has. A recipe "
                "with a network of kind 'encoder' trains one; `ganzoo list encoders` shows some."
            )
        return self.encoder

    def square(self, picture: Image.Image) -> Image.Image:
        """Cut the middle square of a picture, upright in sRGB, and resize it to the model's size.

        Raises DataError if the picture cannot be used.
        """
        try:
            upright = images.picture(picture).image
        except images.BadImage as error:
            raise DataError(f"encode: {error}") from error
        side = self.config.output.size or min(upright.size)
        return ImageOps.fit(upright, (side, side), Image.Resampling.LANCZOS)

    @cached_property
    def recipe(self) -> dict[str, Any] | None:
        """The resolved recipe of its training; None if it was not trained here."""
        if (text := self._text(RECIPE)) is None:
            return None
        recipe = parse(text, RECIPE).plain()
        if not isinstance(recipe, dict):
            raise RunError(f"{self.path / RECIPE} is no recipe, but {written(recipe)}.")
        return recipe

    @cached_property
    def card(self) -> str | None:
        """The model card, in Markdown; None until ``push`` writes it."""
        return self._text(CARD)

    def _text(self, name: str) -> str | None:
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8") if path.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{path} cannot be read: {error}") from error

    @cached_property
    def translator(self) -> Translator:
        """What ``translate`` draws with; raises RunError if the model takes no photo."""
        device = anchor(self.generator).device
        precision = self.precision
        if precision == "auto":
            precision = inference_format(self.generator, device)
        network = copy.deepcopy(self.generator).float()
        return Translator(network, device, precision)

    def _translate_picture(self, photo: Image.Image) -> Image.Image:
        try:
            picture = images.picture(photo)
            drawing = Image.fromarray(self.translator(np.asarray(picture.image)))
        except images.BadImage as error:
            raise DataError(f"translate: {error}") from error
        if picture.alpha:
            drawing.putalpha(picture.alpha.resize(drawing.size, Image.Resampling.BICUBIC))
        return drawing


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and value >= least


def load(
    path: Path,
    registry: Registry,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Model:
    """Build the generator of a run or model folder in eval mode, by default on the CPU.

    Without ``dtype`` its weights are float32.  Raises RunError if the folder is incomplete,
    altered, of a newer format, or needs a plugin.
    """
    folder = find(path)
    config = configs.read(folder / CONFIG)
    generator = network("generator", config, folder, registry)
    assert isinstance(generator, Generator)  # ``Entry.load`` checks this
    if config.views:
        roles = {view.apply for view in config.views.values()}
        makers = {role: network(role, config, folder, registry) for role in roles}
        generator = composed(generator, makers, config.views)
    refuse_untrue(config, generator, folder)
    generator.to(device, dtype or torch.float32).eval().requires_grad_(False)
    encoder = None
    for role, part in config.networks.items():
        if part.kind == "encoder" and encoder is None:
            reader = network(role, config, folder, registry)
            if reads(reader).words[0] in _PICTURES:
                encoder = reader.to(device, dtype or torch.float32).eval().requires_grad_(False)
    return Model(generator, config, folder, _PRECISIONS.get(dtype, "fp32"), encoder)


def device() -> torch.device:
    """Return the accelerator if there is one, else the CPU."""
    chip = torch.accelerator.is_available() and torch.accelerator.current_accelerator()
    return chip or torch.device("cpu")
