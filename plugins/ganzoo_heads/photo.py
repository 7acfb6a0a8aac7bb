"""A photo-like picture of a head: skin, eyes, hair and clothes, in the light of a room or a street."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_heads import hair as hairs
from ganzoo_heads import mesh, pose, raster
from ganzoo_heads.noise import layers, smooth_noise
from ganzoo_heads.people import EYES, Person

Floats = NDArray[np.float32]
_SHADOW = 192  # side of the map in which the key light looks for what is in its way


def linear(colour: object) -> Floats:
    """Return the linear light of sRGB colours in [0, 1]."""
    return np.asarray(colour, np.float32) ** np.float32(2.2)


@dataclass
class Head:
    """A shaped and turned head, as both the photo and the drawing need it."""

    person: Person
    rest: Floats  # points shaped, not turned
    turned: Floats
    normals: Floats  # turned
    strands: hairs.Strands | None
    camera: pose.Camera
    eyes: Floats  # (2, 3): the right and the left eyeball's centre, shaped, not turned


#: five points of each brow from the nose outwards, on the mesh at rest; x is mirrored
_BROW = np.array([(0.13, 7.445), (0.22, 7.475), (0.32, 7.495), (0.42, 7.485), (0.51, 7.43)])


def build(person: Person, side: int) -> Head:
    """Shape, turn and frame the head of ``person`` for a picture of ``side`` pixels."""
    head = mesh.load()
    rest = head.shape(person.targets())
    normals = head.normals(rest)
    strands = hairs.grow(person, rest, normals)
    eyeballs = np.unique(head.triangles[head.parts == mesh.PARTS.index("eye")])
    eyes = np.stack([rest[eyeballs[head.left[eyeballs] == left]].mean(axis=0) for left in (False, True)])
    lips = head.masks["lips"] > 0.5
    mouth = rest[lips].mean(axis=0)
    turned = pose.turn(person, rest)
    share = (turned - pose._NECK), (rest - pose._NECK)
    face = pose.turn(person, np.concatenate([eyes, mouth[None]]))
    return Head(
        person, rest, turned, head.normals(turned), strands,
        pose.camera(person, face[:2], face[2], side), eyes,
    )


@dataclass(frozen=True)
class Light:
    """Where the light comes from, its colour in linear light, and what comes from all around."""

    key: Floats
    key_colour: Floats
    fill: Floats
    fill_colour: Floats
    rim: Floats
    rim_colour: Floats
    sky: Floats
    ground: Floats


def _warmth(value: float) -> Floats:
    """Return a white from cold (-1) to warm (1)."""
    return np.array([1 + 0.22 * value, 1.0, 1 - 0.30 * value], np.float32)


def light_of(person: Person) -> Light:
    """Draw the lights at random."""
    rng = np.random.default_rng([person.seed, 3])

    def unit(azimuth: float, height: float) -> Floats:
        a, h = np.radians([azimuth, height])
        return np.array([np.sin(a) * np.cos(h), np.sin(h), np.cos(a) * np.cos(h)], np.float32)

    side = rng.choice([-1, 1])
    warm = float(rng.uniform(-0.8, 1.0))
    strength = rng.uniform(0.9, 2.0)
    ambient = rng.uniform(0.45, 0.85)
    return Light(
        key=unit(side * rng.uniform(8, 65), rng.uniform(15, 55)),
        key_colour=_warmth(warm) * np.float32(strength),
        fill=unit(-side * rng.uniform(20, 80), rng.uniform(-5, 25)),
        fill_colour=_warmth(-0.6 * warm) * np.float32(rng.uniform(0.1, 0.45)),
        rim=unit(-side * rng.uniform(120, 165), rng.uniform(10, 45)),
        rim_colour=_warmth(float(rng.uniform(-1, 1))) * np.float32(rng.choice([0, rng.uniform(0.4, 1.6)])),
        sky=_warmth(float(rng.uniform(-0.6, 0.4))) * np.float32(ambient),
        ground=_warmth(0.5) * np.float32(ambient * rng.uniform(0.35, 0.7)),
    )


class Shadow:
    """What the key light sees, so that the rest can lie in shadow."""

    def __init__(self, key: Floats, points: Floats, triangles: NDArray[np.int32], extra: Floats):
        up = np.array([0, 1, 0], np.float32)
        x = np.cross(up, key)
        x /= np.linalg.norm(x)
        self.axes = np.stack([x, np.cross(key, x), -key]).astype(np.float32)
        place = points @ self.axes.T
        self.low = np.array([-1.45, 5.5], np.float32)
        middle = np.array([0, 7.2, 0.5], np.float32) @ self.axes.T
        self.low = middle[:2] - 1.5
        self.scale = _SHADOW / 3.0
        self.depth = raster.look(self._pixels(place), triangles, _SHADOW).depth
        if len(extra):
            _, depth = raster.nearest_points(self._pixels(extra @ self.axes.T), _SHADOW)
            self.depth = np.minimum(self.depth, depth + 0.03)

    def _pixels(self, place: Floats) -> Floats:
        out = place.copy()
        out[:, 0] = (place[:, 0] - self.low[0]) * self.scale
        out[:, 1] = _SHADOW - (place[:, 1] - self.low[1]) * self.scale
        return out

    def lit(self, points: Floats, bias: float, blur: float, rng: np.random.Generator) -> Floats:
        """Return how much of the key light reaches ``points`` (N, 3), in [0, 1]."""
        place = self._pixels(points @ self.axes.T)
        total = np.zeros(len(points), np.float32)
        taps = 8
        start = rng.uniform(0, 2 * np.pi, len(points)).astype(np.float32)
        for tap in range(taps):
            radius = blur * np.sqrt((tap + 0.5) / taps)
            angle = start + np.float32(tap * 2.39996)
            x = (place[:, 0] + radius * np.cos(angle)).astype(np.int32).clip(0, _SHADOW - 1)
            y = (place[:, 1] + radius * np.sin(angle)).astype(np.int32).clip(0, _SHADOW - 1)
            total += self.depth[y, x] > place[:, 2] - bias
        return total / taps


def take(head: Head) -> NDArray[np.uint8]:
    """Return the photo (n, n, 3) at the camera's side; halve it to smooth its edges."""
    person, camera, side = head.person, head.camera, head.camera.side
    shape = mesh.load()
    rng = np.random.default_rng([person.seed, 4])
    light = light_of(person)
    screen = camera.project(head.turned)
    solid = shape.parts != mesh.PARTS.index("lashes")
    faces = shape.triangles[solid]
    parts = shape.parts[solid]
    seen = raster.look(screen, faces[:, [0, 2, 1]], side)
    at = np.nonzero(seen.triangle >= 0)
    corner = faces[:, [0, 2, 1]][seen.triangle[at]]
    weights = seen.weights[at]

    def mix(values: Floats) -> Floats:
        if values.ndim == 1:
            return (values[corner] * weights).sum(axis=1)
        return (values[corner] * weights[..., None]).sum(axis=1)

    part = parts[seen.triangle[at]]
    base, local, world = mix(shape.points), mix(head.rest), mix(head.turned)
    normal = mix(head.normals)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-6)
    lips, ears = mix(shape.masks["lips"]), mix(shape.masks["ears"])
    skin = part == 0
    albedo, gloss = _skin(person, base, lips, ears, rng)
    eye = part == mesh.PARTS.index("eye")
    iris_gloss = np.zeros(len(part), np.float32)
    for number in (0, 1):
        mine = np.flatnonzero(eye & ((base[:, 0] > 0) == bool(number)))
        albedo[mine] = _eye(person, local[mine] - head.eyes[number], number)
    gloss[eye] = 0
    albedo[part == mesh.PARTS.index("teeth")] = linear((0.86, 0.82, 0.74))
    albedo[part == mesh.PARTS.index("tongue")] = linear((0.62, 0.30, 0.30))
    inner = skin & (mix(shape.masks["mouth"]) > 0.5)
    mouth = inner | (part == 3) | (part == 4)
    albedo[inner] = linear((0.30, 0.10, 0.09))
    cloth = skin & _clothed(person, base)
    albedo[cloth], normal[cloth] = _cloth(person, base[cloth], normal[cloth])
    gloss[cloth] = 0.03
    # skin has pores
    rough = skin & ~cloth
    normal[rough] += 0.035 * np.stack(
        [smooth_noise(base[rough], 55, person.seed % 997 + axis) for axis in range(3)], axis=1
    )
    if head.strands is not None:
        cover = hairs.scalp(base) * skin * (ears < 0.3)
        under = linear(person.hair_colour) * 0.45
        albedo = albedo * (1 - cover[:, None]) + cover[:, None] * under
        gloss = gloss * (1 - cover)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-6)

    strand_points, tangents, shades = _strand_points(head)
    caster = pose.turn(person, strand_points[::3]) if len(strand_points) else strand_points
    shadow = Shadow(light.key, head.turned, faces, caster)
    lit = shadow.lit(world, 0.045, 2.2, rng)
    view = np.array([0, 0, 1], np.float32)
    colour = _shade(albedo, normal, gloss, lit, light, view, skin & ~cloth)
    dark = np.ones(len(part), np.float32)
    dark[mouth] = np.clip(0.25 + 1.1 * (local[mouth, 2] - 1.28) / 0.3, 0.08, 0.9)
    colour *= dark[:, None]
    picture = np.zeros((side, side, 3), np.float32)
    picture[at] = colour
    alpha = np.zeros((side, side), np.float32)
    alpha[at] = 1
    eye_map = np.zeros((side, side), np.float32)
    eye_map[at] = eye
    # lids shade the rim of the eye
    inside = _blur(eye_map, side / 220)
    rim = (eye_map > 0) & (alpha > 0)
    picture[rim] *= (0.35 + 0.65 * np.clip((inside[rim] - 0.45) / 0.45, 0, 1))[:, None]
    picture = _soften_skin(picture, at, skin & ~cloth & ~mouth, side)
    _catch_light(head, picture, seen, light, eye_map)
    _lashes(head, picture, seen.depth, screen)
    _brows(head, picture, seen.depth, rng)
    depth = seen.depth.copy()
    if len(strand_points):
        _draw_hair(head, picture, alpha, depth, strand_points, tangents, shades, light, shadow, rng)
    ground = _ground(person, side, light)
    soft = _blur(alpha, 0.7)
    picture = picture * np.minimum(alpha, 1)[..., None] + ground * (1 - np.minimum(alpha, 1))[..., None]
    return _develop(picture, rng)


def _skin(
    person: Person, base: Floats, lips: Floats, ears: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the albedo (N, 3) and the gloss (N,) of skin at ``base`` (N, 3) of the mesh at rest."""
    tone = linear(person.skin)
    light = float(tone.mean())
    albedo = np.broadcast_to(tone, (len(base), 3)).copy()
    seed = person.seed % 9973
    blotch = layers(base, 5, 3, seed)
    fine = layers(base, 45, 2, seed + 7)
    albedo *= 1 + 0.10 * blotch[:, None] * (0.6, 1.0, 1.1) + 0.05 * fine[:, None]
    mirrored = base * (1, 1, 1)
    mirrored[:, 0] = np.abs(mirrored[:, 0])

    def spot(x: float, y: float, z: float, radius: float) -> Floats:
        return np.exp(-((mirrored - (x, y, z)) ** 2).sum(axis=1) / (2 * radius**2)).astype(np.float32)

    red = 0.75 * spot(0.42, 6.92, 1.36, 0.16) + 0.7 * spot(0, 6.9, 1.66, 0.10) + 0.5 * ears
    red += 0.35 * spot(0, 6.25, 1.45, 0.12)
    blush = rng.uniform(0.10, 0.32) * (0.4 + light)
    albedo *= 1 - (red * blush)[:, None] * (0.10, 0.75, 0.75)
    albedo *= 1 - (spot(0.31, 7.20, 1.36, 0.07) * rng.uniform(0.08, 0.28))[:, None] * (0.8, 1.0, 0.75)
    lids = spot(0.32, 7.37, 1.40, 0.06) * (rng.uniform(0.1, 0.5) if person.male < 0.5 else 0.1)
    albedo *= 1 - lids[:, None] * (0.5, 0.8, 0.6)
    if person.age > 45:
        lines = np.clip(layers(base * (1.0, 3.5, 1.0), 9, 2, seed + 3), 0, 1) * min(1, (person.age - 40) / 40)
        albedo *= 1 - 0.16 * lines[:, None]
    if rng.random() < 0.2 and light > 0.2:
        dots = np.clip(smooth_noise(base, 38, seed + 5) - 0.45, 0, 1) * 2
        albedo *= 1 - (dots * (red + 0.25))[:, None] * (0.18, 0.35, 0.4)
    pink = linear((0.74, 0.36, 0.36)) if person.male < 0.5 else linear((0.70, 0.42, 0.38))
    if person.male < 0.5 and rng.random() < 0.35:
        pink = linear((0.70, 0.12, 0.18))  # lipstick
    lip = tone * (0.85, 0.48, 0.50) * 0.55 + pink * 0.45 * min(1.0, 0.35 + 1.4 * light)
    lip = lip * (1 - 0.12 * smooth_noise(base * (1, 0.12, 1), 60, seed + 9))[:, None]
    strength = np.clip(lips * 1.15, 0, 1)[:, None] * 0.85
    albedo = albedo * (1 - strength) + strength * lip
    if person.beard or (person.male > 0.65 and person.age > 18):
        jaw = (mirrored[:, 1] < 6.82 - 0.35 * np.clip(0.35 - mirrored[:, 0], 0, 1)) | (
            (mirrored[:, 1] < 6.80) & (mirrored[:, 1] > 6.70) & (mirrored[:, 0] < 0.26)
        )
        jaw &= (mirrored[:, 1] > 5.98) & (mirrored[:, 2] > 0.55) & (lips < 0.2)
        soft = np.clip((6.85 - mirrored[:, 1]) / 0.15, 0, 1) * np.clip((mirrored[:, 2] - 0.5) / 0.2, 0, 1)
        stubble = (0.16 + 0.75 * person.beard) * (0.65 + 0.35 * smooth_noise(base, 90, seed + 11))
        cover = (jaw * soft * stubble)[:, None]
        albedo = albedo * (1 - cover) + cover * linear(person.hair_colour) * 0.7
    gloss = 0.28 + 0.25 * spot(0, 6.95, 1.66, 0.12) + 0.2 * spot(0, 7.75, 1.5, 0.3) + 0.35 * lips
    return albedo.astype(np.float32), gloss.astype(np.float32)


def _gaze(person: Person, number: int) -> Floats:
    yaw, pitch = np.radians(person.gaze)
    toe = (1, -1)[number] * 0.02
    return np.array([np.sin(yaw + toe), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], np.float32)


def _eye(person: Person, offset: Floats, number: int) -> Floats:
    """Return the albedo of an eyeball at ``offset`` (N, 3) from its centre."""
    direction = offset / np.linalg.norm(offset, axis=1, keepdims=True).clip(1e-6)
    gaze = _gaze(person, number)
    gaze /= np.linalg.norm(gaze)
    angle = np.arccos((direction @ gaze).clip(-1, 1))
    side = direction - (direction @ gaze)[:, None] * gaze
    around = np.arctan2(side[:, 1], side[:, 0])
    radius = 0.47
    colour = np.broadcast_to(linear((0.86, 0.83, 0.80)), (len(offset), 3)).copy()
    veins = np.clip(angle - 0.7, 0, 1)[:, None]
    colour = colour * (1 - veins * (0.1, 0.5, 0.5))
    iris = linear(EYES[person.eyes])
    rays = 1 + 0.35 * np.sin(around * 23 + 3 * np.sin(around * 7)) * np.clip(angle / radius, 0, 1)
    inner = iris * rays[:, None] * (0.8 + 1.0 * np.clip(1 - np.abs(angle / radius - 0.55) / 0.4, 0, 1))[:, None]
    ring = np.clip((angle / radius - 0.78) / 0.22, 0, 1)[:, None]
    inner = inner * (1 - 0.75 * ring)
    share = np.clip((radius - angle) / 0.05 + 0.5, 0, 1)[:, None]
    colour = colour * (1 - share) + inner * share
    pupil = np.clip((0.17 - angle) / 0.04 + 0.5, 0, 1)[:, None]
    return (colour * (1 - pupil) + pupil * 0.006).astype(np.float32)


def _clothed(person: Person, base: Floats) -> NDArray[np.bool_]:
    rng = np.random.default_rng([person.seed, 5])
    kind = rng.choice(["crew", "vee", "wide"])
    x, y, z = np.abs(base[:, 0]), base[:, 1], base[:, 2]
    front = np.clip(z / 1.0, 0, 1)
    if kind == "crew":
        line = 5.78 - 0.25 * front + 0.05 * x
    elif kind == "vee":
        line = 5.85 - front * np.clip(0.75 - 1.4 * x, 0.1, 0.75)
    else:
        line = 5.62 - 0.35 * front + 0.12 * x
    return y < line


def _cloth(person: Person, base: Floats, normal: Floats) -> tuple[Floats, Floats]:
    rng = np.random.default_rng([person.seed, 6])
    hue, grey = rng.random(), rng.random()
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 0.33, 0.67])))
    colour = linear(np.clip(0.12 + 0.75 * rng.random() * (0.35 * wheel + 0.65 * grey), 0.03, 0.9))
    albedo = np.broadcast_to(colour, (len(base), 3)) * (1 + 0.08 * smooth_noise(base, 70, 3))[:, None]
    pattern = rng.random()
    if pattern < 0.2:
        stripes = (np.sin(base[:, 1] * rng.uniform(25, 60)) > 0.2)[:, None]
        albedo = np.where(stripes, albedo, linear(rng.uniform(0.2, 0.95, 3)))
    folds = np.stack([layers(base * (1, 0.6, 1), 3.0, 2, 17 + axis) for axis in range(3)], axis=1)
    return albedo.astype(np.float32), (normal + 0.35 * folds).astype(np.float32)


def _shade(
    albedo: Floats, normal: Floats, gloss: Floats, lit: Floats, light: Light, view: Floats, skin: NDArray[np.bool_]
) -> Floats:
    """Return the light (N, 3) that comes from surfaces."""
    height = normal[:, 1:2] * 0.5 + 0.5
    total = albedo * (light.ground * (1 - height) + light.sky * height)
    wrap = np.where(skin, 0.22, 0.05)[:, None].astype(np.float32) * (1.0, 0.45, 0.3)
    for where, colour, reach in (
        (light.key, light.key_colour, lit),
        (light.fill, light.fill_colour, None),
        (light.rim, light.rim_colour, None),
    ):
        facing = (normal @ where)[:, None]
        diffuse = np.clip((facing + wrap) / (1 + wrap), 0, None)
        half = where + view
        half = half / np.linalg.norm(half)
        sharp = np.clip(normal @ half, 0, 1)
        shine = (0.10 * sharp**12 + 0.22 * sharp**48) * gloss
        fresnel = 0.25 * gloss * (1 - np.clip(normal[:, 2], 0, 1)) ** 3
        part = albedo * diffuse + (shine + fresnel * np.clip(facing[:, 0], 0, 1))[:, None]
        if reach is not None:
            tint = np.stack([reach**0.8, reach, reach**1.1], axis=1)
            part = part * np.where(skin[:, None], tint, reach[:, None])
        total = total + part * colour
    return total.astype(np.float32)


def _blur(field: Floats, sigma: float) -> Floats:
    """Blur (n, n) or (n, n, C) by repeated boxes, with the border repeated."""
    radius = max(1, int(round(sigma)))
    out = field.astype(np.float32)
    for axis in (0, 1):
        for _ in range(3):
            pad = [(0, 0)] * out.ndim
            pad[axis] = (radius, radius)
            summed = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis, dtype=np.float64)
            zero = np.zeros_like(np.take(summed, [0], axis=axis))
            summed = np.concatenate([zero, summed], axis=axis)
            width = 2 * radius + 1
            n = out.shape[axis]
            out = (
                np.take(summed, range(width, width + n), axis=axis)
                - np.take(summed, range(n), axis=axis)
            ).astype(np.float32) / width
    return out


def _soften_skin(picture: Floats, at: tuple[NDArray[np.int64], ...], skin: NDArray[np.bool_], side: int) -> Floats:
    """Let light spread under the skin, red the furthest."""
    mask = np.zeros((side, side), np.float32)
    mask[at] = skin
    share = _blur(mask, side / 200).clip(1e-3)
    wide = _blur(picture * mask[..., None], side / 200) / share[..., None]
    amount = mask[..., None] * np.array([0.45, 0.2, 0.12], np.float32)
    return picture * (1 - amount) + wide * amount


def _catch_light(head: Head, picture: Floats, seen: raster.Seen, light: Light, eye: Floats) -> None:
    """Reflect the key light in both eyes."""
    side = head.camera.side
    for number in (0, 1):
        gaze = _gaze(head.person, number)
        way = pose.rotate(head.person, gaze[None])[0] + 0.45 * light.key
        way = pose.rotate(head.person, gaze[None])[0] * 0.8 + 0.30 * light.key + (0, 0.08, 0)
        place = pose.turn(head.person, head.eyes[number][None])[0] + 0.145 * way / np.linalg.norm(way)
        x, y, _ = head.camera.project(place[None].astype(np.float32))[0]
        radius = 0.016 * side / head.camera.width
        rows, columns = np.mgrid[:side, :side]
        spot = np.clip(1.3 - np.hypot(columns + 0.5 - x, rows + 0.5 - y) / radius, 0, 1) * (eye > 0)
        picture += (spot * 1.2)[..., None] * np.minimum(light.key_colour, 1.5)


def _lashes(head: Head, picture: Floats, depth: Floats, screen: Floats) -> None:
    """Draw the lashes, the upper ones darker."""
    shape = mesh.load()
    side = head.camera.side
    lash = shape.triangles[shape.parts == mesh.PARTS.index("lashes")]
    for upper in (False, True):
        middle = shape.points[lash].mean(axis=1)[:, 1]
        mine = lash[(middle > 7.28) == upper]
        both = np.concatenate([mine, mine[:, [0, 2, 1]]])
        seen = raster.look(screen, both, side)
        visible = (seen.triangle >= 0) & (seen.depth < depth + 0.03)
        dark = (0.75 if head.person.male < 0.5 else 0.42) if upper else 0.16
        picture[visible] *= 1 - dark


def _brows(head: Head, picture: Floats, depth: Floats, rng: np.random.Generator) -> None:
    """Draw the brows hair by hair."""
    person, shape, side = head.person, mesh.load(), head.camera.side
    front = np.flatnonzero((shape.points[:, 2] > 1.0) & (shape.masks["face"] > 0.2))
    count = 170 if person.male < 0.5 else 240
    thick = rng.uniform(0.018, 0.030) * (1.0 if person.male < 0.5 else 1.45)
    for sign in (-1, 1):
        along = np.sort(rng.random(count))
        curve = np.stack([np.interp(along * 4, range(5), _BROW[:, i]) for i in range(2)], axis=1)
        curve[:, 1] += rng.normal(0, 1, count) * thick * np.interp(along, [0, 0.15, 0.6, 1], [0.8, 1, 0.8, 0.3])
        curve[:, 0] *= sign
        distance = ((shape.points[front][None, :, :2] - curve[:, None]) ** 2).sum(-1)
        near = np.argsort(distance, axis=1)[:, :4]
        share = 1 / (np.take_along_axis(distance, near, 1) + 1e-4)
        share /= share.sum(axis=1, keepdims=True)
        index = front[near]
        moved = ((head.rest - shape.points)[index] * share[..., None]).sum(axis=1)
        height = (shape.points[index, 2] * share).sum(axis=1)
        root = np.concatenate([curve, height[:, None] + 0.012], axis=1) + moved
        lean = np.interp(along, [0, 0.2, 1], [1.2, 0.6, -0.35]) + rng.normal(0, 0.2, count)
        way = np.stack([sign * np.cos(lean), np.sin(lean), -0.15 * along], axis=1) * 0.075
        steps = np.linspace(0, 1, 14)[None, :, None]
        points = (root[:, None] + way[:, None] * steps).reshape(-1, 3).astype(np.float32)
        place = head.camera.project(pose.turn(person, points))
        index_map, z = raster.nearest_points(place, side)
        drawn = (index_map >= 0) & (z < depth + 0.05)
        colour = linear(person.hair_colour) * 0.40 + 0.002
        opacity = 0.8
        picture[drawn] = picture[drawn] * (1 - opacity) + opacity * colour * 0.9


def _strand_points(head: Head) -> tuple[Floats, Floats, Floats]:
    """Return points (P, 3) along the strands, at rest, one per pixel, their tangents and shades."""
    if head.strands is None:
        none = np.zeros((0, 3), np.float32)
        return none, none, np.zeros(0, np.float32)
    points = head.strands.points
    pixel = head.camera.width / head.camera.side
    along = np.linalg.norm(np.diff(points, axis=1), axis=2)
    length = along.sum(axis=1)
    count = np.maximum(2, np.ceil(length / (pixel * 1.1)).astype(int))
    owner = np.repeat(np.arange(len(points)), count)
    first = np.cumsum(count) - count
    share = (np.arange(len(owner)) - first[owner]) / np.maximum(1, count[owner] - 1)
    place = share * (points.shape[1] - 1)
    low = np.minimum(place.astype(int), points.shape[1] - 2)
    rest = (place - low).astype(np.float32)[:, None]
    a, b = points[owner, low], points[owner, low + 1]
    tangent = b - a
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True).clip(1e-6)
    shade = head.strands.shade[owner] * np.interp(share, [0, 0.25, 1], [0.55, 0.95, 1.08])
    return (a + (b - a) * rest).astype(np.float32), tangent.astype(np.float32), shade.astype(np.float32)


def _draw_hair(
    head: Head, picture: Floats, alpha: Floats, depth: Floats, points: Floats, tangents: Floats,
    shades: Floats, light: Light, shadow: Shadow, rng: np.random.Generator,
) -> None:
    """Draw the strands that are nearer than what is drawn already."""
    person, side = head.person, head.camera.side
    turned = pose.turn(person, points)
    place = head.camera.project(turned)
    both = place
    for shift in range(1, max(2, round(side / 190))):
        wide = place.copy()
        wide[:, shift % 2] += (shift + 1) // 2
        both = np.concatenate([both, wide])
    index, z = raster.nearest_points(both, side)
    drawn = (index >= 0) & (z < depth + 0.01)
    which = index[drawn] % len(points)
    tangent = pose.rotate(person, tangents[which])
    lit = shadow.lit(turned[which], 0.09, 3.0, rng)
    offset = points[which] - hairs.CENTRE
    outward = pose.rotate(person, (offset / np.linalg.norm(offset, axis=1, keepdims=True)).astype(np.float32))
    base = linear(person.hair_colour)[None] * shades[which, None]
    height = outward[:, 1:2] * 0.5 + 0.5
    colour = base * 0.55 * (light.ground * (1 - height) + light.sky * height)
    bright = float(linear(person.hair_colour).mean())
    for where, strength, reach in (
        (light.key, light.key_colour, lit), (light.fill, light.fill_colour, None), (light.rim, light.rim_colour, None),
    ):
        along = tangent @ where
        facing = np.clip(outward @ where * 0.75 + 0.25, 0, 1)
        diffuse = np.sqrt(1 - along**2) * facing
        half = where + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        across = np.sqrt(np.clip(1 - (tangent @ half + 0.06) ** 2, 0, 1))
        shine = facing * (0.10 * across**60 + 0.05 * across**12)
        part = base * diffuse[:, None] * 0.75 + (shine[:, None] * (0.35 + 0.65 * base / max(bright, 0.02)) * min(1.0, 0.35 + bright * 2.2))
        if reach is not None:
            part = part * (0.18 + 0.82 * reach[:, None])
        colour = colour + part * strength
    picture[drawn] = colour
    alpha[drawn] = 1
    depth[drawn] = z[drawn]


def _ground(person: Person, side: int, light: Light) -> Floats:
    """Return an out-of-focus room, street or garden (n, n, 3), in linear light."""
    rng = np.random.default_rng([person.seed, 7])
    small = 64
    rows, columns = np.mgrid[:small, :small] / small
    kind = rng.choice(["room", "street", "garden", "studio"], p=[0.35, 0.25, 0.25, 0.15])
    base = rng.uniform(0.1, 0.75) * _warmth(float(rng.uniform(-0.8, 0.8)))
    picture = base * (1 + (rng.uniform(-0.4, 0.4) * rows + rng.uniform(-0.4, 0.4) * columns))[..., None]
    if kind in ("room", "street"):
        for _ in range(rng.integers(5, 14)):
            x, y = rng.integers(-10, small, 2)
            w, h = rng.integers(3, 26, 2) * ((1, 2) if kind == "street" else (1, 1))
            block = np.zeros((small, small, 1), np.float32)
            block[max(0, y) : y + h, max(0, x) : x + w] = 1
            colour = rng.uniform(0.02, 0.9) * _warmth(float(rng.uniform(-1, 1))) * rng.uniform(0.75, 1.1, 3)
            picture = picture * (1 - block * 0.85) + block * 0.85 * colour
    if kind == "garden":
        points = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
        leaves = layers(points, rng.uniform(4, 9), 3, int(rng.integers(999))).reshape(small, small, 1)
        green = np.array([0.20, 0.34, 0.10]) * rng.uniform(0.6, 1.4)
        sky = np.array([0.75, 0.85, 0.95]) * rng.uniform(0.5, 1.1)
        share = np.clip(0.5 + 1.6 * leaves + (0.35 - rows[..., None]) * 1.2, 0, 1)
        picture = green * (1 + leaves) * (1 - share) + sky * share
    if kind in ("street", "garden"):
        for _ in range(rng.integers(0, 12)):
            x, y, r = rng.random(), rng.random() * 0.7, rng.uniform(0.02, 0.07)
            disc = np.clip((r - np.hypot(columns - x, rows - y)) / 0.01, 0, 1)[..., None]
            picture = picture + disc * rng.uniform(0.1, 0.7) * _warmth(float(rng.uniform(-0.5, 1)))
    picture = _blur(picture.astype(np.float32), rng.uniform(0.8, 3.0)).clip(0.005, 3)
    channels = [
        np.asarray(Image.fromarray(picture[..., c]).resize((side, side), Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    return np.stack(channels, axis=-1) * (0.5 + 0.5 * float(light.sky.mean()))


def _develop(picture: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Expose, curve, add grain and compress, as a camera does."""
    bright = float(np.percentile(picture.mean(axis=2), 92))
    exposed = picture * (rng.uniform(0.62, 0.95) / max(bright, 0.05))
    film = exposed * (1 + exposed / 6.0) / (1 + 0.55 * exposed) * 1.15
    image = film.clip(0, 1) ** (1 / 2.2)
    contrast = rng.uniform(0.0, 0.35)
    image = image * (1 - contrast) + contrast * (3 * image**2 - 2 * image**3)
    return (image * 255).clip(0, 255).astype(np.uint8)
