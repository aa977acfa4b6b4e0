"""The report: curves, plots that are XML, tables, stages by source line, and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from benchmarks import page, report, stages, tables
from benchmarks.parts import PARTS, calmest, curve, usual, with_curves
from benchmarks.plots import Axis, bars, lines
from touchline.control.operate import cli_bench
from touchline.control.operate.cli import main

HISTOGRAM: dict[str, Any] = {
    "count": 1_000,
    "p50_ns": 20.0,
    "buckets": [[10, 500], [20, 490], [900, 10]],
}
NAMES = ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns")
PROFILE = """\
fl=/src/ext/touchline/core/enter.c
fn=tl_engine_step
12 40
fi=/src/ext/touchline/core/book.h
7 60
calls=3 99
13 5000
fe=/src/ext/touchline/core/enter.c
13 2
fl=/lib/memset.c
1 70
"""


def flow_figures() -> dict[str, Any]:
    """One flow as bench_core prints it, in small."""
    single = {**dict.fromkeys(NAMES, 30.0), "count": 1_000, "buckets": HISTOGRAM["buckets"]}
    least = {**dict.fromkeys(NAMES, 20.0), "count": 1_000, "buckets": HISTOGRAM["buckets"]}
    drained = {"best_ns": 22.0, "million_per_s": 45.5, "ratio": 1.1, "hop_ns": 55.0}
    times = {"best_ns": 20.0, "median_ns": 21.0}
    return with_curves(
        {
            "ns_per_command": 20.0, "batched_ns": 19.0, "skeleton_ns": 12.0, "drained_ns": 22.0,
            "p50_ns": 30.0, "p99_ns": 30.0, "p999_ns": 30.0, "skeleton_ratio": 1.67,
            "one_by_one": times, "batches_of_256": times, "verified": True,
            "batch_sizes": [[1, 21.0], [256, 20.0]],
            "drained": {**drained, "visible": dict(single)},
            "rounds": [{"ns_per_command": 20.0}, {"ns_per_command": 29.0}],
            "nothing": dict(single), "commands": 1_000,
            "single": {"new_order": dict(single), "other": {**single, "count": 0}, "all": single},
            "every_pass": {
                "passes": 2, "nothing": dict(least),
                "single": {"new_order": least, "other": {**least, "count": 0}, "all": least},
                "over_1us": {"commands": {"by_pass": [9, 7], "every_pass": 1},
                             "nothing": {"by_pass": [2, 4], "every_pass": 0}},
                "longest": [{"command": 70, "after": 71, "kind": "new_order", "ns": 1_500,
                             "events": 12}],
            },
        }
    )  # fmt: skip


def stage_figures() -> dict[str, Any]:
    """Instructions and time by stage, in small."""
    names = ("decode", "risk", "match", "publish", "whole", "unmarked")
    one = {**dict.fromkeys(NAMES, 20.0), "mean_ns": 7.5, **HISTOGRAM}
    kinds = {kind: {name: dict(one) for name in names} for kind in ("new_order", "cancel")}
    kinds["cancel"]["risk"]["count"] = 0
    time = {"commands": 2_000, "clock_step_ns": 10.01, "mark_ns": 22.2, "marked_ns": 97.0,
            "unmarked_ns": 19.3, "kinds": kinds}  # fmt: skip
    counts = {"cancel": {"decode": 1, "risk": 2, "match": 3, "publish": 4}}
    return with_curves({"instructions": counts, "time": time})


def whole_report() -> dict[str, Any]:
    latency = with_curves({"latency": {"p50_ns": 40.0, "p99_ns": 80.0, "p999_ns": 200.0,
                                       "max_ns": 900.0, **HISTOGRAM}})  # fmt: skip
    rates = [
        {"rate": rate, "done_per_s": rate, "p99_ns_of_rounds": [80.0, 90.0], **latency}
        for rate in (1e6, 2e6)
    ]
    micros = {"p50": 400.0, "p90": 500.0, "p99": 900.0, "p99.9": 2e3, "max": 3e3}
    wire = {"rate": 500, "orders_per_s": 499.0, "accepted_us": micros, "filled_us": micros}
    deep = {f"deep-{n}": flow_figures() for n in (1_000, 10_000)}
    rest = {"seconds": 1.0, "commands_per_s": 9}
    return {
        "machine": {"cpus": 2}, "limits": ["a virtual machine"], "commit": "abc",
        "date": "2026-01-01", "seconds": dict.fromkeys(PARTS, 1.0), "verified": True,
        "core": {"flows": {"normal": flow_figures(), "normal-100-symbols": flow_figures()}},
        "shapes": {"flows": deep},
        "stages": stage_figures(),
        "open-loop": {"engine": rates, "ring": rates},
        "api": {"calls": {"one_cancel": {"best_ns": 50.0, "median_ns": 51.0}}},
        "wire": {"runs": [wire, {**wire, "rate": 0, "window": 64}]},
        "publish": {"events": 10, "mirror_ns_per_event": 19.0, "batches": [
            {"events_a_batch": 1, "messages_per_s": 9, "events_per_s": 8, "us_per_message": 9.0,
             "sending_ratio": 0.8,
             "bare_messages_per_s": 9, "ratio": 1.0}]},
        "capture": {"events": 10, "events_per_s": 5, "bytes_per_event": 12.0},
        "recovery": {"commands": 9, **dict.fromkeys(
            ("written", "recovery", "journal_read", "replay"), rest)},
    }  # fmt: skip


def test_a_curve_gives_the_value_that_a_share_does_not_exceed() -> None:
    points = {point[0]: point[1] for point in curve(HISTOGRAM)}
    assert (points[0], points[50], points[75], points[99], points[99.5]) == (10, 10, 20, 20, 900)
    assert points[100] == 900


def test_buckets_become_curves_wherever_they_are() -> None:
    found = with_curves({"a": {"b": dict(HISTOGRAM)}, "n": 1})
    assert found["n"] == 1
    assert "buckets" not in found["a"]["b"]
    assert found["a"]["b"]["curve"] == curve(HISTOGRAM)


def drawn(found: dict[str, Any]) -> list[str]:
    return [svg for part in PARTS for svg in page.charts(found, part)]


def words_of(svg: str) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


def test_every_chart_is_xml_and_names_what_it_shows() -> None:
    titles = " ".join(words_of(svg) for svg in drawn(whole_report()))
    for title in ("Throughput by flow", "command: percentiles by flow", "by kind",
                  "least of all passes: percentiles by flow", "on another core",
                  "Scaling by depth", "Scaling by symbols", "Scaling by batch", "Stages",
                  "Time by stage", "Saturation, in process", "Saturation, ring",
                  "Saturation, FIX"):  # fmt: skip
        assert title in titles


def test_the_calmest_round_is_shown_and_no_other_is_hidden() -> None:
    names = ("ns_per_command", "skeleton_ns", "batched_ns", "drained_ns", "p99_ns", "p999_ns")
    disturbed = dict(zip(names, (19.0, 24.0, 20.0, 30.0, 90.0, 400.0), strict=True))
    calm = dict(zip(names, (20.0, 16.0, 20.0, 21.0, 70.0, 160.0), strict=True))
    found = calmest([disturbed, calm])
    assert {name: found[name] for name in names} == calm
    assert found["rounds"] == [disturbed, calm]
    alone = {**calm, "skeleton_ns": None}
    assert calmest([alone])["ns_per_command"] == 20.0
    assert "| 20.0, 29.0 |" in "\n".join(tables.flows({"flows": {"normal": flow_figures()}}))


def test_nothing_to_show_draws_nothing() -> None:
    assert drawn({}) == []
    assert lines("t", Axis("x"), Axis("y"), {"a": []}) == ""
    assert bars("t", Axis("y"), {}, False) == ""


def test_names_are_escaped_in_charts() -> None:
    svg = lines("a < b", Axis("x"), Axis("y", log=True), {"<&>": [[1, 2], [2, 4]]})
    assert "a < b" in words_of(svg)
    assert "<&>" in words_of(svg)


def test_the_page_holds_charts_and_tables_and_nothing_from_elsewhere() -> None:
    found = whole_report()
    text = report.markdown(found)
    whole = page.page(found, text)
    assert whole.count("<svg") == len(drawn(found))
    assert whole.count("<table>") == text.count("\n|---")
    assert "How to prepare a machine" in whole
    assert "src=" not in whole
    for part in PARTS:
        assert f"## {part}\n" in text
        assert tables.TABLES[part](found[part])[0].startswith("| ")


def test_machine_and_what_the_words_mean_come_before_any_figure() -> None:
    found = whole_report()
    whole = page.page(found, report.markdown(found))
    first = whole.index("<table>")
    for words in ("cpus 2", "2026-01-01", "a virtual machine", "Drained", "skeleton"):
        assert 0 < whole.index(words) < first < whole.index("<svg")


def test_the_ratio_to_the_skeleton_is_the_first_figure_of_a_flow() -> None:
    head, _, row = tables.flows({"flows": {"normal": flow_figures()}})
    assert head.startswith("| flow | ratio to the skeleton | ")
    assert row.startswith("| normal | 1.67 | 20.0 | 12.0 | ")


def test_stages_that_do_not_add_up_are_called_so_and_not_drawn() -> None:
    found = whole_report()
    assert not any("do not add up" in line for line in tables.stages(found["stages"]))
    found["stages"]["time"]["kinds"]["cancel"]["unmarked"]["mean_ns"] = 17.4
    assert any("do not add up" in line for line in tables.stages(found["stages"]))
    assert [words_of(svg).count("Time by stage") for svg in page.charts(found, "stages")] == [0]


def test_of_several_open_loops_the_usual_one_is_shown_beside_all() -> None:
    runs = [
        [{"rate": 1e6, "latency": {"p99_ns": p99, "buckets": HISTOGRAM["buckets"], "count": 1_000}}]
        for p99 in (900.0, 80.0, 95.0)
    ]
    (found,) = usual(runs)
    assert found["latency"]["p99_ns"] == 95.0
    assert found["p99_ns_of_rounds"] == [900.0, 80.0, 95.0]


def test_what_is_slow_in_every_pass_is_told_from_what_is_in_one() -> None:
    found = {"flows": {"normal": flow_figures()}}
    lines = tables.core(found)
    assert (
        "| normal | new order | 1000 | 30 | 30 | 30 | 30 | 30 | 20 | 20 | 20 | 20 | 20 |" in lines
    )
    for text in (lines, tables.shapes(found)):
        assert "| normal | 1000 | 7 to 9 | 1 | 2 to 4 | 0 |" in text
        assert "| normal | 70 | 71 | new order | 1,500 | 12 |" in text
    found["flows"]["normal"]["every_pass"]["longest"] = []
    assert not any(line.startswith("The longest") for line in tables.core(found))


def test_time_by_stage_says_what_the_marks_cost() -> None:
    lines = tables.stages(stage_figures())
    assert "| new order | risk | 1000 | 7.5 | 20 | 20 | 20 | 20 | 20 |" in lines
    assert "| cancel | all stages | 1000 | 7.5 | 20 | 20 | 20 | 20 | 20 |" in lines
    assert not any(line.startswith("| cancel | risk") for line in lines)
    for figure in ("22.2 ns", "19.3 ns", "97.0 ns", "10.01 ns"):
        assert figure in lines[-1]


def test_of_several_runs_the_one_that_took_least_is_kept() -> None:
    marked = []
    unmarked = []
    for ns in (30.0, 20.0):
        stages_of = {"match": {"mean_ns": ns / 2}, "whole": {"mean_ns": ns}}
        time = dict.fromkeys(("new_order", "cancel", "replace"), stages_of)
        about = {"commands": 9, "clock_step_ns": 10.0, "mark_ns": 22.0}
        marked.append({"time": time, "one_by_one": {"best_ns": 3 * ns}, **about})
        single = {kind: {"count": 2, "buckets": [[ns, 1], [ns + 1, 1]]} for kind in time}
        unmarked.append({"single": single, "one_by_one": {"best_ns": ns / 2}})
    found = stages.together(marked, unmarked)
    assert (found["marked_ns"], found["unmarked_ns"]) == (60.0, 10.0)
    assert found["kinds"]["cancel"]["match"]["mean_ns"] == 10.0
    assert found["kinds"]["cancel"]["whole"]["mean_ns"] == 20.0
    assert found["kinds"]["cancel"]["unmarked"]["mean_ns"] == 20.5


def test_one_part_stands_at_the_top_of_the_json() -> None:
    found = whole_report()
    assert report.printed(found, ("core",))["flows"] == found["core"]["flows"]
    assert "flows" not in report.printed(found, ("core", "api"))


def test_instructions_are_counted_by_line_and_not_twice() -> None:
    costs = stages.self_costs(PROFILE)
    assert costs == {
        ("/src/ext/touchline/core/enter.c", 12): 40,
        ("/src/ext/touchline/core/book.h", 7): 60,
        ("/src/ext/touchline/core/enter.c", 13): 2,
        ("/lib/memset.c", 1): 70,
    }
    totals = stages.by_stage(costs)
    assert totals["match"] == 60
    assert sum(totals.values()) == 102


@pytest.mark.parametrize(
    ("file", "function", "stage"),
    [
        ("commands.h", "tl_event_begin", "publish"),
        ("commands.h", "tl_canceled", "publish"),
        ("match.c", "tell_trade", "publish"),
        ("match.c", "cancel_remainder", "publish"),
        ("risk.h", "tl_risk_in_range", "risk"),
        ("enter.c", "passes_limits", "risk"),
        ("positions.c", "probe_of", "risk"),
        ("positions.h", "tl_position_probe", "risk"),
        ("positions.h", "tl_position_left", "match"),
        ("commands.h", "tl_rest", "match"),
        ("commands.h", "tl_rest_less", "match"),
        ("orders.h", "tl_order_take", "match"),
        ("levels.h", "tl_block_add", "match"),
        ("levels.c", "root_raise", "match"),
        ("book.h", "tl_book_append", "match"),
        ("match.c", "move_positions", "match"),
        ("engine.c", "tl_engine_step", "decode"),
        ("amend.c", "find_own", "decode"),
    ],
)
def test_a_function_belongs_to_a_stage(file: str, function: str, stage: str) -> None:
    assert stages.stage_of(file, function) == stage


def test_a_line_belongs_to_the_function_around_it(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("int one(int a)\n{\n    return two(a);\n}\n\nstatic int two(int b)\n{\n}\n")
    assert [stages.function_at(source, line) for line in (1, 3, 7)] == ["one", "one", "two"]


def test_outside_a_checkout_bench_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "site-packages" / "touchline" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.touch()
    monkeypatch.setattr("touchline.__file__", str(package))
    assert cli_bench.checkout(package) is None
    done = CliRunner().invoke(main, ["bench", "core", "--json"])
    assert done.exit_code == 5
    assert "no source checkout" in done.output
    assert "make build" in done.output


def test_bench_knows_every_part_of_the_suite() -> None:
    assert set(cli_bench.PARTS) == set(PARTS)
    assert cli_bench.checkout(Path(cli_bench.__file__).resolve().parents[2] / "src/touchline/x.py")


def test_bench_runs_where_the_sources_are(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    class Done:
        returncode = 1

    def run(command: list[str], **_: object) -> Done:
        ran.append(command)
        return Done()

    monkeypatch.setattr("subprocess.run", run)
    done = CliRunner().invoke(main, ["bench", "core", "--orders", "2000", "--json"])
    assert done.exit_code == 1
    assert ran[0][1:] == ["-m", "benchmarks.report", "core", "--orders", "2000", "--json"]


def test_the_report_is_json() -> None:
    assert json.loads(json.dumps(whole_report()))["verified"] is True
