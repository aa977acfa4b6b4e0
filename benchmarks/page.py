"""The report as one self-contained HTML page: each part's tables and, below them, its charts."""

from __future__ import annotations

import re
from typing import Any

import markdown

from benchmarks.plots import Axis, Points, bars, lines
from benchmarks.stages import adds_up

Figures = dict[str, Any]
NS = Axis("ns a command")
NS_LOG = Axis("ns", log=True)
STYLE = """
body { font-family: sans-serif; max-width: 1340px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0; font-size: 13px }
td, th { border-bottom: 1px solid #ddd; padding: 3px 9px; text-align: right }
td:first-child, th:first-child { text-align: left }
figure { display: inline-block; margin: 0.5em }
"""


def throughput(report: Figures) -> str:
    groups = {}
    names = {"engine": "ns_per_command", "skeleton": "skeleton_ns", "drained": "drained_ns"}
    for flow, figures in report["core"]["flows"].items():
        rates = {name: 1e3 / figures[key] for name, key in names.items() if figures[key]}
        groups[flow.replace("normal-", "n-").replace("-symbols", "-sym")] = rates
    return bars("Throughput by flow", Axis("million commands a second"), groups, False)


def percentile_points(curve: Points) -> Points:
    """One in how many is slower, against ns."""
    return [[100 / (100 - share), max(ns, 1.0)] for share, ns in curve if 0 < share < 100]


def latency(flows: Figures, title: str) -> str:
    series = {name: percentile_points(f["single"]["all"]["curve"]) for name, f in flows.items()}
    x = Axis("one command in … takes longer", log=True)
    return lines(title, x, NS_LOG, series)


def latency_every_pass(flows: Figures) -> str:
    """Of each command the least of several passes: without what the machine adds."""
    least = {name: flow["every_pass"] for name, flow in flows.items()}
    return latency(least, "One command, least of all passes: percentiles by flow")


def latency_by_kind(report: Figures) -> str:
    flow = report["core"]["flows"]["normal"]
    kinds = {**flow["single"], "the clock alone": flow["nothing"]}
    series = {
        kind.replace("_", " "): percentile_points(single["curve"])
        for kind, single in kinds.items()
        if single["count"]
    }
    x = Axis("one command in … takes longer", log=True)
    return lines("One command of `normal`: percentiles by kind", x, NS_LOG, series)


def visible(report: Figures) -> str:
    series = {
        name: percentile_points(flow["drained"]["visible"]["curve"])
        for name, flow in report["core"]["flows"].items()
        if "drained" in flow
    }
    x = Axis("one event in … takes longer", log=True)
    return lines("Command begun to event read on another core", x, NS_LOG, series)


def scaling(report: Figures, pattern: str, title: str, axis: Axis) -> str:
    """Figures of the flows whose names hold the number along the axis."""
    flows = {**report.get("core", {}).get("flows", {}), **report.get("shapes", {}).get("flows", {})}
    found = []
    for name, figures in flows.items():
        match = re.fullmatch(pattern, name)
        if match:
            found.append((float(match[1] or 1), figures))
    found.sort(key=lambda pair: pair[0])
    keys = {
        "engine": "ns_per_command",
        "batches of 256": "batched_ns",
        "skeleton": "skeleton_ns",
    }
    series = {
        name: [[at, figures[key]] for at, figures in found if figures.get(key)]
        for name, key in keys.items()
    }
    return lines(title, axis, NS, series)


def batches(flows: Figures) -> str:
    series = {name: flow["batch_sizes"] for name, flow in flows.items() if "batch_sizes" in flow}
    return lines("Scaling by batch", Axis("commands a call", log=True), NS, series)


def stages(report: Figures) -> str:
    groups = {kind.replace("_", " "): by for kind, by in report["stages"]["instructions"].items()}
    return bars("Stages, `normal` with limits", Axis("instructions a command"), groups, True)


def stage_times(report: Figures) -> str:
    names = ("decode", "risk", "match", "publish")
    groups = {
        kind.replace("_", " "): {name: by[name]["mean_ns"] for name in names}
        for kind, by in report["stages"]["time"]["kinds"].items()
    }
    title = "Time by stage, `normal` with limits, marked copy"
    return bars(title, Axis("mean ns a command"), groups, True)


def saturation(runs: list[Figures], title: str, key: str, unit: str) -> str:
    """Offered rate against percentiles; rates without one are left out."""
    names = {"p50_ns": "p50", "p99_ns": "p99", "p999_ns": "p99.9"}
    names |= {"p50": "p50", "p99": "p99", "p99.9": "p99.9"}
    series: dict[str, list[list[float]]] = {}
    for run in runs:
        for name, value in run[key].items():
            if name in names and run["rate"]:
                series.setdefault(names[name], []).append([run["rate"], max(value, 1.0)])
    return lines(title, Axis("offered a second", log=True), Axis(unit, log=True), series)


def core_charts(report: Figures) -> list[str]:
    flows = report["core"]["flows"]
    return [
        throughput(report),
        latency(flows, "One command: percentiles by flow"),
        latency_every_pass(flows),
        latency_by_kind(report),
        visible(report),
        batches(flows),
    ]


def shape_charts(report: Figures) -> list[str]:
    depth = Axis("resting orders", log=True)
    ticks = Axis("ticks that prices spread over", log=True)
    symbols = Axis("symbols", log=True)
    return [
        scaling(report, r"deep-(\d+)", "Scaling by depth", depth),
        scaling(report, r"wide-(\d+)", "Scaling by price range", ticks),
        scaling(report, r"normal(?:-(\d+)-symbols)?", "Scaling by symbols", symbols),
    ]


def stage_charts(report: Figures) -> list[str]:
    """Times that do not add up to the whole are no picture of it: the table says so."""
    drawn = [stages(report)]
    return [*drawn, stage_times(report)] if adds_up(report["stages"]["time"]) else drawn


def open_loop_charts(report: Figures) -> list[str]:
    figures = report["open-loop"]
    return [
        saturation(figures.get("engine", []), "Saturation, in process", "latency", "ns"),
        saturation(figures.get("ring", []), "Saturation, ring", "latency", "ns"),
    ]


def wire_charts(report: Figures) -> list[str]:
    runs = report["wire"]["runs"]
    return [saturation(runs, "Saturation, FIX: order to acceptance", "accepted_us", "µs")]


CHARTS = {
    "core": core_charts,
    "shapes": shape_charts,
    "stages": stage_charts,
    "open-loop": open_loop_charts,
    "wire": wire_charts,
}


def charts(report: Figures, part: str) -> list[str]:
    """The charts of a part for which there are figures, each an SVG."""
    if part not in report or part not in CHARTS:
        return []
    return [svg for svg in CHARTS[part](report) if svg]


def page(report: Figures, text: str) -> str:
    """The whole page: the Markdown report, and below each part's heading and tables its charts."""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    body = []
    for section in sections:
        body.append(markdown.markdown(section, extensions=["tables"]))
        part = section.partition("\n")[0].removeprefix("## ")
        body += [f"<figure>{svg}</figure>" for svg in charts(report, part)]
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>touchline</title>'
    return f"{head}<style>{STYLE}</style><h1>touchline</h1>{''.join(body)}</html>\n"
