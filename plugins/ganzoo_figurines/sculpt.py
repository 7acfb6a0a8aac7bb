"""Make the photo-like twin of an avatar: a figurine in clay, lit by a lamp in a blurred room.

Outlines are removed.  The area of each part becomes a height that is rounded towards its rim, and
a nose, eye sockets and lips are modelled on it.  A lamp, fill light, cast shadows and highlights
fall on it; hair gets strands, skin some unevenness, cloth a weave.  Last come the background,
vignette, grain and JPEG.  Each part is where the avatar has it.  The result is synthetic: it looks
like a figurine, is not a photograph and shows no person.

Lengths are shares of the picture's side, so every size shows the same scene, apart from noise.
"""

from __future__ import annotations

import io
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_avatars.render import choose
from ganzoo_figurines.clay import CLAYS, linear, paint_albedo
from ganzoo_figurines.fields import Blur, Field, dot, fill_nearest, smoothstep, soften, to_srgb
from ganzoo_figurines.parts import LANDMARKS, Coded

#: Increase when the same drawing would give another picture.
VERSION = 1
#: Pictures are made this many times larger and then reduced, but no smaller than ``_LEAST``.
OVERSAMPLE = 2
_LEAST = 128
_COARSE = 4  # the background is out of focus: every fourth pixel of it is computed
_FACE = ("head", "eyes", "eyebrows", "mouth", "glasses", "details")


class Sculptor:
    """Makes the figurines of one style, as ``ganzoo_avatars.render.Renderer`` draws avatars."""

    def __init__(self, style: str, size: int, seed: int):
        self.size = size
        self.seed = seed
        self._renderer = Coded(style, seed)
        self._side = max(OVERSAMPLE * size, _LEAST)
        self._blur = Blur(self._side)

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Make figurine ``index`` as (3, size, size) uint8."""
        scene = self.scene(index)
        picture = Image.fromarray((scene.photograph() * 255 + 0.5).astype(np.uint8))
        picture = picture.resize((self.size, self.size), Image.Resampling.BOX)
        return _develop(picture, scene.rng).transpose(2, 0, 1)

    def scene(self, index: int) -> Scene:
        """Set up figurine ``index``."""
        renderer, side = self._renderer, self._side
        rng = np.random.default_rng([self.seed, index, 1])
        choice = choose(renderer.look, renderer.values, self.seed, index)
        colors = {name: palette[choice[name]] for name, palette in renderer.look.colors.items()}
        spots = np.asarray((renderer.landmarks(index) + 1) / 2, np.float32)
        return Scene(renderer, renderer.paint_map(index, side), colors, spots, self._blur, rng)


class Scene:
    """One figurine: masks and heights (n, n) with a margin around them, colours (n, n, 3)."""

    def __init__(
        self,
        renderer: Coded,
        paint_map: NDArray[np.uint8],
        colors: dict[str, str],
        spots: Field,
        blur: Blur,
        rng: np.random.Generator,
    ):
        self.rng = rng  # draws the same at every size; ``grain`` draws for every pixel
        (self.grain,) = rng.spawn(1)
        self.blur = blur
        self.side, self.margin, self.n = blur.side, blur.margin, blur.n
        self.background = linear(colors["background"])
        materials = [paint.material for paint in renderer.paints]
        codes = np.pad(paint_map, self.margin, mode="edge")
        ink = np.isin(codes, [i for i, m in enumerate(materials) if m == "ink"])
        self.codes = fill_nearest(codes, ink, reach=self.side // 24)
        self.groove = ink.astype(np.float32)
        self._materials = materials
        self._components = [paint.component for paint in renderer.paints]
        self._albedos = [
            paint_albedo(paint.material, paint.color, colors) for paint in renderer.paints
        ]
        axis = (np.arange(self.n, dtype=np.float32) + 0.5 - self.margin) / self.side
        self.y, self.x = axis[:, None], axis[None, :]
        self.spots = dict(zip(LANDMARKS, spots, strict=True))
        eyes = self.spots["right eye"] - self.spots["left eye"]
        #: the distance of the eyes, which is the scale of the face
        self.gap = float(np.hypot(*eyes))
        self.right = eyes / self.gap
        self.down = np.array([-self.right[1], self.right[0]], np.float32)
        self.middle = (self.spots["right eye"] + self.spots["left eye"]) / 2
        drop = float((self.spots["mouth"] - self.middle) @ self.down)
        aside = float((self.spots["mouth"] - self.middle) @ self.right)
        self.nose = self.middle + 0.58 * drop * self.down + 0.5 * aside * self.right
        #: the point above the head from which the hair grows
        self.crown = self.middle - 2.9 * self.gap * self.down

    def material(self, *names: str) -> Field:
        """Return the mask of some materials."""
        return self._mask([i for i, m in enumerate(self._materials) if m in names])

    def component(self, *names: str) -> Field:
        """Return the mask of some components."""
        return self._mask([i for i, c in enumerate(self._components) if c in names])

    def _mask(self, codes: list[int]) -> Field:
        table = np.zeros(256, np.float32)
        table[codes] = 1
        return table[self.codes]

    @cached_property
    def figure(self) -> Field:
        """The mask of everything but the background."""
        return (self.codes < len(self._materials)).astype(np.float32)

    def bump(self, at: Field, across: float, along: float) -> Field:
        """Return a Gaussian hill of height 1; widths are in eye gaps, across and along the face."""
        dx, dy = self.x - at[0], self.y - at[1]
        u = (dx * self.right[0] + dy * self.right[1]) / (across * self.gap)
        v = (dx * self.down[0] + dy * self.down[1]) / (along * self.gap)
        hill: Field = np.exp(-0.5 * (u * u + v * v))
        return hill

    def noise(self, *scales: float) -> Field:
        """Return smooth noise of deviation 1, the sum of noises of these sizes."""
        white = self.grain.standard_normal((self.n, self.n), dtype=np.float32)
        total = sum(b / b.std() for b in self.blur(white, *scales))
        return np.asarray(total / np.sqrt(len(scales)), np.float32)

    def photograph(self) -> Field:
        """Return the picture (side, side, 3), sRGB in [0, 1]."""
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
        return to_srgb(np.asarray(light[inside, inside], np.float32))

    def heights(self) -> Field:
        """Return the figurine's relief, in shares of the side."""
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
        """Return the relief of the face: eyes in sockets, cheeks, nose and mouth.

        Avatars hardly have a nose.
        """
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
        """Return a pillow of height 1 on ``mask``: round at the rim and flat far from it."""
        inner = [np.maximum(2 * b - 1, 0) for b in self.blur(mask, *reaches)]
        pillow: Field = np.sqrt(sum(inner) / len(inner)) * mask
        return pillow

    def normals(self, height: Field) -> Field:
        """Return unit normals (n, n, 3); y points down and z at the camera."""
        down, right = np.gradient(height * self.side)
        normal = np.stack([-right, -down, np.ones_like(height)], axis=2)
        unit: Field = normal / np.linalg.norm(normal, axis=2, keepdims=True)
        return unit

    @cached_property
    def strands(self) -> Field:
        """Streaks that run outwards from the crown of the head, of deviation about 1."""
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
        """Return the share of the light that each point reflects, by colour (n, n, 3)."""
        table = np.zeros((256, 3), np.float32)
        table[: len(self._albedos)] = self._albedos
        # paint a little beyond the rim, because the silhouette is blurred
        outside = self.codes >= len(self._materials)
        color = table[fill_nearest(self.codes, outside, reach=2 + self.side // 100)]
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
        return soften(np.maximum(color, 0.004))

    def pupils(self) -> Field:
        """Return the mask of the dark middle of each iris."""
        iris = self.material("iris")
        near = self.blur(iris, 0.07 * self.gap)[0] * iris
        return smoothstep(near - 0.86, 0.03) * iris

    def _lamp(self) -> Field:
        """Draw the direction of the lamp: above and in front, to the left or to the right."""
        side = self.rng.choice([-1, 1]) * self.rng.uniform(0.35, 0.7)
        lamp = np.array([side, -self.rng.uniform(0.4, 0.65), self.rng.uniform(0.55, 0.8)])
        return np.asarray(lamp / np.linalg.norm(lamp), np.float32)

    def shadow(self, height: Field, lamp: Field) -> Field:
        """Return the share of the lamp's light that reaches each point past the heights between."""
        hair, head = self.component("hair"), self.component(*_FACE)
        relief = height + 0.02 * self.component("body", "clothes") + 0.05 * head + 0.07 * hair
        shade = np.zeros_like(height)
        flat = float(np.hypot(lamp[0], lamp[1]))
        for step in np.linspace(0.008, 0.16, 12):
            shift = [round(float(step * self.side * c / flat)) for c in (-lamp[1], -lamp[0])]
            ray = relief + step * lamp[2] / flat
            blocker = np.roll(relief, shift, axis=(0, 1))
            shade = np.maximum(shade, (blocker - ray) / (0.01 + 0.25 * step))
        soft = self.blur(np.clip(shade, 0, 1) * self.figure, 0.006)[0]
        return np.asarray(1 - np.clip(soft, 0, 1), np.float32)

    def lit(self, albedo: Field, normal: Field, lamp: Field, arrives: Field) -> Field:
        """Return the light that the figurine reflects (n, n, 3), linear."""
        warm = np.array([1.0, 0.89, 0.74], np.float32) ** self.rng.uniform(0.5, 1.3)
        cool = np.array([0.78, 0.9, 1.0], np.float32)
        cosine = dot(normal, lamp)[..., None]
        skin = self.material("skin", "lip", "tongue")[..., None]
        # light that enters skin leaves it nearby, red light farther away than blue
        wrap = 0.12 + skin * np.array([0.34, 0.16, 0.08], np.float32)
        key = np.maximum((cosine + wrap) / (1 + wrap), 0)
        dim = arrives[..., None]
        deep = dim * (1 + skin * (1 - dim) * np.array([0.6, 0.0, -0.1], np.float32))
        other = np.array([-lamp[0], 0.1, 0.8], np.float32)
        other /= np.linalg.norm(other)
        fill = np.maximum(dot(normal, other) * 0.6 + 0.4, 0)[..., None]
        open_sky = (0.65 - 0.35 * normal[..., 1])[..., None]
        low, wide = self.blur(self.relief_share(normal), 0.01, 0.04)
        corners = (np.clip(1 - 0.5 * low - 0.7 * wide, 0.35, 1))[..., None]
        light = 1.25 * warm * key * (0.06 + 0.94 * deep)
        light = light + corners * cool * (0.16 * fill + 0.17 * open_sky)
        half = lamp + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        mirror = np.maximum(dot(normal, half), 0)
        rim = (1 - normal[..., 2]) ** 3 * np.maximum(dot(normal, other) + 0.2, 0)
        color = albedo * light
        color += (self.shine(mirror) * arrives)[..., None] * warm
        color += (self.sheen(normal, lamp) * arrives)[..., None] * warm * (0.5 + 0.5 * albedo)
        color += 0.16 * rim[..., None] * cool * (0.3 + 0.7 * albedo)
        return np.asarray(color + self.catchlights(lamp)[..., None] * warm, np.float32)

    def relief_share(self, normal: Field) -> Field:
        """Return how steep the relief is: less of the room is visible beside a slope."""
        return np.asarray((1 - normal[..., 2]) * self.figure, np.float32)

    def shine(self, mirror: Field) -> Field:
        """Return the highlights that each material shows."""
        clays = [CLAYS.get(name, CLAYS["lash"]) for name in self._materials]
        table = np.zeros((2, 256), np.float32)
        table[:, : len(clays)] = [[c.shine for c in clays], [c.hardness for c in clays]]
        shine, hardness = table[:, self.codes]
        return np.asarray(shine * mirror**hardness, np.float32)

    def sheen(self, normal: Field, lamp: Field) -> Field:
        """Return the bands of light across hair; strands shine like bundles of threads."""
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
        slant = dot(thread, half) + 0.05 * self.strands
        band = np.maximum(1 - slant * slant, 0) ** 14
        return np.asarray(
            0.16 * band * self.material("hair") * np.exp(0.5 * self.strands), np.float32
        )

    def catchlights(self, lamp: Field) -> Field:
        """Return the reflections of the lamp and the window in each eye."""
        glass = self.material("iris", "eyeball")
        total = np.zeros_like(glass)
        iris = self.material("iris")
        for side in ("left", "right"):
            disc = iris * self.bump(self.spots[f"{side} eye"], 0.25, 0.25)
            if disc.sum() < 1:
                continue
            at = np.array([(disc * self.x).sum(), (disc * self.y).sum()], np.float32) / disc.sum()
            spot = at + 0.09 * self.gap * lamp[:2]
            total += 1.6 * glass * self.bump(spot, 0.022, 0.022)
            total += 0.025 * glass * self.bump(at - 0.08 * self.gap * lamp[:2], 0.05, 0.05)
        return total

    def room(self, lamp: Field) -> Field:
        """Return a background far out of focus: a wall in the avatar's colour, lamps as discs."""
        tint = self.background ** self.rng.uniform(1.6, 2.4)
        y, x = self.y[::_COARSE], self.x[:, ::_COARSE]
        slope = (x - 0.5) * lamp[0] * 0.7 + (y - 0.5) * lamp[1] * 0.5
        stains = self.noise(0.12, 0.05)[::_COARSE, ::_COARSE]
        room = tint * self.rng.uniform(0.35, 0.6) * (1 + 0.8 * slope + 0.18 * stains)[..., None]
        floor = self.rng.uniform(0.55, 0.85)
        room *= 1 - 0.4 * smoothstep(y - floor, 0.05)[..., None]
        for _ in range(int(self.rng.integers(5, 14))):
            left, top = self.rng.uniform(-0.05, 1.05, 2).astype(np.float32)
            radius = self.rng.uniform(0.025, 0.085)
            far = np.sqrt((x - left) ** 2 + (y - top) ** 2)
            disc = smoothstep(radius - far, 0.006) * (
                0.75 + 0.25 * np.minimum(far / radius, 1) ** 4
            )
            room += disc[..., None] * tint ** self.rng.uniform(0.3, 1) * self.rng.uniform(0.1, 0.4)
        planes = [Image.fromarray(np.maximum(room[..., c], 0)) for c in range(3)]
        size = (self.n, self.n)
        return np.stack([np.asarray(p.resize(size, Image.Resampling.BILINEAR)) for p in planes], 2)


def _develop(picture: Image.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add grain and JPEG, at the size at which a camera would store the picture."""
    strength, quality = rng.uniform(1.5, 4.0), int(rng.integers(84, 96))
    pixels = np.asarray(picture).astype(np.float32)
    grain = rng.standard_normal(pixels.shape, dtype=np.float32)
    grain = 0.35 * grain + 0.65 * grain[..., :1]
    pixels += grain * strength
    file = io.BytesIO()
    noisy = Image.fromarray((pixels.clip(0, 255) + 0.5).astype(np.uint8))
    noisy.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))
