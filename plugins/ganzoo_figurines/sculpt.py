"""A photo-like twin for an avatar: the drawing in clay, lit by a lamp, before a blurred room.

Outlines go; the area of each part becomes a height, rounded towards its rim, on which a nose,
eye sockets and lips are modelled; lamp, fill light, cast shadows and highlights fall on it; hair
gets strands, skin its unevenness, cloth its weave; then background, vignette, grain and JPEG.
The twin shows the avatar's parts where the avatar has them.  It is synthetic and looks like a
figurine: it is no photograph and shows no person.

Lengths are shares of the picture's side, so that every size shows the same scene but for noise.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_data.figurine_parts import LANDMARKS, Coded
from ganzoo_data.render import choose

#: Raise when the same drawing would give another picture.
VERSION = 1
#: Pictures are made this many times larger and then reduced, but no smaller than ``_LEAST``.
OVERSAMPLE = 2
_LEAST = 128
_COARSE = 4  # of the background, which is out of focus, each fourth pixel is computed
_MARGIN = 8  # a border of 1/8 of the side: blurs reach around the picture's ends

Field: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Clay:
    """How a material looks: its colour where the avatar gives none, and how it shines."""

    color: str | None = None
    shine: float = 0.1  # of the highlight
    hardness: float = 12.0  # of the highlight: larger is smaller


CLAYS = {
    "skin": Clay(shine=0.16, hardness=14),
    "hair": Clay(shine=0.0),
    "brow": Clay(shine=0.0),
    "cloth": Clay(shine=0.03, hardness=6),
    "shirt": Clay("#cbdde4", shine=0.03, hardness=6),
    "eyeball": Clay("#e9e2d6", shine=0.3, hardness=60),
    "iris": Clay("#52301c", shine=0.1, hardness=60),
    "lash": Clay("#2a1812", shine=0.0),
    "lid": Clay(shine=0.05),
    "lip": Clay("#7d3a33", shine=0.25, hardness=25),
    "throat": Clay("#4a1216", shine=0.1),
    "tongue": Clay("#b9534c", shine=0.4, hardness=25),
    "teeth": Clay("#e8e0cf", shine=0.5, hardness=40),
    "frame": Clay("#2b2b30", shine=0.6, hardness=40),
    "plastic": Clay(shine=0.4, hardness=30),
}
#: Materials in one of the avatar's colours, by what share of it they give back.
PALETTE = {
    "skin": ("skin", 0.9),
    "lid": ("skin", 0.2),
    "hair": ("hair", 0.7),
    "brow": ("hair", 0.45),
    "ink": ("hair", 0.25),
    "cloth": ("clothes", 0.9),
}
_FACE = ("head", "eyes", "eyebrows", "mouth", "glasses", "details")


class Sculptor:
    """Makes the figurines of one style, as ``render.Renderer`` draws its avatars."""

    def __init__(self, style: str, size: int, seed: int):
        self.size = size
        self.seed = seed
        self._coded = Coded(style, seed)
        self._side = max(OVERSAMPLE * size, _LEAST)
        self._blur = Blur(self._side)

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Figurine ``index`` as (3, size, size)."""
        coded, side = self._coded, self._side
        rng = np.random.default_rng([self.seed, index, 1])
        chosen = choose(coded.look, coded.values, self.seed, index)
        colors = {name: palette[chosen[name]] for name, palette in coded.look.colors.items()}
        spots = np.asarray((coded.landmarks(index) + 1) / 2, np.float32)
        scene = Scene(coded, coded.paint_map(index, side), colors, spots, self._blur, rng)
        picture = Image.fromarray((scene.photograph() * 255 + 0.5).astype(np.uint8))
        picture = picture.resize((self.size, self.size), Image.Resampling.BOX)
        return _develop(picture, rng).transpose(2, 0, 1)


class Scene:
    """One figurine: its masks and heights (n, n) with a margin around, colours (n, n, 3)."""

    def __init__(
        self,
        coded: Coded,
        paint_map: NDArray[np.uint8],
        colors: dict[str, str],
        spots: Field,
        blur: Blur,
        rng: np.random.Generator,
    ):
        self.rng = rng  # what is drawn for every size; ``grain`` draws for every pixel
        (self.grain,) = rng.spawn(1)
        self.blur = blur
        self.side, self.margin, self.n = blur.side, blur.margin, blur.n
        self.background = _linear(colors["background"])
        materials = [paint.material for paint in coded.paints]
        codes = np.pad(paint_map, self.margin, mode="edge")
        ink = np.isin(codes, [i for i, m in enumerate(materials) if m == "ink"])
        self.codes = _fill(codes, ink, reach=self.side // 24)
        self.groove = ink.astype(np.float32)
        self._materials = materials
        self._components = [paint.component for paint in coded.paints]
        self._albedos = [_albedo(paint.material, paint.color, colors) for paint in coded.paints]
        axis = (np.arange(self.n, dtype=np.float32) + 0.5 - self.margin) / self.side
        self.y, self.x = axis[:, None], axis[None, :]
        self.spots = dict(zip(LANDMARKS, spots, strict=True))
        eyes = self.spots["right eye"] - self.spots["left eye"]
        #: between the eyes; it gives the face its scale
        self.gap = float(np.hypot(*eyes))
        self.right = eyes / self.gap
        self.down = np.array([-self.right[1], self.right[0]], np.float32)
        self.middle = (self.spots["right eye"] + self.spots["left eye"]) / 2
        drop = float((self.spots["mouth"] - self.middle) @ self.down)
        aside = float((self.spots["mouth"] - self.middle) @ self.right)
        self.nose = self.middle + 0.58 * drop * self.down + 0.5 * aside * self.right
        #: where the hair grows from, above the head
        self.crown = self.middle - 2.9 * self.gap * self.down

    def material(self, *names: str) -> Field:
        """The mask of materials."""
        return self._mask([i for i, m in enumerate(self._materials) if m in names])

    def component(self, *names: str) -> Field:
        """The mask of components."""
        return self._mask([i for i, c in enumerate(self._components) if c in names])

    def _mask(self, codes: list[int]) -> Field:
        table = np.zeros(256, np.float32)
        table[codes] = 1
        return table[self.codes]

    @cached_property
    def figure(self) -> Field:
        """All that is not background."""
        return (self.codes < len(self._materials)).astype(np.float32)

    def bump(self, at: Field, across: float, along: float) -> Field:
        """A Gaussian hill of height 1, its widths in eye gaps across and along the face."""
        dx, dy = self.x - at[0], self.y - at[1]
        u = (dx * self.right[0] + dy * self.right[1]) / (across * self.gap)
        v = (dx * self.down[0] + dy * self.down[1]) / (along * self.gap)
        hill: Field = np.exp(-0.5 * (u * u + v * v))
        return hill

    def noise(self, *scales: float) -> Field:
        """Smooth noise of deviation 1: the sum of noises of these sizes."""
        white = self.grain.standard_normal((self.n, self.n), dtype=np.float32)
        total = sum(b / b.std() for b in self.blur(white, *scales))
        return np.asarray(total / np.sqrt(len(scales)), np.float32)

    def photograph(self) -> Field:
        """The picture (side, side, 3), sRGB in [0, 1]."""
        height = self.heights()
        normal = self.normals(height)
        lamp = self._lamp()
        color = self.lit(self.albedo(), normal, lamp, self.shadow(height, lamp))
        edge = self.blur(self.figure, 0.003)[0][..., None]
        light = edge * color + (1 - edge) * self.room(lamp)
        light += 0.5 * self.blur(np.maximum(light.mean(axis=2) - 0.6, 0), 0.02)[0][..., None]
        far = (self.x - 0.5) ** 2 + (self.y - 0.5) ** 2
        light = light * (1 - 0.55 * far[..., None]) * self.rng.uniform(1.1, 1.4)
        inside = slice(self.margin, self.margin + self.side)
        return _to_srgb(np.asarray(light[inside, inside], np.float32))

    def heights(self) -> Field:
        """The figurine's relief, in shares of the side."""
        hair = self.component("hair")
        head = np.maximum(self.component(*_FACE), hair)
        rear = self.component("rearHair")
        body = self.component("body", "clothes")
        strand = 0.0016 * self.strands * self.material("hair")
        relief = 0.10 * self.inflate(rear, 0.012, 0.05)
        relief += 0.14 * self.inflate(body, 0.015, 0.08)
        relief += 0.30 * self.inflate(head, 0.015, 0.05, 0.13)
        relief += 0.055 * self.inflate(hair, 0.007, 0.03)
        relief += 0.010 * self.inflate(self.material("brow"), 0.004, 0.008)
        relief += self.features() * self.component(*_FACE) * self.gap / 0.24
        relief += strand + 0.0010 * self.weave * self.material("cloth", "shirt")
        relief -= 0.006 * self.blur(self.groove * self.figure, 0.003)[0]
        return self.blur(relief, 0.0035)[0]

    def features(self) -> Field:
        """The relief of a face: eyes in sockets, cheeks, nose (avatars hardly have one), mouth."""
        spots = self.spots
        relief = 0.022 * self.inflate(self.component("eyes"), 0.008, 0.025)
        for side, sign in (("left", -1), ("right", 1)):
            relief -= 0.028 * self.bump(spots[f"{side} eye"], 0.30, 0.24)
            relief += 0.010 * self.bump(
                spots[f"{side} eye"] - 0.30 * self.gap * self.down, 0.3, 0.08
            )
            cheek = self.nose + self.gap * (0.52 * sign * self.right + 0.12 * self.down)
            relief += 0.016 * self.bump(cheek, 0.26, 0.22)
            wing = self.nose + self.gap * (0.085 * sign * self.right + 0.02 * self.down)
            relief += 0.012 * self.bump(wing, 0.05, 0.05)
        relief += 0.040 * self.bump(self.nose, 0.085, 0.085)
        relief += 0.022 * self.bump(self.nose - 0.22 * self.gap * self.down, 0.07, 0.2)
        mouth, wide = self.blur(self.component("mouth"), 0.004, 0.016)
        relief += 0.030 * wide - 0.022 * mouth * self.material("throat")
        chin = spots["mouth"] + 0.36 * self.gap * self.down
        relief += 0.014 * self.bump(chin, 0.25, 0.14)
        return relief

    def inflate(self, mask: Field, *reaches: float) -> Field:
        """A pillow of height 1 on ``mask``: round at the rim, flat where it is far away."""
        inner = [np.maximum(2 * b - 1, 0) for b in self.blur(mask, *reaches)]
        pillow: Field = np.sqrt(sum(inner) / len(inner)) * mask
        return pillow

    def normals(self, height: Field) -> Field:
        """Unit normals (n, n, 3); y points down and z at the camera."""
        down, right = np.gradient(height * self.side)
        normal = np.stack([-right, -down, np.ones_like(height)], axis=2)
        unit: Field = normal / np.linalg.norm(normal, axis=2, keepdims=True)
        return unit

    @cached_property
    def strands(self) -> Field:
        """Streaks that run from the crown of the head outwards, of deviation about 1."""
        dx, dy = self.x - self.crown[0], self.y - self.crown[1]
        angle = np.arctan2(
            dx * self.right[0] + dy * self.right[1], dx * self.down[0] + dy * self.down[1]
        )
        bend = 0.02 * self.noise(0.06)
        turn = (angle + bend) / (2 * np.pi) + 0.5
        total = np.zeros_like(turn)
        for count, share in ((190, 0.8), (460, 0.6), (1000, 0.35)):
            table = self.rng.standard_normal(count).astype(np.float32)
            total += share * np.interp(turn * count, np.arange(count), table, period=count)
        return np.asarray(total, np.float32)

    @cached_property
    def weave(self) -> Field:
        """The threads of cloth, in [-1, 1]."""
        u = 2 * np.pi * 85 * (self.x * self.right[0] + self.y * self.right[1])
        v = 2 * np.pi * 85 * (self.x * self.down[0] + self.y * self.down[1])
        threads: Field = np.sin(u) * np.sin(v)
        return threads

    def albedo(self) -> Field:
        """What share of the light each point gives back, by colour (n, n, 3)."""
        table = np.zeros((256, 3), np.float32)
        table[: len(self._albedos)] = self._albedos
        # the rim goes on a little outside, for the silhouette is blurred
        outside = self.codes >= len(self._materials)
        color = table[_fill(self.codes, outside, reach=2 + self.side // 100)]
        skin, hair = self.material("skin"), self.material("hair", "brow")
        blotch, pores = self.noise(0.03, 0.012), self.noise(0.0025)
        red = sum(
            self.bump(self.nose + self.gap * (0.55 * sign * self.right), 0.26, 0.2)
            for sign in (-1, 1)
        )
        red = 0.5 * red + 0.4 * self.bump(self.nose, 0.11, 0.1) + 0.06 * blotch
        color *= 1 + skin[..., None] * red[..., None] * np.array([0.14, -0.28, -0.24], np.float32)
        color *= 1 + (skin * (0.05 * blotch + 0.045 * pores))[..., None]
        for sign in (-1, 1):
            nostril = self.nose + self.gap * (0.05 * sign * self.right + 0.075 * self.down)
            hole = 0.62 * skin * self.bump(nostril, 0.028, 0.018)
            color *= 1 - hole[..., None] * np.array([0.85, 1, 1], np.float32)
        color *= np.exp(0.24 * hair * self.strands)[..., None]
        cloth = self.material("cloth", "shirt")
        color *= (1 + cloth * (0.10 * self.weave + 0.06 * blotch))[..., None]
        color *= 1 - 0.85 * self.pupils()[..., None]
        deep = np.clip(2.4 * self.blur(self.component("eyes"), 0.05 * self.gap)[0] - 1.2, 0, 1)
        color *= 1 - (0.5 * self.material("eyeball") * (1 - deep))[..., None]
        return _soften(np.maximum(color, 0.004))

    def pupils(self) -> Field:
        """The dark middle of each iris."""
        iris = self.material("iris")
        near = self.blur(iris, 0.07 * self.gap)[0] * iris
        return _step(near - 0.86, 0.03) * iris

    def _lamp(self) -> Field:
        """Towards the lamp: above, to the left or to the right, and before the figurine."""
        side = self.rng.choice([-1, 1]) * self.rng.uniform(0.35, 0.7)
        lamp = np.array([side, -self.rng.uniform(0.4, 0.65), self.rng.uniform(0.55, 0.8)])
        return np.asarray(lamp / np.linalg.norm(lamp), np.float32)

    def shadow(self, height: Field, lamp: Field) -> Field:
        """What share of the lamp's light arrives, where heights in between may be in its way."""
        hair, head = self.component("hair"), self.component(*_FACE)
        raised = height + 0.02 * self.component("body", "clothes") + 0.05 * head + 0.07 * hair
        blocked = np.zeros_like(height)
        flat = float(np.hypot(lamp[0], lamp[1]))
        for step in np.linspace(0.008, 0.16, 12):
            shift = [round(float(step * self.side * c / flat)) for c in (-lamp[1], -lamp[0])]
            ray = raised + step * lamp[2] / flat
            blocker = np.roll(raised, shift, axis=(0, 1))
            blocked = np.maximum(blocked, (blocker - ray) / (0.01 + 0.25 * step))
        soft = self.blur(np.clip(blocked, 0, 1) * self.figure, 0.006)[0]
        return np.asarray(1 - np.clip(soft, 0, 1), np.float32)

    def lit(self, albedo: Field, normal: Field, lamp: Field, arrives: Field) -> Field:
        """The light that comes back from the figurine (n, n, 3), linear."""
        warm = np.array([1.0, 0.89, 0.74], np.float32) ** self.rng.uniform(0.5, 1.3)
        cool = np.array([0.78, 0.9, 1.0], np.float32)
        facing = _dot(normal, lamp)[..., None]
        skin = self.material("skin", "lip", "tongue")[..., None]
        # light that enters skin comes out again nearby, red light farther than blue
        wrap = 0.12 + skin * np.array([0.34, 0.16, 0.08], np.float32)
        key = np.maximum((facing + wrap) / (1 + wrap), 0)
        dim = arrives[..., None]
        deep = dim * (1 + skin * (1 - dim) * np.array([0.6, 0.0, -0.1], np.float32))
        other = np.array([-lamp[0], 0.1, 0.8], np.float32)
        other /= np.linalg.norm(other)
        fill = np.maximum(_dot(normal, other) * 0.6 + 0.4, 0)[..., None]
        open_sky = (0.65 - 0.35 * normal[..., 1])[..., None]
        low, wide = self.blur(self.relief_share(normal), 0.01, 0.04)
        corners = (np.clip(1 - 0.5 * low - 0.7 * wide, 0.35, 1))[..., None]
        light = 1.25 * warm * key * (0.06 + 0.94 * deep)
        light = light + corners * cool * (0.16 * fill + 0.17 * open_sky)
        half = lamp + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        mirror = np.maximum(_dot(normal, half), 0)
        rim = (1 - normal[..., 2]) ** 3 * np.maximum(_dot(normal, other) + 0.2, 0)
        color = albedo * light
        color += (self.shine(mirror) * arrives)[..., None] * warm
        color += (self.sheen(normal, lamp) * arrives)[..., None] * warm * (0.5 + 0.5 * albedo)
        color += 0.16 * rim[..., None] * cool * (0.3 + 0.7 * albedo)
        return np.asarray(color + self.catchlights(lamp)[..., None] * warm, np.float32)

    def relief_share(self, normal: Field) -> Field:
        """How steep the relief is: next to slopes less of the room is seen."""
        return np.asarray((1 - normal[..., 2]) * self.figure, np.float32)

    def shine(self, mirror: Field) -> Field:
        """Highlights, by how each material takes them."""
        clays = [CLAYS.get(name, CLAYS["lash"]) for name in self._materials]
        table = np.zeros((2, 256), np.float32)
        table[:, : len(clays)] = [[c.shine for c in clays], [c.hardness for c in clays]]
        shine, hardness = table[:, self.codes]
        return np.asarray(shine * mirror**hardness, np.float32)

    def sheen(self, normal: Field, lamp: Field) -> Field:
        """The bands of light across hair: strands shine like bundles of threads."""
        dx, dy = self.x - self.crown[0], self.y - self.crown[1]
        far = np.sqrt(dx * dx + dy * dy) + 1e-3
        tangent = np.stack(np.broadcast_arrays(dx / far, dy / far), axis=2)
        along = (tangent * normal[..., :2]).sum(axis=2)
        thread = np.concatenate(
            [tangent, (-along / np.maximum(normal[..., 2], 0.2))[..., None]], axis=2
        )
        thread /= np.linalg.norm(thread, axis=2, keepdims=True)
        half = lamp + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        slant = _dot(thread, half) + 0.05 * self.strands
        band = np.maximum(1 - slant * slant, 0) ** 14
        return np.asarray(
            0.16 * band * self.material("hair") * np.exp(0.5 * self.strands), np.float32
        )

    def catchlights(self, lamp: Field) -> Field:
        """The lamp and the window, seen in each eye."""
        glass = self.material("iris", "eyeball")
        total = np.zeros_like(glass)
        iris = self.material("iris")
        for side in ("left", "right"):
            own = iris * self.bump(self.spots[f"{side} eye"], 0.25, 0.25)
            if own.sum() < 1:
                continue
            at = np.array([(own * self.x).sum(), (own * self.y).sum()], np.float32) / own.sum()
            spot = at + 0.09 * self.gap * lamp[:2]
            total += 1.6 * glass * self.bump(spot, 0.022, 0.022)
            total += 0.025 * glass * self.bump(at - 0.08 * self.gap * lamp[:2], 0.05, 0.05)
        return total

    def room(self, lamp: Field) -> Field:
        """A background far out of focus: a wall in the avatar's colour, lamps as discs."""
        tint = self.background ** self.rng.uniform(1.6, 2.4)
        y, x = self.y[::_COARSE], self.x[:, ::_COARSE]
        slope = (x - 0.5) * lamp[0] * 0.7 + (y - 0.5) * lamp[1] * 0.5
        stains = self.noise(0.12, 0.05)[::_COARSE, ::_COARSE]
        room = tint * self.rng.uniform(0.35, 0.6) * (1 + 0.8 * slope + 0.18 * stains)[..., None]
        floor = self.rng.uniform(0.55, 0.85)
        room *= 1 - 0.4 * _step(y - floor, 0.05)[..., None]
        for _ in range(int(self.rng.integers(5, 14))):
            left, top = self.rng.uniform(-0.05, 1.05, 2).astype(np.float32)
            radius = self.rng.uniform(0.025, 0.085)
            far = np.sqrt((x - left) ** 2 + (y - top) ** 2)
            disc = _step(radius - far, 0.006) * (0.75 + 0.25 * np.minimum(far / radius, 1) ** 4)
            room += disc[..., None] * tint ** self.rng.uniform(0.3, 1) * self.rng.uniform(0.1, 0.4)
        planes = [Image.fromarray(np.maximum(room[..., c], 0)) for c in range(3)]
        size = (self.n, self.n)
        return np.stack([np.asarray(p.resize(size, Image.Resampling.BILINEAR)) for p in planes], 2)


class Blur:
    """Gaussian blurs of (n, n) fields, the picture and its margin; sigmas in sides."""

    def __init__(self, side: int):
        self.side = side
        self.margin = side // _MARGIN
        self.n = side + 2 * self.margin
        square = (2 * np.pi * side * np.fft.fftfreq(self.n)) ** 2
        self._square = (square[:, None] + square[None, : self.n // 2 + 1]).astype(np.float32)
        self._kernels: dict[float, Field] = {}

    def __call__(self, field: Field, *sigmas: float) -> list[Field]:
        """``field`` blurred by each of ``sigmas``, through one Fourier transform."""
        waves = np.fft.rfft2(field)
        shape = (self.n, self.n)
        blurred = [np.fft.irfft2(waves * self._kernel(s), s=shape) for s in sigmas]
        return [np.asarray(b, np.float32) for b in blurred]

    def _kernel(self, sigma: float) -> Field:
        sigma = round(sigma, 3 if sigma > 0.01 else 4)  # so that few are needed
        if sigma not in self._kernels:
            self._kernels[sigma] = np.exp(self._square * np.float32(-0.5 * sigma**2))
        return self._kernels[sigma]


def _dot(vectors: Field, vector: Field) -> Field:
    """The products of (n, n, 3) with (3,); not by BLAS, whose sums depend on its threads."""
    x, y, z = (vectors[..., i] * vector[i] for i in range(3))
    return np.asarray(x + y + z, np.float32)


def _soften(image: Field) -> Field:
    """Each pixel of (n, n, C) mixed with its neighbours: the masks have hard edges."""
    mixed: NDArray[Any] = image
    for axis in (0, 1):
        mixed = (np.roll(mixed, 1, axis) + 2 * mixed + np.roll(mixed, -1, axis)) / 4
    return np.asarray(mixed, np.float32)


def _step(value: NDArray[Any], width: float) -> Field:
    """From 0 to 1 around zero."""
    return np.asarray(1 / (1 + np.exp(np.clip(-value / width, -30, 30))), np.float32)


def _fill(codes: NDArray[np.uint8], missing: NDArray[np.bool_], reach: int) -> NDArray[np.uint8]:
    """Give missing pixels the code of their nearest neighbour, at most ``reach`` pixels away."""
    codes, missing = codes.copy(), missing.copy()
    for _ in range(reach):
        if not missing.any():
            break
        known, before = ~missing, codes.copy()
        for axis in (0, 1):
            for shift in (1, -1):
                take = missing & np.roll(known, shift, axis)
                codes[take] = np.roll(before, shift, axis)[take]
                missing &= ~take
    return codes


def _albedo(material: str, paint: str, colors: dict[str, str]) -> Field:
    """Linear RGB of a paint in clay; ink that nothing covers is taken for a deep crease."""
    source, share = PALETTE.get(material, ("", 0.0))
    if source in colors:
        return np.asarray(_linear(colors[source]) * share + 0.004, np.float32)
    known = CLAYS[material].color if material in CLAYS else None
    return _linear(known or (paint if paint.startswith("#") else "#e8e4dc"))


def _linear(color: str) -> Field:
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return np.asarray(value**2.2, np.float32)


def _to_srgb(light: Field) -> Field:
    """Linear light to sRGB; the brightest parts are compressed, as film does."""
    light = np.maximum(light, 0)
    film = light * (1 + light / 6.0) / (1 + 0.55 * light)
    return np.asarray(film.clip(0, 1) ** (1 / 2.2), np.float32)


def _develop(picture: Image.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grain and JPEG, at the size at which a camera would store the picture."""
    strength, quality = rng.uniform(1.5, 4.0), int(rng.integers(84, 96))
    pixels = np.asarray(picture).astype(np.float32)
    grain = rng.standard_normal(pixels.shape, dtype=np.float32)
    grain = 0.35 * grain + 0.65 * grain[..., :1]
    pixels += grain * strength
    stored = io.BytesIO()
    noisy = Image.fromarray((pixels.clip(0, 255) + 0.5).astype(np.uint8))
    noisy.save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored).convert("RGB"))
