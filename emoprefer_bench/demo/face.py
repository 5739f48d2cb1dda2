"""A drawn face that shows an emotion and moves its lips.

Lengths are in units of 1/256 of the picture's side, relative to the middle of the face; x grows to the right, y down.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.demo.scenes import Emotion

Colour = tuple[int, int, int]
Point = tuple[float, float]

SIZE = 256
"""Pixels along the side of a picture."""
OVERSAMPLING = 2
AGAPE = 0.6
"""How far the jaw falls before the mouth turns round."""

WHITE: Colour = (250, 250, 248)
PUPIL: Colour = (16, 14, 14)
MOUTH: Colour = (92, 24, 30)
TEAR: Colour = (120, 180, 240)


@dataclass(frozen=True, slots=True)
class Expression:
    """What a face does. Zero is at rest and 1 is as far as it goes, but for `eyes`, where 1 is at rest.

    A negative `brow_tilt` draws the inner ends of the brows down; a negative `smile` turns the mouth down.
    """

    brow_height: float = 0.0
    brow_tilt: float = 0.0
    eyes: float = 1.0
    smile: float = 0.0
    jaw: float = 0.1
    gaze_down: float = 0.0
    tremble: float = 0.2
    flush: float = 0.0
    tears: float = 0.0

    def towards(self, other: Expression, share: float) -> Expression:
        """Return the expression a `share` (0 to 1) of the way from this one to the other."""
        ends = zip(astuple(self), astuple(other), strict=True)
        return Expression(*((1 - share) * start + share * end for start, end in ends))


EXPRESSIONS: dict[Emotion, Expression] = {
    "happy": Expression(brow_height=0.5, brow_tilt=0.1, eyes=0.7, smile=1.0, jaw=0.45, tremble=0.9, flush=0.35),
    "sad": Expression(brow_height=0.3, brow_tilt=1.0, eyes=0.5, smile=-0.8, jaw=0.08, gaze_down=0.8, tears=1.0),
    "angry": Expression(brow_height=-0.7, brow_tilt=-1.0, eyes=0.8, smile=-0.6, jaw=0.35, tremble=1.6, flush=0.6),
    "surprised": Expression(brow_height=1.2, brow_tilt=0.1, eyes=1.5, jaw=0.95, tremble=0.5),
    "neutral": Expression(),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What a person looks like: colours, and hair long or short."""

    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    background: Colour
    long_hair: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant: its time in seconds, how far speech opens the mouth (0 to 1), where the eyes turn, and a blink."""

    seconds: float = 0.0
    talk: float = 0.0
    glance: float = 0.0
    blink: bool = False


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """Return the colour a `share` (0 to 1) of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def shaded(colour: Colour, light: float) -> Colour:
    """Return the colour at a fraction `light` of its brightness."""
    return mixed((0, 0, 0), colour, light)


class Pen:
    """Draws in face units: scales them to pixels and moves them to where the face is."""

    def __init__(self, image: Image.Image, x: float, y: float) -> None:
        self._draw = ImageDraw.Draw(image)
        self._scale = image.width / 256
        self._origin = (x, y)

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        left, top = self._origin
        return [((left + x) * self._scale, (top + y) * self._scale) for x, y in points]

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fill an ellipse around (x, y) with the radii `rx` and `ry`."""
        self._draw.ellipse(self._pixels([(x - rx, y - ry), (x + rx, y + ry)]), fill=colour)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon(self._pixels(points), fill=colour)

    def stroke(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draw a line through points, with round ends."""
        self._draw.line(self._pixels(points), fill=colour, width=round(width * self._scale), joint="curve")
        for x, y in (points[0], points[-1]):
            self.ellipse(x, y, width / 2, width / 2, colour)


def curve(start: Point, bend: Point, end: Point, steps: int = 16) -> list[Point]:
    """Points along the quadratic Bezier curve from `start` to `end` that `bend` attracts."""
    shares = [step / steps for step in range(steps + 1)]
    return [
        (
            (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t**2 * end[0],
            (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t**2 * end[1],
        )
        for t in shares
    ]


def draw(look: Look, expression: Expression, moment: Moment) -> Image.Image:
    """Draw one frame: RGB, `SIZE` by `SIZE` pixels."""
    side = SIZE * OVERSAMPLING
    image = Image.new("RGB", (side, side), look.background)
    sway = 2 * expression.tremble * math.sin(9 * moment.seconds)
    nod = 1.5 * expression.tremble * math.sin(13 * moment.seconds) + 6 * expression.gaze_down
    _shoulders(Pen(image, 128, 128), look)
    pen = Pen(image, 128 + sway, 124 + nod)
    _head(pen, look, expression)
    for face_side in (-1, 1):
        _eye(pen, face_side, look, expression, moment)
        _brow(pen, face_side, look, expression)
    _nose(pen, look)
    _mouth(pen, look, expression, moment.talk)
    _tear(pen, expression, moment.seconds)
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _shoulders(pen: Pen, look: Look) -> None:
    pen.ellipse(0, 150, 96, 70, look.shirt)
    pen.polygon([(-22, 50), (22, 50), (24, 88), (0, 104), (-24, 88)], shaded(look.skin, 0.86))
    pen.stroke([(-26, 85), (0, 106), (26, 85)], shaded(look.shirt, 0.8), 5)


def _head(pen: Pen, look: Look, expression: Expression) -> None:
    pen.ellipse(0, -22, 78, 82, look.hair)
    if look.long_hair:
        pen.polygon([(-78, -20), (78, -20), (84, 84), (50, 96), (-50, 96), (-84, 84)], look.hair)
        pen.polygon([(-22, 50), (22, 50), (25, 98), (-25, 98)], shaded(look.skin, 0.86))
    for side in (-1, 1):
        pen.ellipse(side * 65, 8, 10, 15, shaded(look.skin, 0.92))
    pen.ellipse(0, 6, 66, 82, look.skin)
    blush = mixed(look.skin, (225, 60, 50), 0.5 * expression.flush)
    paler = mixed(look.skin, (225, 60, 50), 0.25 * expression.flush)
    for side in (-1, 1):
        pen.ellipse(side * 40, 30, 19, 13, paler)
        pen.ellipse(side * 40, 30, 13, 9, blush)
    _fringe(pen, look)


def _fringe(pen: Pen, look: Look) -> None:
    skull = [(78 * math.cos(a), -22 + 82 * math.sin(a)) for a in (math.pi + math.pi * k / 24 for k in range(25))]
    temple = 10 if look.long_hair else -16
    parting = (26, -56)
    right = curve((78, temple), (60, -50), parting)
    left = curve(parting, (-50, -46), (-78, temple))
    pen.polygon([*skull, *right, *left], look.hair)
    pen.stroke(curve(parting, (10, -84), (-16, -96)), shaded(look.hair, 0.75), 1.5)


def _eye(pen: Pen, side: int, look: Look, expression: Expression, moment: Moment) -> None:
    x, y = side * 27, -4
    lid = shaded(look.skin, 0.45)
    if moment.blink:
        pen.stroke(curve((x - 14, y), (x, y + 7), (x + 14, y)), lid, 2.5)
        return
    half = 10 * expression.eyes
    pen.ellipse(x, y, 14, half, WHITE)
    iris_x, iris_y = x + 2.5 * moment.glance, y + min(half - 3, 4 * expression.gaze_down)
    pen.ellipse(iris_x, iris_y, min(7, half), min(7, half), look.iris)
    pen.ellipse(iris_x, iris_y, min(3.4, half * 0.6), min(3.4, half * 0.6), PUPIL)
    pen.ellipse(iris_x + 2, iris_y - min(2, half * 0.4), 1.4, 1.4, WHITE)
    pen.stroke(curve((x - 15, y - 1), (x, y - 2.1 * half), (x + 15, y - 1)), lid, 2.6)
    if expression.smile > 0:
        crease = mixed(look.skin, lid, 0.6 * expression.smile)
        pen.stroke(curve((x - 13, y + half), (x, y + half + 6), (x + 13, y + half)), crease, 1.6)


def _brow(pen: Pen, side: int, look: Look, expression: Expression) -> None:
    y = -27 - 10 * expression.brow_height
    tilt = expression.brow_tilt
    inner = (side * 12, y - 8 * tilt)
    outer = (side * 45, y + 5 + 5 * tilt)
    arch = (side * 30, y - 7 + 3 * abs(tilt))
    pen.stroke(curve(inner, arch, outer), shaded(look.hair, 0.7), 5.5)
    if tilt < 0:
        furrow = mixed(look.skin, shaded(look.skin, 0.5), -tilt)
        pen.stroke([(side * 5, -26), (side * 4, -14)], furrow, 2)


def _nose(pen: Pen, look: Look) -> None:
    shade = shaded(look.skin, 0.72)
    pen.stroke(curve((-3, 2), (-11, 27), (-3, 28)), shade, 2.2)
    pen.stroke(curve((-3, 28), (3, 30), (8, 26)), shade, 2.2)


def _mouth(pen: Pen, look: Look, expression: Expression, talk: float) -> None:
    """Two lips as parabolas; teeth show where the mouth is open and the lips are drawn."""
    smile, jaw = expression.smile, expression.jaw
    half = 23 + 8 * max(smile, 0) - 12 * max(jaw - AGAPE, 0)
    gap = (13 * jaw + 10 * talk) * (1.5 if jaw > AGAPE else 1)
    xs = [step / 12 - 1 for step in range(25)]
    corner = [50 + 5 * smile - 11 * smile * x * x for x in xs]
    upper = [(half * x, y - 0.35 * gap * (1 - x * x)) for x, y in zip(xs, corner, strict=True)]
    lower = [(half * x, y + gap * (1 - x * x)) for x, y in zip(xs, corner, strict=True)]
    lips = mixed(look.skin, (165, 40, 55), 0.5)
    pen.polygon([*upper, *reversed(lower)], MOUTH)
    if smile:
        depth = min(6, 0.6 * gap) * min(1, 2 * abs(smile))
        teeth = [(x, y + depth * (1 - (x / half) ** 2)) for x, y in upper]
        pen.polygon([*upper, *reversed(teeth)], WHITE)
    pen.stroke(upper, lips, 3)
    pen.stroke(lower, lips, 3)


def _tear(pen: Pen, expression: Expression, seconds: float) -> None:
    """Let a tear run down one cheek, again and again."""
    if expression.tears:
        fall = (28 * seconds) % 56
        size = expression.tears
        pen.ellipse(31, 12 + fall, 3.4 * size, 5.2 * size, TEAR)
        pen.ellipse(30, 11 + fall, 1.1 * size, 1.6 * size, WHITE)
