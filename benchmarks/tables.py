"""The figures as Markdown tables."""

from __future__ import annotations

from typing import Any

from benchmarks.stages import adds_up

Figures = dict[str, Any]
DO_NOT_ADD_UP = (
    "**The stages do not add up here**: for some kind their sum is more than a quarter off the "
    "same commands clocked whole, so what a mark takes alone is not what it takes between stages. "
    "Read the instructions, not these times; no chart is drawn of them."
)


def cell(value: Any, digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def rows(header: str, lines: list[list[str]]) -> list[str]:
    """A table; the header's cells are divided by bars."""
    columns = header.count("|") + 1
    head = [f"| {header} |", "|" + "---|" * columns]
    return head + [f"| {' | '.join(line)} |" for line in lines]


def flows(figures: Figures) -> list[str]:
    lines = []
    for name, flow in figures["flows"].items():
        drained = flow.get("drained", {})
        values = [flow["ns_per_command"], flow["skeleton_ns"], flow["one_by_one"]["median_ns"]]
        values.append(flow["batches_of_256"]["best_ns"])
        cells = [cell(flow.get("skeleton_ratio"), 2), *(cell(value) for value in values)]
        cells.append(cell(flow["drained_ns"]))
        cells += [cell(drained.get("million_per_s")), cell(drained.get("ratio"), 2)]
        cells += [cell(flow[f"{p}_ns"], 0) for p in ("p50", "p99", "p999")]
        cells.append(", ".join(cell(one["ns_per_command"]) for one in flow["rounds"]))
        lines.append([name, *cells])
    head = "flow | ratio to the skeleton | ns a command, best | skeleton | median | batches of 256"
    head += " | drained | million/s | ratio to undrained | one command: p50 | p99 | p99.9"
    head += " | best of each round"
    return rows(head, lines)


def kinds(figures: Figures) -> list[str]:
    """Single commands by kind, of every flow: in one pass, and each one's least of several."""
    names = ("p50_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns")
    lines = []
    for name, flow in figures["flows"].items():
        least = flow["every_pass"]
        found = {kind: (one, least["single"][kind]) for kind, one in flow["single"].items()}
        found["the clock alone"] = (flow["nothing"], least["nothing"])
        for kind, both in found.items():
            if both[0]["count"]:
                cells = [cell(single[p], 0) for single in both for p in names]
                lines.append([name, kind.replace("_", " "), str(both[0]["count"]), *cells])
    head = "flow | command | count | one pass: p50 ns | p99 | p99.9 | p99.99 | max"
    return rows(f"{head} | least of all passes: p50 | p99 | p99.9 | p99.99 | max", lines)


def slow(figures: Figures) -> list[str]:
    """Commands over 1 µs: in one pass, and those that are so in every pass."""
    lines = []
    longest = []
    for name, flow in figures["flows"].items():
        least = flow["every_pass"]
        cells = [str(flow["commands"])]
        for found in least["over_1us"].values():
            passes = found["by_pass"]
            cells += [f"{min(passes)} to {max(passes)}", str(found["every_pass"])]
        lines.append([name, *cells])
        longest += [
            [name, str(one["command"]), str(one["after"]), one["kind"].replace("_", " "),
             cell(one["ns"], 0), str(one["events"])]
            for one in least["longest"]
        ]  # fmt: skip
    head = "flow | commands | in a pass | in every pass"
    text = [
        "What the engine causes comes at the same command in every pass; what comes in one pass "
        "and not in the next is the machine's: interruptions and what they leave of the caches. "
        "Over 1 µs:",
        "",
        *rows(f"{head} | the clock alone: in a pass | in every pass", lines),
    ]
    if longest:
        head = "over 1 µs in every pass | command | after the one before | kind | ns | events"
        text += [
            "",
            "The longest of them. One that writes many events is a long sweep; the first of a flow "
            "finds its caches cold.",
            "",
        ]
        text += rows(head, longest)
    return text


def core(figures: Figures) -> list[str]:
    hops = {flow["drained"]["hop_ns"] for flow in figures["flows"].values() if "drained" in flow}
    about = []
    if hops:
        apart = f"{min(hops):.0f} to {max(hops):.0f} ns"
        about = ["", f"One hop between the two processors took {apart} while this ran.", ""]
    return [*flows(figures), *about, "", *kinds(figures), "", *slow(figures)]


def shapes(figures: Figures) -> list[str]:
    return [*flows(figures), "", *slow(figures)]


def stages(figures: Figures) -> list[str]:
    names = ("decode", "risk", "match", "publish")
    lines = [
        [kind.replace("_", " "), *(cell(by[stage], 0) for stage in names),
         cell(sum(by.values()), 0)]
        for kind, by in figures["instructions"].items()
    ]  # fmt: skip
    counted = rows("instructions | decode | risk | match | publish | all", lines)
    return [*counted, "", *stage_times(figures["time"])]


def stage_times(figures: Figures) -> list[str]:
    names = ("mean_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns")
    titles = {"whole": "all stages", "unmarked": "without marks"}
    lines = []
    for kind, by in figures["kinds"].items():
        for stage, one in by.items():
            digits = (1, *[0] * (len(names) - 1))
            cells = [cell(one[p], d) for p, d in zip(names, digits, strict=True)]
            title = [kind.replace("_", " "), titles.get(stage, stage), str(one["count"])]
            lines += [[*title, *cells]] if one["count"] else []
    step, mark = figures["clock_step_ns"], figures["mark_ns"]
    marked, unmarked = figures["marked_ns"], figures["unmarked_ns"]
    return [
        *rows("time | stage | count | mean ns | p50 | p90 | p99 | p99.9 | max", lines),
        "",
        "Measured is a copy of the core with a mark between stages, not what ships. A mark takes "
        f"{mark:.1f} ns, which is subtracted, and lets no two stages overlap: {unmarked:.1f} ns a "
        f"command without marks and no other clock, {marked:.1f} ns with them. The clock moves in "
        f"steps of {step:.2f} ns: a percentile is known to about one step, a mean much better. "
        "Means are over all commands of the kind. Without marks the clock is read around a command "
        "alone, and its cost known to a step.",
        *([] if adds_up(figures) else ["", DO_NOT_ADD_UP]),
    ]


def open_loop(figures: Figures) -> list[str]:
    lines = []
    for way in ("engine", "ring"):
        for one in figures.get(way, []):
            latency = one["latency"]
            cells = [cell(one["rate"] / 1e6), cell(one["done_per_s"] / 1e6, 2)]
            cells += [cell(latency[p], 0) for p in ("p50_ns", "p99_ns", "p999_ns", "max_ns")]
            cells.append(", ".join(cell(p99, 0) for p99 in one["p99_ns_of_rounds"]))
            lines.append([way, *cells])
    head = "way | offered, million/s | done | p50 ns | p99 | p99.9 | max"
    return rows(f"{head} | p99 of each run", lines)


def api(figures: Figures) -> list[str]:
    lines = [
        [name.replace("_", " "), cell(call["best_ns"]), cell(call["median_ns"])]
        for name, call in figures["calls"].items()
    ]
    return rows("call | ns best | median", lines)


def wire(figures: Figures) -> list[str]:
    lines = []
    for one in figures["runs"]:
        offered = str(one["rate"] or f"{one['window']} open")
        cells = [cell(value, 0) for value in one["accepted_us"].values()]
        cells += [cell(one["filled_us"][p], 0) for p in ("p50", "p99")]
        lines.append([offered, cell(one["orders_per_s"], 0), *cells])
    head = "offered/s | done/s | p50 µs | p90 | p99 | p99.9 | max"
    return rows(f"{head} | fill p50 | fill p99", lines)


def publish(figures: Figures) -> list[str]:
    names = (
        "messages_per_s",
        "events_per_s",
        "bare_messages_per_s",
        "ratio",
        "sending_ratio",
        "us_per_message",
    )
    lines = [
        [cell(one["events_a_batch"], 0), *(cell(one[name], 0) for name in names[:3]),
         *(cell(one[name], 2) for name in names[3:])]
        for one in figures["batches"]
    ]  # fmt: skip
    head = "events a batch | messages/s | events/s | bare PUB, messages/s | ratio | sending alone"
    head += " | us a message"
    text = f"{figures['events']:,} events; the mirror alone takes {figures['mirror_ns_per_event']}"
    return [*rows(head, lines), "", f"{text} ns an event."]


def capture(figures: Figures) -> list[str]:
    cells = [cell(figures["events"], 0), cell(figures["events_per_s"], 0)]
    return rows("events | events/s | bytes an event", [[*cells, cell(figures["bytes_per_event"])]])


def recovery(figures: Figures) -> list[str]:
    lines = [
        [name.replace("_", " "), cell(figures[name]["seconds"], 3),
         cell(figures[name]["commands_per_s"], 0)]
        for name in ("written", "recovery", "journal_read", "replay")
    ]  # fmt: skip
    return rows(f"{figures['commands']:,} commands | seconds | commands/s", lines)


TABLES = {
    "core": core,
    "shapes": shapes,
    "stages": stages,
    "open-loop": open_loop,
    "api": api,
    "wire": wire,
    "publish": publish,
    "capture": capture,
    "recovery": recovery,
}
