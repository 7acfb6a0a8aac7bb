"""A head, and a photo-like picture of it in the light of a room or a street."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import (
    clothes,
    eyes,
    glasses,
    grounds,
    hair,
    lens,
    light,
    mesh,
    pose,
    raster,
    whiskers,
)
from ganzoo_heads import skin as skins
from ganzoo_heads import strands as lines
from ganzoo_heads.lens import blur, linear
from ganzoo_heads.people import Person
from ganzoo_heads.skull import CENTRE

Floats = NDArray[np.float32]
HAIR_WIDTH = 0.024  # of a drawn strand, which stands for some hairs
_SKIN, _EYE, _TEETH, _TONGUE = (mesh.PARTS.index(p) for p in ("skin", "eye", "teeth", "tongue"))


@dataclass
class Head:
    """A shaped and turned head, as both the photo and the drawing need it.

    Points are in decimetres; ``camera`` projects turned ones to pixels.
    """

    person: Person
    rest: Floats  # (V, 3): shaped, not turned
    turned: Floats
    normals: Floats  # turned
    strands: hair.Strands | None
    camera: pose.Camera
    eyes: Floats  # (2, 3): the right and the left eyeball's centre, shaped, not turned


def build(person: Person, side: int) -> Head:
    """Shape, turn and frame the head of ``person`` for a picture of ``side`` pixels."""
    head = mesh.load()
    rest = _in_place(head.shape(person.targets()))
    balls = _eyeballs(rest)
    mouth = rest[head.masks["lips"] > 0.5].mean(axis=0)
    turned = pose.turn(person, rest)
    face = pose.turn(person, np.concatenate([balls, mouth[None]]))
    return Head(
        person=person,
        rest=rest,
        turned=turned,
        normals=head.normals(turned),
        strands=hair.grow(person, rest, head.normals(rest)),
        camera=pose.camera(person, face[:2], face[2], side),
        eyes=balls,
    )


def _eyeballs(points: Floats) -> Floats:
    """Return the centres (2, 3) of the right and the left eyeball."""
    head = mesh.load()
    balls = np.unique(head.triangles[head.parts == _EYE])
    return np.stack(
        [points[balls[head.left[balls] == left]].mean(axis=0) for left in (False, True)]
    )


def _in_place(points: Floats) -> Floats:
    """Move and scale a shaped head (V, 3) to where the head at rest is, as targets move bodies."""
    rest = mesh.load().points
    upper = rest[:, 1] > 6.6
    old, new = _eyeballs(points).mean(axis=0), _eyeballs(rest).mean(axis=0)
    sizes = [
        float(np.sqrt(((p[upper] - eye) ** 2).mean())) for p, eye in ((points, old), (rest, new))
    ]
    return np.asarray((points - old) * (sizes[1] / sizes[0]) + new, np.float32)


@dataclass
class Surface:
    """What the camera sees of the mesh, pixel by pixel: (N, ...), and ``at`` their places."""

    at: tuple[NDArray[np.int64], NDArray[np.int64]]
    part: NDArray[np.uint8]
    base: Floats  # on the mesh at rest
    local: Floats  # shaped
    world: Floats  # turned
    normal: Floats
    lips: Floats
    ears: Floats
    mouth: Floats
    depth: Floats  # (n, n)


def look(head: Head) -> Surface:
    """Return what the camera sees of the mesh."""
    shape = mesh.load()
    solid = shape.parts != mesh.PARTS.index("lashes")
    faces = shape.triangles[solid][:, [0, 2, 1]]
    seen = raster.look(head.camera.project(head.turned), faces, head.camera.side)
    at = np.nonzero(seen.triangle >= 0)
    corner = faces[seen.triangle[at]]
    weights = seen.weights[at]

    def mix(values: Floats) -> Floats:
        picked = values[corner]
        mixed = sum(
            picked[:, i] * (weights[:, i] if values.ndim == 1 else weights[:, i, None])
            for i in range(3)
        )
        return np.asarray(mixed, np.float32)

    normal = mix(head.normals)
    return Surface(
        at=(at[0], at[1]),
        part=shape.parts[solid][seen.triangle[at]],
        base=mix(shape.points),
        local=mix(head.rest),
        world=mix(head.turned),
        normal=normal / np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-6),
        lips=mix(shape.masks["lips"]),
        ears=mix(shape.masks["ears"]),
        mouth=mix(shape.masks["mouth"]),
        depth=seen.depth,
    )


def take(head: Head) -> NDArray[np.uint8]:
    """Return the photo (n, n, 3), at half of the camera's side, which smooths its edges."""
    person, camera, side = head.person, head.camera, head.camera.side
    shape = mesh.load()
    lamps = light.light_of(person)
    seen = look(head)
    solid = shape.triangles[shape.parts != mesh.PARTS.index("lashes")]
    hairs = None if head.strands is None else head.strands.points
    turned = None if hairs is None else pose.turn(person, hairs.reshape(-1, 3)).reshape(hairs.shape)
    caster = np.zeros((0, 3), np.float32) if turned is None else turned.reshape(-1, 3)
    shadow = light.Shadow(lamps.key, head.turned, solid, caster)
    picture = np.zeros((side, side, 3), np.float32)
    picture[seen.at], exposure = _body(head, seen, lamps, shadow)
    depth = seen.depth.copy()
    alpha = np.isfinite(depth).astype(np.float32)
    ground = grounds.paint(person, side, lamps)
    picture = np.where(alpha[..., None] > 0, picture, ground)
    rng = np.random.default_rng([person.seed, 14])
    _face_hair(head, picture, depth, lamps)
    if head.strands is not None and hairs is not None and turned is not None:
        offset = turned - pose.turn(person, CENTRE[None])[0]
        outward = offset / np.linalg.norm(offset, axis=2, keepdims=True).clip(1e-6)
        ramp = np.interp(np.linspace(0, 1, hairs.shape[1]), [0, 0.25, 1], [0.6, 0.95, 1.1])
        shades = (head.strands.shade[:, None] * ramp)[..., None].astype(np.float32)
        tone = linear(person.hair_colour) * shades
        reach = shadow.past_hair(caster, 0.05) * shadow.past_skin(caster, 0.12, 2.0)
        colours = lines.shade(turned, outward, tone, lamps, reach.reshape(hairs.shape[:2]), 0.8)
        # what lies deeper is dark and out of focus, and closes the gaps between strands
        deeper = turned[::2], colours[::2] * np.float32(0.6)
        lines.draw(picture, depth.copy(), camera, *deeper, 0.03, 0.03, soft=1.6)
        lines.draw(picture, depth, camera, turned, colours, HAIR_WIDTH, 0.03)
    if (worn := glasses.wear(person, head.rest, head.eyes, shape.masks["ears"])) is not None:
        _wear(head, worn, picture, depth, lamps, rng)
    return lens.develop(picture, exposure * person.exposure, rng)


def _body(
    head: Head, seen: Surface, lamps: light.Light, shadow: light.Shadow
) -> tuple[Floats, float]:
    """Return the light (N, 3) from skin, eyes, mouth and cloth, and how long to expose for it."""
    person, side = head.person, head.camera.side
    skin = seen.part == _SKIN
    inner = skin & (seen.mouth > 0.5)
    cloth = skin & clothes.covers(person, seen.base)
    face = skin & ~inner & ~cloth
    albedo, gloss, normal = _paint(head, seen, face, inner, cloth)
    past = shadow.past_skin(seen.world, 0.04, 2.6) * shadow.past_hair(seen.world, 0.16)
    past = np.where(
        inner | (seen.part == _TEETH) | (seen.part == _TONGUE), np.maximum(past, 0.55), past
    )
    wrap = np.where(face[:, None], np.array([0.20, 0.08, 0.05], np.float32), np.float32(0.03))
    came = lamps.around(normal)
    for lamp in (lamps.key, lamps.fill, lamps.rim):
        part = light.diffuse(normal, lamp, wrap) * lamp.colour
        came += part * past[:, None] if lamp is lamps.key else part
    open_ = _openness(seen, side)
    open_ = np.where(seen.part == _TEETH, np.maximum(open_, 0.7), open_)
    came *= open_[:, None] ** np.where(
        face[:, None], np.array([0.8, 1.0, 1.05], np.float32), np.float32(1)
    )
    came = _under_skin(came, seen.at, face, side)
    colour = albedo * came
    for lamp, reach in ((lamps.key, past), (lamps.fill, open_), (lamps.rim, open_)):
        colour += (light.shine(normal, gloss, lamp) * reach * open_)[:, None] * lamp.colour
    eye = seen.part == _EYE
    sparkle = eyes.wet(seen.normal[eye], lamps.key.way, person.seed)
    colour[eye] += sparkle[:, None] * np.minimum(lamps.key.colour, 1.3) * 0.9 + 0.012 * lamps.sky
    amount = float(came[face].mean()) if face.any() else 0.5
    shown = float(albedo[face].mean()) if face.any() else 0.2
    exposure = 1.0 / max(amount, 0.05) * (0.30 / max(shown, 0.03)) ** 0.5
    return np.asarray(colour, np.float32), exposure


def _paint(
    head: Head,
    seen: Surface,
    face: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    cloth: NDArray[np.bool_],
) -> tuple[Floats, Floats, Floats]:
    """Return the albedo (N, 3), the gloss (N,) and the bumpy normals (N, 3)."""
    person, count = head.person, len(seen.part)
    albedo, gloss = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    normal = seen.normal.copy()
    albedo[face], gloss[face] = skins.paint(
        person, seen.base[face], seen.lips[face], seen.ears[face]
    )
    normal[face] += skins.bumps(person, seen.base[face])
    for number in (0, 1):
        mine = (seen.part == _EYE) & ((seen.base[:, 0] > 0) == bool(number))
        albedo[mine] = eyes.paint(person, seen.local[mine] - head.eyes[number], number)
    teeth, tongue = seen.part == _TEETH, seen.part == _TONGUE
    gap = 0.75 + 0.25 * np.clip(np.abs(np.sin(seen.base[teeth, 0] * 38)) * 4, 0, 1)
    albedo[teeth] = linear((0.88, 0.84, 0.77)) * gap[:, None]
    gloss[teeth] = gloss[tongue] = 0.5
    albedo[tongue] = linear((0.60, 0.30, 0.30))
    albedo[inner] = linear((0.32, 0.12, 0.11))
    mouth = inner | teeth | tongue
    deep = np.clip(
        0.35 + 1.2 * (seen.base[mouth, 2] - 1.25) / 0.3, np.where(teeth[mouth], 0.6, 0.06), 1.0
    )
    albedo[mouth] *= deep[:, None]
    if head.strands is not None:
        cover = (
            hair.scalp(seen.base)
            * face
            * (seen.ears < 0.3)
            * (0.75 if person.cut == "buzz" else 0.92)
        )
        albedo = albedo * (1 - cover[:, None]) + cover[:, None] * linear(person.hair_colour) * 0.5
        gloss = gloss * (1 - cover)
    albedo[cloth], normal[cloth] = clothes.paint(person, seen.base[cloth], normal[cloth])
    gloss[cloth] = 0.04
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-6)
    return albedo.astype(np.float32), gloss, normal


def _openness(seen: Surface, side: int) -> Floats:
    """Return how open each pixel (N,) lies to light from around: hollows are darker.

    Luft et al. 2006, "Image enhancement by unsharp masking the depth buffer".
    """
    mask = np.isfinite(seen.depth).astype(np.float32)
    depth = np.where(mask > 0, seen.depth, 0).astype(np.float32)
    total = np.ones(len(seen.part), np.float32)
    for sigma, strength, most in ((side / 90, 5.0, 0.45), (side / 28, 1.6, 0.45)):
        level = blur(depth, sigma) / blur(mask, sigma).clip(1e-3)
        hollow = (depth - level)[seen.at]
        total *= 1 - np.clip(strength * hollow, -0.10, most)
    return total


def _under_skin(
    came: Floats,
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
    face: NDArray[np.bool_],
    side: int,
) -> Floats:
    """Let light (N, 3) spread under the skin, red the furthest."""
    mask, field = np.zeros((side, side), np.float32), np.zeros((side, side, 3), np.float32)
    mask[at] = face
    field[at] = came * face[:, None]
    out = came.copy()
    for channel, sigma in enumerate((side / 75, side / 160, side / 220)):
        spread = blur(field[..., channel], sigma) / blur(mask, sigma).clip(1e-2)
        out[face, channel] = (0.25 * came[:, channel] + 0.75 * spread[at])[face]
    return out


def _face_hair(head: Head, picture: Floats, depth: Floats, lamps: light.Light) -> None:
    """Draw the brows, the lashes and the beard."""
    person, camera = head.person, head.camera
    tone = linear(person.hair_colour)
    dark = tone * 0.5 + 0.004 if tone.mean() > 0.02 else tone * 0.8 + 0.002
    male = person.male > 0.5
    jobs = [
        (whiskers.brows(person, head.rest), dark, 0.0032 if male else 0.0024, 0.03),
        (
            whiskers.lashes(person, head.rest),
            np.array([0.008, 0.006, 0.005], np.float32),
            0.002 if male else 0.004,
            0.05,
        ),
    ]
    normals = mesh.load().normals(head.rest)
    if (beard := whiskers.beard(person, head.rest, normals)) is not None:
        jobs.append((beard, tone * 0.9 + 0.003, 0.0050, 0.03))
    rng = np.random.default_rng([person.seed, 15])
    for hairs, colour, width, bias in jobs:
        turned = pose.turn(person, hairs.reshape(-1, 3)).reshape(hairs.shape)
        outward = pose.rotate(person, np.array([[0, 0.2, 1]], np.float32))[0]
        shades = rng.uniform(0.7, 1.4, (len(hairs), 1, 1)).astype(np.float32)
        colours = lines.shade(
            turned,
            np.broadcast_to(outward, turned.shape),
            np.asarray(colour * shades * np.ones_like(turned), np.float32),
            lamps,
            np.full(turned.shape[:2], 0.7, np.float32),
            0.25,
        )
        lines.draw(picture, depth.copy(), camera, turned, colours, width, bias)


def _wear(
    head: Head,
    worn: glasses.Glasses,
    picture: Floats,
    depth: Floats,
    lamps: light.Light,
    rng: np.random.Generator,
) -> None:
    """Draw glasses before the face."""
    person, camera = head.person, head.camera
    rims = camera.project(pose.turn(person, worn.rims.reshape(-1, 3))).reshape(worn.rims.shape)
    glow = glasses.mirrored(worn, rims, camera.side, rng)[..., None]
    picture *= 1 - glow
    picture += glow * (lamps.sky * 0.8 + 0.1)
    frame = pose.turn(person, worn.lines.reshape(-1, 3)).reshape(worn.lines.shape)
    outward = np.broadcast_to(
        pose.rotate(person, np.array([[0, 0.3, 1]], np.float32))[0], frame.shape
    )
    colours = lines.shade(
        frame,
        outward,
        np.broadcast_to(worn.colour, frame.shape),
        lamps,
        np.full(frame.shape[:2], 1, np.float32),
        1.5,
    )
    lines.draw(picture, depth, camera, frame, colours, 0.012, 0.0)
