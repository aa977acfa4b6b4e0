"""Run other matching engines' test cases, as neutral JSON lines, and compare what they expect.

`PYTHONPATH=tests python -m conformance.check_cases PATH...` reads files (or directories) of lines
such as
`{name, tags, steps: [{op, id, side, type, tif, price, qty}], expect: [{after, trades|depth|...}]}`.
A case of a convention we do not share is run and has to differ; it stands in a table here with the
reason. Exit code 0 when every other case agrees.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.case_player import (
    SIDE_OF,
    After,
    Case,
    CaseError,
    Json,
    Order,
    listed,
    needed,
    whole,
)

RESTING_MARKET = "what a market order does not trade is canceled here; there it rests (rule 3.4)"
NO_FUNDS = "balances and reserve prices are not kept, so nothing is refused for lack of funds"
ALL_OR_NONE_UNSEEN = (
    "an all-or-none order waits unseen and behind what is shown (rule 8.12); there it is shown"
)
CONVENTIONS = {
    "TestAonAskMatchAon": ALL_OR_NONE_UNSEEN,
    "TestAonAskMatchMulti": ALL_OR_NONE_UNSEEN,
    "TestAonBidMatchAon": ALL_OR_NONE_UNSEEN,
    "TestOneAonBidOneAonAsk": ALL_OR_NONE_UNSEEN,
    "TestRegAskMatchMulti": ALL_OR_NONE_UNSEEN,
    "TestRegBidMatchMulti": ALL_OR_NONE_UNSEEN,
    "TestTwoAonBidOneAonAsk": ALL_OR_NONE_UNSEEN,
    "Match_Market": RESTING_MARKET,
    "TestNoMktToMktWithoutPreviousTrade": RESTING_MARKET,
    "Modify_Side": "a replace keeps the order's side (rule 4.5); there it may change it",
    "basic scenario": NO_FUNDS,
    "move orders UP and DOWN": NO_FUNDS,
}
# Of a case that is run otherwise: what it says of balances is not compared.
EXPECTATIONS_NOT_OFFERED = ("balance",)
# What says when and of which symbol something is expected, and a kind that looks at two steps.
PLACES = ("after", "since", "symbol")
CHANGE = "open_qty_change"
FIELDS_NOT_OFFERED = ("reserve_price", "bidder_hold_price")


# What a case expects after a step, each kind by a function that returns (expected, got)


def subset(got: Json, expected: Json) -> Json:
    return {name: got.get(name) for name in expected}


def comparable(expected: Json) -> Json:
    return {name: value for name, value in expected.items() if name not in FIELDS_NOT_OFFERED}


def order_of(after: After, id_: Any) -> Order:
    """An order that an expectation speaks of."""
    if id_ not in after.orders:
        known = ", ".join(map(str, after.orders)) or "none"
        raise CaseError(f"order {id_!r} was never entered; entered were {known}")
    return after.orders[id_]


def expect_trades(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    expected = [comparable(trade) for trade in expectation["trades"]]
    got = [trade for after in steps for trade in after.trades]
    if len(got) == len(expected):
        got = [subset(ours, theirs) for ours, theirs in zip(got, expected, strict=True)]
    return expected, got


def expect_events(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    expected = expectation["events"]
    got = [event for after in steps for event in after.events]
    if len(got) == len(expected):
        got = [subset(ours, theirs) for ours, theirs in zip(got, expected, strict=True)]
    return expected, got


def expect_depth(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    """As many levels as are written down, all where they are said to be complete."""
    expected, got = {}, {}
    for name in SIDE_OF:
        expected[name] = expectation["depth"][name]
        most = None if f"{name}_complete" in expectation["depth"] else len(expected[name])
        got[name] = [list(level) for level in steps[-1].levels[name][:most]]
    return expected, got


def expect_book(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    levels = steps[-1].levels
    got = {name: [[price, qty] for price, _, qty in levels[name]] for name in SIDE_OF}
    return expectation["book"], got


def expect_levels(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    got = {name: len(steps[-1].levels[name]) for name in expectation["levels"]}
    return expectation["levels"], got


def expect_resting_orders(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    expected = expectation["resting_orders"]
    levels = steps[-1].levels
    return expected, {name: sum(orders for _, orders, _ in levels[name]) for name in expected}


def expect_resting_total(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    got = sum(orders for side in steps[-1].levels.values() for _, orders, _ in side)
    return expectation["resting_total"], got


def expect_matched(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    return expectation["matched"], bool(steps[-1].trades)


def expect_order_state(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    expected = expectation["order_state"]
    return expected, {id_: order_of(steps[-1], id_).state for id_ in expected}


def expect_order(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    expected = expectation["order"]
    last = steps[-1]
    return expected, {
        id_: subset(vars(order_of(last, id_)), what) for id_, what in expected.items()
    }


def expect_fills(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    expected = expectation["fills"]
    got = {}
    for id_ in expected:
        trades = [
            trade for after in steps for trade in after.trades
            if id_ in (trade["maker"], trade["taker"])
        ]  # fmt: skip
        cost = sum(trade["qty"] * trade["price"] for trade in trades)
        got[id_] = {"qty": sum(trade["qty"] for trade in trades), "cost": cost}
    return expected, got


def expect_result(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    return expectation["result"], steps[-1].result


def expect_orders(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    expected = {
        owner: [comparable(order) for order in orders]
        for owner, orders in expectation["orders"].items()
    }
    got: dict[str, list[Json]] = {owner: [] for owner in expected}
    for order in steps[-1].orders.values():
        if order.owner in got and order.state == "open":
            what = {"id": order.id, "price": order.price, "size": order.order_qty}
            got[order.owner].append(what | {"filled": order.filled, "side": order.side})
    return expected, got


def expect_cancelled(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    events = steps[-1].events
    got = {str(event["id"]): event["qty"] for event in events if event["ev"] == "cancelled"}
    return expectation["cancelled"], got


def open_qty_change(before: After, after: After, expectation: Json) -> tuple[Any, Any]:
    expected = expectation[CHANGE]
    got = {id_: order_of(after, id_).open_qty - order_of(before, id_).open_qty for id_ in expected}
    return expected, got


def expect_last_price(steps: list[After], expectation: Json) -> tuple[Any, Any]:
    return expectation["last_price"], steps[-1].last_price


EXPECTATIONS: dict[str, Callable[[list[After], Json], tuple[Any, Any]]] = {
    "book": expect_book,
    "cancelled": expect_cancelled,
    "depth": expect_depth,
    "events": expect_events,
    "fills": expect_fills,
    "last_price": expect_last_price,
    "levels": expect_levels,
    "matched": expect_matched,
    "order": expect_order,
    "order_state": expect_order_state,
    "orders": expect_orders,
    "resting_orders": expect_resting_orders,
    "resting_total": expect_resting_total,
    "result": expect_result,
    "trades": expect_trades,
}


def differences(case: Json) -> list[str]:
    """Every expectation that our engine does not meet, in a line each."""
    after = Case(case).after
    found = []
    for expectation in listed(case, "expect"):
        last = whole(expectation, "after")
        first = whole({"since": last - 1} | expectation, "since") + 1
        if not (0 <= first <= last + 1 and last < len(after)):
            raise CaseError(f"steps {first} to {last} are not all among 0 to {len(after) - 1}")
        for name in expectation.keys() - {*PLACES, *EXPECTATIONS_NOT_OFFERED}:
            expected, got = compared(name, after, first, last, expectation)
            if expected != got:
                found.append(f"after step {last}, {name}: expected {expected}, got {got}")
    return sorted(found)


def compared(
    name: str, after: list[After], first: int, last: int, expectation: Json
) -> tuple[Any, Any]:
    """What one expectation wants, and what there is; CaseError for what makes no sense."""
    known = sorted([*EXPECTATIONS, CHANGE, *EXPECTATIONS_NOT_OFFERED, *PLACES])
    if name not in known:
        raise CaseError(f"expectation {name!r} is not known; known are {', '.join(known)}")
    try:
        if name == CHANGE:
            if last == 0:
                raise CaseError("there is no step before the first to compare with")
            return open_qty_change(after[last - 1], after[last], expectation)
        return EXPECTATIONS[name](after[first : last + 1], expectation)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise CaseError(f"{name} {expectation[name]!r} is not of the form that is known") from error


def verdict(case: Json) -> tuple[str, str]:
    """Whether a case agrees, differs as listed, is WRONG or NOT KNOWN; and why."""
    try:
        convention = CONVENTIONS.get(str(needed(case, "name")))
        found = differences(case)
    except CaseError as error:
        return "NOT KNOWN", str(error)
    if convention:
        if found:
            return "differs as listed", convention
        return "WRONG", "listed as a difference of convention, but it agrees"
    return ("WRONG", "; ".join(found)) if found else ("agrees", "")


def files_of(paths: list[str]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        files += sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    return files


def main(paths: list[str]) -> int:
    files = files_of(paths)
    if not files:
        print(
            "usage: PYTHONPATH=tests python -m conformance.check_cases FILE.jsonl|DIR ...",
            file=sys.stderr,
        )
        return 2
    reasons: dict[str, list[str]] = {}
    total: Counter[str] = Counter()
    for file in files:
        counts: Counter[str] = Counter()
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            try:
                case = json.loads(line)
                result, why = verdict(case)
            except json.JSONDecodeError as error:
                case, result, why = None, "NOT KNOWN", f"line {number} is not JSON: {error}"
            counts[result] += 1
            name = str(case.get("name")) if isinstance(case, dict) else f"line {number}"
            if result != "agrees":
                reasons.setdefault(f"{result}: {why}", []).append(name)
        total += counts
        print(f"{file.name:32}", ", ".join(f"{n} {name}" for name, n in counts.items()))
    print(f"{'in all':32}", ", ".join(f"{n} {name}" for name, n in total.items()))
    for reason, names in sorted(reasons.items()):
        print(f"\n{reason}\n  {', '.join(names)}")
    return 1 if total["WRONG"] or total["NOT KNOWN"] or not total["agrees"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
