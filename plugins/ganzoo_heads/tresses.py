"""Hair in ink and flat tones: locks and curls on the screen, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from ganzoo_heads import pose
from ganzoo_heads.ink import Canvas, ribbon
from ganzoo_heads.locks import Curl, Hair, Lock, cap, outward
from ganzoo_heads.palette import Palette
from ganzoo_heads.sketch import Sketch

Floats = NDArray[np.float32 | np.float64]


@dataclass(frozen=True)
class Shape:
    """A lock or a curl on the screen: its closed contour and its edges (N, 2), and its depth."""

    contour: Floats
    edges: tuple[Floats, Floats]
    lock: Lock | None
    depth: float


@dataclass(frozen=True)
class Front:
    """The hair before the face, from back to front."""

    cap: list[Floats]
    rim: list[Floats]
    shapes: list[Shape]
    line: Floats


def _ring(sketch: Sketch, curl: Curl, grow: float = 0.0) -> Shape:
    middle = sketch.project(curl.middle[None])[0]
    turn = np.linspace(0, 2 * np.pi, 26)
    ring = middle[:2] + (curl.radius * sketch.pixel + grow) * np.column_stack(
        [np.cos(turn), np.sin(turn)]
    )
    return Shape(ring, (ring, ring), None, float(middle[2]))


def _shape(sketch: Sketch, lock: Lock, grow: float = 0.0) -> Shape:
    seen = sketch.project(lock.spine)
    edges = ribbon(seen[:, :2], lock.widths * sketch.pixel + grow)
    return Shape(
        np.concatenate([edges[0], edges[1][::-1]]), edges, lock, float(seen[len(seen) // 2, 2])
    )


def _facing(sketch: Sketch, places: Floats) -> Floats:
    """Return how much the skull at ``places`` (N, 3) faces the camera, in [-1, 1]."""
    return pose.rotate(sketch.person, outward(places).astype(np.float32))[:, 2]


def _hidden(sketch: Sketch, item: Lock | Curl) -> bool:
    """Return whether hair lies behind the head."""
    if isinstance(item, Curl):
        return bool(_facing(sketch, item.middle[None])[0] < -0.05)
    if item.behind:
        return True
    lower = item.spine[len(item.spine) * 6 // 10 : len(item.spine) * 8 // 10]
    return bool(_facing(sketch, lower).mean() < -0.12)


def paint_back(canvas: Canvas, sketch: Sketch, colours: Palette, hair: Hair | None) -> None:
    """Draw the hair behind the head as one dark shape, inked around."""
    if hair is None:
        return
    items: list[Lock | Curl] = [*hair.locks, *hair.curls]
    hidden = [item for item in items if _hidden(sketch, item)]
    for grow, colour in ((2.2 * canvas.line, colours.hair_ink), (0.0, colours.dark)):
        for item in hidden:
            shape = (
                _ring(sketch, item, grow / 2)
                if isinstance(item, Curl)
                else _shape(sketch, item, grow)
            )
            canvas.fill(shape.contour, colour)
    for item in hidden:
        if isinstance(item, Lock):
            spine = sketch.screen(item.spine)
            canvas.stroke(spine[len(spine) // 2 :], colours.hair_ink, 0.6, 0.1, 0.1)


def front(sketch: Sketch, hair: Hair | None) -> Front | None:
    """Lay out the hair before the head on the screen."""
    if hair is None:
        return None
    quads = []
    for out in (hair.cap, hair.cap + 0.022):
        grid = cap(out)
        rows, columns = grid.shape[:2]
        seen = sketch.screen(grid.reshape(-1, 3)).reshape(rows, columns, 2)
        middle = (grid[:-1, :-1] + grid[1:, 1:]) / 2
        visible = (_facing(sketch, middle.reshape(-1, 3)) > -0.12).reshape(rows - 1, columns - 1)
        corners = np.stack([seen[:-1, :-1], seen[1:, :-1], seen[1:, 1:], seen[:-1, 1:]], axis=2)
        quads.append(list(corners[visible]))
    line = grid[-1][np.abs(np.linspace(-180, 180, columns)) < 75]
    shapes = [_shape(sketch, lock) for lock in hair.locks if not _hidden(sketch, lock)]
    curls = [_ring(sketch, curl) for curl in hair.curls if not _hidden(sketch, curl)]
    curls.sort(key=lambda shape: -shape.depth)
    return Front(quads[0], quads[1], [*curls, *shapes], sketch.screen(line))


def cast(
    canvas: Canvas, sketch: Sketch, colours: Palette, hair: Front | None, skin: Image.Image
) -> None:
    """Draw the shadow of the hair on the skin below it."""
    if hair is None:
        return
    drop = np.array([0.0, 0.075 * sketch.pixel], np.float32)
    mask = canvas.mask(
        *(shape.contour + drop for shape in hair.shapes), *(quad + drop for quad in hair.cap)
    )
    canvas.shadow(ImageChops.multiply(mask, skin), colours, colours.shade)


def paint_front(canvas: Canvas, sketch: Sketch, colours: Palette, hair: Front | None) -> None:
    """Draw the hair before the head: a cap, its locks, ink between them and a band of light."""
    if hair is None:
        return
    for quad in hair.rim:
        canvas.fill(quad, colours.hair_ink)
    for quad in hair.cap:
        canvas.fill(quad, colours.hair)
    canvas.stroke(hair.line, colours.hair_ink, 0.8, 0.2, 0.2)
    curls = [shape for shape in hair.shapes if shape.lock is None]
    for shape in curls:
        middle = shape.contour.mean(axis=0)
        canvas.fill(middle + (shape.contour - middle) * 1.07, colours.hair_ink)
    for shape in curls:
        canvas.fill(shape.contour, colours.hair)
    for shape in curls:
        middle = shape.contour.mean(axis=0)
        inner = middle + (shape.contour - middle) * 0.72
        canvas.stroke(inner[13:25], colours.light, 1.3, 0.1, 0.1)
        canvas.stroke(shape.contour[1:11], colours.dark, 1.6, 0.1, 0.1)
    for shape in hair.shapes:
        if shape.lock is None:
            continue
        canvas.fill(shape.contour, colours.hair)
        left, right = shape.edges
        if shape.lock.combed:
            canvas.stroke(
                ((left + right) / 2)[: len(left) * 2 // 3], colours.hair_ink, 0.7, 0.7, 0.05
            )
            continue
        start = int(shape.lock.lines * len(left))
        share = np.linspace(0, 1, len(left) - start)[:, None]
        ridge = right[start:] + (left - right)[start:] * 0.45 * np.clip(share / 0.35, 0, 1)
        canvas.fill(np.concatenate([ridge, right[start:][::-1]]), colours.dark)
        for edge in (left, right):
            canvas.stroke(edge[start:], colours.hair_ink, 0.8, 0.15, 0.9)
    for shape in hair.shapes:
        if shape.lock is not None and shape.lock.shine is not None:
            _shine(canvas, colours, shape, shape.lock.shine)


def _shine(canvas: Canvas, colours: Palette, shape: Shape, shine: tuple[float, float]) -> None:
    """Draw the light on a lock: a part of it that is pointed below."""
    first, last = (int(part * (len(shape.edges[0]) - 1)) for part in shine)
    left, right = (edge[first : last + 1] for edge in shape.edges)
    share = np.linspace(0, 1, len(left))[:, None]
    near = 0.5 - 0.30 * np.sin(np.pi * share**0.7) ** 0.8
    canvas.fill(
        np.concatenate([left + (right - left) * near, (left + (right - left) * (1 - near))[::-1]]),
        colours.light,
    )
