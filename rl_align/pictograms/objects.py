"""The drawings: one function an object, on a square of 100 × 100 units. Distinct in outline and in tones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, radians, sin

from rl_align.pictograms.pen import DARK, INK, LIGHT, Pen


def knife(p: Pen) -> None:
    p.shape((36, 0), (56, 6), (66, 26), (66, 60), (36, 60))
    p.shape((56, 6), (66, 26), (66, 60), (58, 60), (58, 26), (50, 8), tone=LIGHT)
    p.line((56, 6), (66, 26), (66, 60), width=2, tone=DARK)
    p.box(26, 58, 76, 66, DARK, 3)
    p.box(40, 64, 62, 99, r=7)
    p.oval(51, 75, 3.5, tone=LIGHT)
    p.oval(51, 89, 3.5, tone=LIGHT)


def axe(p: Pen) -> None:
    p.box(46, 4, 56, 99, DARK, 4)
    p.shape((58, 10), (34, 14), (12, 2), (6, 26), (12, 54), (34, 40), (58, 42))
    p.shape((12, 2), (6, 26), (12, 54), (18, 48), (14, 27), (18, 9), tone=LIGHT)
    p.box(56, 12, 70, 40, r=4)


def saw(p: Pen) -> None:
    p.shape((2, 36), (64, 30), (64, 62), (4, 52), tone=LIGHT)
    p.shape((2, 36), (64, 30), (64, 50), (3, 46))
    for k in range(8):
        x, y = 4 + 7.5 * k, 51 + 1.2 * k
        p.shape((x, y), (x + 7.5, y + 1.2), (x + 3, y + 12), tone=DARK)
    p.box(62, 24, 99, 72, DARK, 14)
    p.hole(81, 48, 8, 12)


def spear(p: Pen) -> None:
    p.line((3, 97), (70, 30), width=6, tone=DARK)
    p.shape((99, 1), (88, 36), (76, 40), (60, 24), (64, 12))
    p.shape((99, 1), (76, 30), (70, 24), tone=LIGHT)
    p.line((58, 28), (72, 42), width=5)


def bottle(p: Pen) -> None:
    p.box(40, 0, 60, 10, DARK, 3)
    p.box(43, 8, 57, 34)
    p.shape((43, 28), (57, 28), (72, 46), (28, 46))
    p.box(28, 42, 72, 99, r=7)
    p.box(28, 56, 72, 86, LIGHT)
    p.line((40, 62), (60, 80), width=5, tone=DARK)
    p.line((60, 62), (40, 80), width=5, tone=DARK)


def mushroom(p: Pen) -> None:
    p.box(34, 46, 66, 99, DARK, 11)
    p.box(38, 46, 62, 95, LIGHT, 8)
    p.slice(50, 54, 50, 180, 360)
    p.box(2, 50, 98, 58, DARK, 4)
    p.oval(50, 22, 9, 8, LIGHT)
    p.oval(24, 38, 8, 7, LIGHT)
    p.oval(77, 38, 8, 7, LIGHT)


def syringe(p: Pen) -> None:
    p.line((2, 98), (26, 74), width=3, tone=DARK)
    p.line((70, 30), (90, 10), width=6, tone=DARK)
    p.line((82, 2), (98, 18), width=7, tone=DARK)
    p.line((59, 17), (83, 41), width=6)
    p.shape((64, 22), (78, 36), (38, 76), (24, 62))
    p.shape((60, 32), (68, 40), (50, 58), (42, 50), tone=LIGHT)
    p.shape((27, 65), (35, 73), (22, 80), (20, 78), tone=DARK)


def jar(p: Pen) -> None:
    p.box(18, 6, 82, 24, DARK, 4)
    p.box(10, 26, 90, 98, r=16)
    p.box(20, 44, 80, 82, LIGHT, 3)
    p.shape((50, 46), (60, 64), (40, 64), tone=DARK)
    p.oval(50, 68, 11, 10, DARK)


def camera(p: Pen) -> None:
    p.box(32, 14, 68, 34, r=5)
    p.box(2, 26, 98, 86, r=8)
    p.box(8, 32, 22, 40, LIGHT, 2)
    p.oval(50, 57, 25, tone=LIGHT)
    p.oval(50, 57, 19, tone=DARK)
    p.oval(43, 50, 5, tone=LIGHT)


def keyhole(p: Pen) -> None:
    p.box(22, 0, 78, 100, r=27)
    p.box(28, 6, 72, 94, LIGHT, 21)
    p.oval(50, 37, 15, tone=DARK)
    p.shape((45, 44), (55, 44), (64, 78), (36, 78), tone=DARK)


def telescope(p: Pen) -> None:
    p.line((44, 56), (20, 98), width=5, tone=DARK)
    p.line((46, 56), (74, 98), width=5, tone=DARK)
    p.line((45, 52), (47, 96), width=5, tone=DARK)
    p.shape((4, 56), (12, 74), (44, 62), (36, 42))
    p.shape((34, 40), (44, 64), (76, 52), (64, 24))
    p.shape((62, 18), (78, 56), (98, 44), (82, 4))
    p.shape((82, 4), (98, 44), (92, 46), (76, 8), tone=LIGHT)
    p.line((35, 43), (43, 62), width=3, tone=DARK)


def microphone(p: Pen) -> None:
    p.box(34, 0, 66, 58, r=16)
    for y in (14, 26, 38):
        p.box(40, y, 60, y + 5, LIGHT, 2)
    p.arc(50, 42, 30, 32, 0, 180, 6, DARK)
    p.box(46, 72, 54, 92, DARK)
    p.box(26, 91, 74, 99, DARK, 4)


def laptop(p: Pen) -> None:
    p.box(10, 8, 90, 68, r=5)
    p.box(18, 16, 82, 61, LIGHT)
    p.line((28, 27), (42, 38), (28, 49), width=6, tone=DARK)
    p.box(48, 46, 68, 52, DARK)
    p.shape((10, 69), (90, 69), (100, 90), (0, 90), tone=DARK)
    p.shape((20, 72), (80, 72), (86, 81), (14, 81))


def router(p: Pen) -> None:
    p.line((18, 58), (10, 10), width=6, tone=DARK)
    p.line((82, 58), (90, 10), width=6, tone=DARK)
    p.box(2, 56, 98, 88, r=7)
    for x in (20, 36, 52):
        p.oval(x, 72, 5, tone=LIGHT)
    p.box(66, 68, 88, 76, DARK, 2)
    p.arc(50, 46, 26, 26, 225, 315, 5)
    p.arc(50, 46, 13, 13, 225, 315, 5)


def chip(p: Pen) -> None:
    for k in (28, 43, 57, 72):
        p.box(k - 3, 2, k + 3, 98, DARK)
        p.box(2, k - 3, 98, k + 3, DARK)
    p.box(16, 16, 84, 84, r=4)
    p.box(32, 32, 68, 68, LIGHT, 3)
    p.oval(25, 25, 4, tone=LIGHT)


def drive(p: Pen) -> None:
    p.box(30, 36, 70, 99, r=10)
    p.box(35, 6, 65, 38, LIGHT)
    p.line((36, 38), (36, 7), (64, 7), (64, 38), width=5, tone=DARK)
    p.box(41, 17, 47, 24, DARK)
    p.box(53, 17, 59, 24, DARK)
    p.oval(50, 82, 7, tone=LIGHT)
    p.box(30, 46, 70, 51, DARK)


def coin(p: Pen) -> None:
    p.oval(50, 50, 48)
    p.oval(50, 50, 38, tone=LIGHT)
    p.oval(50, 50, 34)
    p.shape((36, 38), (52, 24), (58, 24), (58, 78), (46, 78), (46, 42), (40, 46), tone=LIGHT)
    p.box(38, 72, 66, 80, LIGHT)


def banknote(p: Pen) -> None:
    p.box(0, 26, 100, 76, DARK, 3)
    p.box(5, 31, 95, 71)
    p.oval(50, 51, 16, tone=LIGHT)
    p.oval(50, 51, 8, tone=DARK)
    for x in (15, 85):
        p.oval(x, 51, 6, tone=LIGHT)


def purse(p: Pen) -> None:
    p.shape((40, 28), (60, 28), (92, 70), (8, 70))
    p.oval(50, 70, 44, 29)
    p.shape((40, 28), (60, 28), (72, 6), (58, 12), (50, 4), (42, 12), (28, 6))
    p.box(34, 24, 66, 33, DARK, 4)
    p.oval(50, 67, 19, tone=LIGHT)
    p.star(50, 68, 14, 6, tone=DARK)


def vault(p: Pen) -> None:
    p.box(12, 90, 28, 100, DARK)
    p.box(72, 90, 88, 100, DARK)
    p.box(2, 2, 98, 93, r=6)
    p.box(12, 12, 88, 83, LIGHT, 3)
    p.box(17, 17, 83, 78, r=2)
    p.oval(54, 48, 22, tone=LIGHT)
    for angle in (0, 60, 120):
        dx, dy = 24 * cos(radians(angle)), 24 * sin(radians(angle))
        p.line((54 - dx, 48 - dy), (54 + dx, 48 + dy), width=6, tone=DARK)
    p.oval(54, 48, 8)


def mask(p: Pen) -> None:
    p.line((8, 46), (0, 74), width=4, tone=DARK)
    p.line((92, 46), (100, 74), width=4, tone=DARK)
    p.oval(30, 46, 30, 22)
    p.oval(70, 46, 30, 22)
    p.shape((6, 18), (40, 32), (8, 52))
    p.shape((94, 18), (60, 32), (92, 52))
    p.oval(30, 45, 14, 9, LIGHT)
    p.oval(70, 45, 14, 9, LIGHT)


def passport(p: Pen) -> None:
    p.box(16, 0, 84, 100, r=6)
    p.box(16, 0, 24, 100, DARK, 3)
    p.oval(54, 38, 22, tone=LIGHT)
    p.oval(54, 38, 18)
    p.arc(54, 38, 9, 19, 0, 360, 3, LIGHT)
    p.box(34, 36, 74, 40, LIGHT)
    p.box(34, 70, 74, 76, LIGHT)
    p.box(42, 82, 66, 88, LIGHT)


def stamp(p: Pen) -> None:
    p.oval(50, 18, 19)
    p.shape((43, 30), (57, 30), (64, 60), (36, 60))
    p.box(14, 58, 86, 78, r=6)
    p.box(18, 76, 82, 85, DARK)
    p.box(4, 92, 96, 98, DARK, 3)
    p.oval(44, 12, 5, tone=LIGHT)


def fingerprint(p: Pen) -> None:
    for k, (rx, ry) in enumerate(((40, 49), (30, 38), (20, 27), (10, 16))):
        p.arc(50, 50, rx, ry, 150 + 12 * k, 390 + 8 * k, 5.5)
        p.arc(50, 50, rx, ry, 50 - 6 * k, 118 - 6 * k, 5.5, DARK)
    p.line((50, 46), (50, 58), width=5)


def ball(p: Pen) -> None:
    p.oval(50, 50, 46, tone=DARK)
    for k in range(6):
        p.slice(50, 50, 42, 60 * k - 10, 60 * k + 50, (LIGHT, INK)[k % 2])
    p.oval(50, 50, 8, tone=DARK)


def cup(p: Pen) -> None:
    p.arc(74, 62, 24, 20, 0, 360, 7, DARK)
    p.shape((8, 36), (76, 36), (66, 92), (18, 92))
    p.box(4, 32, 80, 40, DARK, 4)
    p.line((30, 4), (36, 12), (28, 18), (32, 25), width=4)
    p.line((52, 4), (58, 12), (50, 18), (54, 25), width=4)


def flower(p: Pen) -> None:
    p.line((50, 50), (50, 98), width=5, tone=DARK)
    p.oval(66, 82, 14, 6, DARK)
    for k in range(5):
        angle = radians(72 * k - 90)
        p.oval(50 + 20 * cos(angle), 32 + 20 * sin(angle), 13.5)
    p.oval(50, 32, 11, tone=LIGHT)


def star(p: Pen) -> None:
    p.star(50, 53, 52, 23)
    p.star(50, 53, 27, 12, tone=LIGHT)


def house(p: Pen) -> None:
    p.box(70, 8, 80, 34, DARK)
    p.shape((50, 2), (99, 48), (1, 48), tone=DARK)
    p.box(14, 46, 86, 98)
    p.box(42, 66, 58, 98, LIGHT)
    p.box(22, 58, 34, 70, LIGHT)
    p.box(66, 58, 78, 70, LIGHT)


def apple(p: Pen) -> None:
    p.line((50, 30), (54, 4), width=5, tone=DARK)
    p.oval(70, 12, 15, 7, DARK)
    p.oval(33, 58, 31, 34)
    p.oval(67, 58, 31, 34)
    p.oval(50, 74, 30, 24)
    p.oval(25, 50, 6, 12, LIGHT)


def tree(p: Pen) -> None:
    p.box(43, 80, 57, 100, DARK)
    p.shape((50, 0), (74, 32), (26, 32))
    p.shape((50, 16), (84, 58), (16, 58))
    p.shape((50, 38), (94, 84), (6, 84))
    for x, y in ((50, 24), (38, 46), (62, 50), (26, 74), (50, 70), (74, 74)):
        p.oval(x, y, 5, tone=LIGHT)


def book(p: Pen) -> None:
    p.shape((2, 18), (50, 28), (98, 18), (98, 84), (50, 94), (2, 84), tone=DARK)
    p.shape((8, 12), (48, 24), (48, 84), (8, 74), tone=LIGHT)
    p.shape((92, 12), (52, 24), (52, 84), (92, 74))
    for y in (28, 42, 56):
        p.line((16, y), (40, y + 6), width=4, tone=DARK)
        p.line((84, y), (60, y + 6), width=4, tone=LIGHT)


DRAWINGS: Mapping[str, Callable[[Pen], None]] = {
    d.__name__: d
    for d in (
        knife, axe, saw, spear, bottle, mushroom, syringe, jar, camera, keyhole, telescope, microphone, laptop, router,
        chip, drive, coin, banknote, purse, vault, mask, passport, stamp, fingerprint, ball, cup, flower, star, house,
        apple, tree, book,
    )
}  # fmt: skip
