"""Line and bar charts as SVG text, drawn by matplotlib: a page can hold them and needs no file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

Points = Sequence[Sequence[float]]
INCHES = (7.6, 4.0)
# Text stays text, so that it can be searched; the same figures give the same bytes.
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "touchline", "font.size": 9}


@dataclass(frozen=True)
class Axis:
    """What is along it, and whether equal steps are equal ratios."""

    label: str
    log: bool = False


def framed(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontweight="bold")
    axes.grid(axis="y", color="#dddddd")
    axes.set_axisbelow(True)
    return figure, axes


def svg_of(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def lines(title: str, x: Axis, y: Axis, series: Mapping[str, Points]) -> str:
    """One line a series of [x, y]; an empty string when there is nothing to draw."""
    shown = {name: points for name, points in series.items() if len(points)}
    if not shown:
        return ""
    with mpl.rc_context(STYLE):
        figure, axes = framed(title)
        for name, points in shown.items():
            axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", ms=3, label=name)
        for axis, scale, set_label, formatter in (
            (x, axes.set_xscale, axes.set_xlabel, axes.xaxis),
            (y, axes.set_yscale, axes.set_ylabel, axes.yaxis),
        ):
            scale("log" if axis.log else "linear")
            set_label(axis.label)
            formatter.set_major_formatter(EngFormatter(sep=""))
        if not y.log:
            axes.set_ylim(bottom=0)
        figure.legend(loc="outside right upper", frameon=False)
        return svg_of(figure)


def bars(title: str, y: Axis, groups: Mapping[str, Mapping[str, float]], stacked: bool) -> str:
    """Groups of bars side by side or stacked; each group has the same names."""
    if not groups:
        return ""
    names = list(next(iter(groups.values())))
    with mpl.rc_context(STYLE):
        figure, axes = framed(title)
        base = [0.0] * len(groups)
        width = 0.76 / (1 if stacked else len(names))
        for index, name in enumerate(names):
            heights = [group.get(name, 0.0) for group in groups.values()]
            shift = 0.0 if stacked else (index - (len(names) - 1) / 2) * width
            places = [place + shift for place in range(len(groups))]
            axes.bar(places, heights, width, bottom=base if stacked else None, label=name)
            base = [low + high for low, high in zip(base, heights, strict=True)]
        axes.set_xticks(range(len(groups)), list(groups), rotation=20, ha="right")
        axes.set_ylabel(y.label)
        figure.legend(loc="outside right upper", frameon=False)
        return svg_of(figure)
