"""The demonstration: its flow from a seed, its proof, and a short one from end to end."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.waiting import until
from touchline.config import Config, load
from touchline.control.demo.client import refusal_kind
from touchline.control.demo.flow import BAD_REQUESTS, Behaviour, Listing, walk
from touchline.control.demo.special import TRADES, check_special
from touchline.control.demo.venue import newest_event
from touchline.control.operate.verify import Execution, check_executions, percentiles_ms
from touchline.control.supervisor.state import read_state

LISTINGS = [
    Listing("AAA", Decimal("0.01"), Decimal("1"), 10_000),
    Listing("BBB", Decimal("0.5"), Decimal("10"), 500),
]


def flow(*, maker: bool, seed: int = 1) -> Behaviour:
    return Behaviour("C", LISTINGS, tag="C", seed=seed, maker=maker, seconds=10)


@pytest.mark.parametrize("maker", [True, False])
def test_the_same_seed_sends_the_same_requests(maker: bool) -> None:
    one, two = flow(maker=maker), flow(maker=maker)
    other = flow(maker=maker, seed=2)
    requests = [one.next_request(n / 50) for n in range(300)]
    assert requests == [two.next_request(n / 50) for n in range(300)]
    assert requests != [other.next_request(n / 50) for n in range(300)]


def test_all_clients_of_a_seed_see_the_same_mid() -> None:
    assert walk(LISTINGS[0], 7, 50) == walk(LISTINGS[0], 7, 50)
    assert walk(LISTINGS[0], 7, 50) != walk(LISTINGS[0], 8, 50)


def test_a_maker_replaces_and_cancels_what_it_knows_to_rest() -> None:
    maker = flow(maker=True)
    kinds: Counter[str] = Counter()
    for step in range(600):
        request = maker.next_request(step / 100)
        kinds[request.msg_type] += 1
        fields = request.fields
        kind = {"D": "0", "G": "5", "F": "4"}[request.msg_type]
        leaves = "0" if kind == "4" else fields.get(38, "1")
        order_id = fields.get(41, fields[11]) if kind == "0" else maker_order(maker, fields[11])
        if order_id:
            maker.take({35: "8", 11: fields[11], 37: order_id, 150: kind, 151: leaves})
    assert min(kinds["D"], kinds["G"], kinds["F"]) > 50


def maker_order(maker: Behaviour, request_id: str) -> str:
    """The OrderID of the order that a cancel or replace of this flow is about."""
    order = maker._requests.get(request_id)
    return order.order_id if order else ""


def test_every_kind_of_wrong_request_is_sent_in_turn() -> None:
    taker = flow(maker=False)
    seen = [make(taker, LISTINGS[0], 0.0) for make in BAD_REQUESTS]
    assert len({json.dumps(r.fields | {11: ""}) for r in seen}) == len(BAD_REQUESTS)
    assert any(54 not in request.fields for request in seen)


def test_refusals_of_one_cause_count_together() -> None:
    texts = ["price 100.005 is not a multiple of 0.01", "price 99.995 is not a multiple of 0.01"]
    assert {refusal_kind({58: text}) for text in texts} == {"price … is not a multiple of …"}


def test_the_proof_fails_when_one_execution_is_missing_other_or_twice() -> None:
    one = Execution("ACC1", "AAA", "1", Decimal(5), Decimal("10.00"))
    other = Execution("ACC2", "AAA", "2", Decimal(5), Decimal("10.00"))
    both = {"7-1": one, "7-2": other}
    told = {"ACC1": {"7-1": one}, "ACC2": {"7-2": other}}

    def holds(told: dict[str, dict[str, Execution]], captured: dict[str, Execution]) -> list[bool]:
        return [check.ok for check in check_executions(told, captured, 0)[0]]

    assert holds(told, both) == [True, True]
    assert holds(told, {"7-1": one}) == [False, False]
    assert holds({"ACC1": {"7-1": one}}, both) == [False, False]
    assert holds(told, both | {"7-2": Execution("ACC2", "AAA", "2", Decimal(5), Decimal(11))}) == [
        False,
        False,
    ]
    assert holds(told, {"8-1": one, "7-2": other}) == [False, True]
    assert not check_executions(told, both, 1)[0][0].ok
    assert holds({}, {}) == [False, False]


def test_percentiles_are_exact_ranks(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "round_trips.ns"
    np.arange(1, 101, dtype="<i8").__mul__(1_000_000)[::-1].tofile(path)
    assert percentiles_ms([path]) == {
        "p50": 51.0, "p90": 91.0, "p99": 100.0, "max": 100.0, "count": 100,
    }  # fmt: skip
    assert percentiles_ms([]) == {}


def demonstrate(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """A demonstration in a process, to be waited for."""
    command = [
        sys.executable,
        "-m",
        "touchline.control.operate.cli",
        "demo",
        "--json",
        "--seed",
        "5",
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TOUCHLINE_")}
    return subprocess.Popen(
        [*command, "--rate", "60", "--keep", str(directory), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def proven(popen: subprocess.Popen[str]) -> dict[str, Any]:
    """What a demonstration said at its end, when it held."""
    output, errors = popen.communicate(timeout=120)
    assert popen.returncode == 0, output + errors
    facts: dict[str, Any] = json.loads(output)
    assert facts["proof_holds"]
    assert [check["ok"] for check in facts["checks"]] == [True] * 6
    return facts


def test_a_short_demonstration_proves_itself(tmp_path: Path) -> None:
    facts = proven(demonstrate(tmp_path / "demo", "--seconds", "3"))
    assert facts["fills"] > 0
    assert facts["fills"] == sum(row["trades"] for row in facts["vwap"]) * 2
    assert facts["captured"] == facts["events"]
    assert facts["round_trip_ms"]["count"] >= facts["requests"] - len(facts["clients"])
    assert {"the instrument is halted", "unknown symbol 'ZZZ'"} <= set(facts["refusals"])
    bus_path = load(str(tmp_path / "demo" / "touchline.toml")).bus_path
    assert Path(bus_path).parent.is_dir()
    assert not Path(bus_path).exists()


def test_the_proof_holds_when_gateway_and_engine_are_killed_in_full_flow(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    popen = demonstrate(directory, "--seconds", "14")
    try:
        until(lambda: (directory / "data" / "run.json").exists(), "the venue starts")
        config = load(directory / "touchline.toml")
        until(lambda: (read_state(config) or {}).get("open"), "the venue opens")
        for name in ("gateway", "engine"):
            _await_flow(config)
            os.kill(_part(config, name)["pid"], signal.SIGKILL)
            until(functools.partial(_is_back, config, name), f"{name} is back")
        _await_flow(config)
        assert proven(popen)["fills"] > 0
    finally:
        popen.kill()
        popen.communicate()


def _is_back(config: Config, name: str) -> bool:
    part = _part(config, name)
    return bool(part["restarts"] == 1 and part["ready"])


def _await_flow(config: Config) -> None:
    """Return when the venue has handled some hundred events more."""
    start = newest_event(config)
    until(lambda: newest_event(config) > start + 150, "orders flow")


def _part(config: Config, name: str) -> dict[str, Any]:
    state = read_state(config)
    assert state is not None
    return dict(state["parts"][name])


ACTED: dict[str, list[tuple[Any, ...]]] = {
    "trades": [(price, float(qty)) for _, price, qty in TRADES],
    "uncrossed": [(50.0, 40.0)],
    "told": [("TRIGGERED", 1), ("RESTATED", 5), ("INDICATIVE", 1), ("TRADE", 7)],
}


def test_what_special_orders_come_to_is_held_against_what_is_known() -> None:
    check, trades = check_special(ACTED)
    assert check.ok
    assert [trade["what"] for trade in trades] == [what for what, _, _ in TRADES]
    for name, wrong in (
        ("trades", ACTED["trades"][:-1]),
        ("trades", [*ACTED["trades"], (50.0, 1.0)]),
        ("trades", [(50.05, 20.0), *ACTED["trades"][1:]]),
        ("uncrossed", []),
        ("uncrossed", [(50.05, 40.0)]),
        ("told", [row for row in ACTED["told"] if row[0] != "TRIGGERED"]),
        ("told", [row for row in ACTED["told"] if row[0] != "RESTATED"]),
        ("told", [row for row in ACTED["told"] if row[0] != "INDICATIVE"]),
    ):
        assert not check_special(ACTED | {name: wrong})[0].ok
