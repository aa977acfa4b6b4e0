"""Line and bar charts as inline SVG, written by hand: a report must open anywhere and forever."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 34, 46
COLOURS = ("#1f6f8b", "#d1495b", "#edae49", "#3b7a57", "#6a4c93", "#8d6b48", "#5f6f7a", "#c06c84")
Points = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Axis:
    """What is along it, and whether equal steps are equal ratios."""

    label: str
    log: bool = False

    def place(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self.log else value

    def ticks(self, low: float, high: float) -> list[float]:
        """Round values between two places, at most about eight."""
        if self.log:
            powers = range(math.floor(low), math.ceil(high) + 1)
            steps = (1, 2, 5) if high - low < 2.5 else (1,)
            values = [step * 10.0**power for power in powers for step in steps]
            return [value for value in values if low - 1e-9 <= math.log10(value) <= high + 1e-9]
        step = 10.0 ** math.floor(math.log10(max(high - low, 1e-9)))
        if (high - low) / step < 3:
            step /= 4 if (high - low) / step < 1.5 else 2
        first = math.ceil(low / step - 1e-9)
        return [step * number for number in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Frame:
    """The plane between four places."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float
    parts: list[str] = field(default_factory=list)

    def x(self, place: float) -> float:
        span = (self.high_x - self.low_x) or 1.0
        return LEFT + (place - self.low_x) / span * (WIDTH - LEFT - RIGHT)

    def y(self, place: float) -> float:
        span = (self.high_y - self.low_y) or 1.0
        return HEIGHT - BOTTOM - (place - self.low_y) / span * (HEIGHT - TOP - BOTTOM)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str) -> None:
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
        )

    def text(self, x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> None:
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'
        )

    def grid_y(self, axis: Axis) -> None:
        for value in axis.ticks(self.low_y, self.high_y):
            y = self.y(axis.place(value))
            self.line(LEFT, y, WIDTH - RIGHT, y, "#ddd")
            self.text(LEFT - 6, y + 4, number(value), "end")
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self.text(14, middle, axis.label, more=f'transform="rotate(-90 14 {middle:.0f})"')

    def svg(self, title: str) -> str:
        self.text(LEFT, 18, title, "start", 'font-weight="bold"')
        size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        style = 'font-family="sans-serif" font-size="11"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(self.parts)}</svg>'

    def polyline(self, points: Points, colour: str) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'fill="none" stroke="{colour}" stroke-width="2"'
        self.parts.append(f'<polyline points="{path}" {style}/>')
        for x, y in points:
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>')

    def legend(self, names: Sequence[str]) -> None:
        for place, name in enumerate(names):
            y = TOP + 8 + 16 * place
            colour = COLOURS[place % len(COLOURS)]
            box = f'<rect x="{WIDTH - RIGHT + 10}" y="{y - 8}" width="10" height="10"'
            self.parts.append(f'{box} fill="{colour}"/>')
            self.text(WIDTH - RIGHT + 25, y + 1, name, "start")


def number(value: float) -> str:
    """Short: 25, 1.5, 20k, 3M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def lines(title: str, x: Axis, y: Axis, series: Mapping[str, Points]) -> str:
    """One line a series; an empty string when there is nothing to draw."""
    shown = {name: points for name, points in series.items() if len(points)}
    if not shown:
        return ""
    xs = [x.place(point[0]) for points in shown.values() for point in points]
    ys = [y.place(point[1]) for points in shown.values() for point in points]
    low_y = min(ys) if y.log else 0.0
    frame = Frame(min(xs), max(xs), low_y, max(ys) * (1.0 if y.log else 1.05) or 1.0)
    frame.grid_y(y)
    bottom = HEIGHT - BOTTOM
    for value in x.ticks(frame.low_x, frame.high_x):
        at = frame.x(x.place(value))
        frame.line(at, bottom, at, bottom + 4, "#555")
        frame.text(at, bottom + 16, number(value))
    frame.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x.label)
    for place, points in enumerate(shown.values()):
        frame.polyline(
            [(frame.x(x.place(p[0])), frame.y(y.place(p[1]))) for p in points],
            COLOURS[place % len(COLOURS)],
        )
    frame.legend(list(shown))
    return frame.svg(title)


def bars(title: str, y: Axis, groups: dict[str, dict[str, float]], stacked: bool = False) -> str:
    """Groups of bars side by side or stacked; each group has the same names."""
    if not groups:
        return ""
    names = list(next(iter(groups.values())))
    tops = [sum(g.values()) if stacked else max(g.values()) for g in groups.values()]
    frame = Frame(0.0, float(len(groups)), 0.0, max(tops) * 1.05)
    frame.grid_y(y)
    wide = (WIDTH - LEFT - RIGHT) / len(groups)
    for place, (group, values) in enumerate(groups.items()):
        left = frame.x(place) + wide * 0.12
        width = wide * 0.76 / (1 if stacked else len(names))
        base = 0.0
        for index, name in enumerate(names):
            value = values.get(name, 0.0)
            top = frame.y(base + value)
            start = left if stacked else left + index * width
            shape = f'x="{start:.1f}" y="{top:.1f}" width="{width:.1f}"'
            height = frame.y(base) - top
            colour = COLOURS[index % len(COLOURS)]
            frame.parts.append(f'<rect {shape} height="{height:.1f}" fill="{colour}"/>')
            base += value if stacked else 0.0
        frame.text(left + wide * 0.38, HEIGHT - BOTTOM + 16, group)
    frame.legend(names)
    return frame.svg(title)
