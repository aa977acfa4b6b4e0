"""The checker of other engines' cases: right expectations agree, wrong ones are told apart."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conformance.check_cases import main, verdict


def new(id_: int, side: str, price: int, qty: int, **others: Any) -> dict[str, Any]:
    limit = {"op": "new", "type": "limit", "tif": "gtc"}
    return limit | {"id": id_, "side": side, "price": price, "qty": qty} | others


def case(**expected: Any) -> dict[str, Any]:
    steps = [
        new(1, "sell", 101, 10),
        new(2, "buy", 101, 4, tif="ioc"),
        {"op": "replace", "id": 1, "price": 102, "qty": 9},
        {"op": "reduce_to", "id": 1, "qty": 2},
        {"op": "cancel", "id": 1},
    ]
    return {"name": "one", "tags": ["limit"], "steps": steps, "expect": [{"after": 4} | expected]}


TRADE = {"maker": 1, "taker": 2, "price": 101, "qty": 4, "maker_left": 6, "maker_done": False}


@pytest.mark.parametrize(
    "expected",
    [
        {"after": 1, "trades": [TRADE]},
        {"after": 1, "matched": True, "order_state": {1: "open", 2: "filled"}},
        {"after": 1, "since": -1, "fills": {1: {"qty": 4, "cost": 404}}},
        {"after": 2, "depth": {"bids": [], "asks": [[102, 1, 5]], "asks_complete": True}},
        {"after": 2, "open_qty_change": {1: -1}},
        {"after": 3, "events": [{"ev": "cancelled", "id": 1, "qty": 3, "left": 2}]},
        {"after": 3, "order": {1: {"open_qty": 2, "order_qty": 6, "price": 102}}},
        {"resting_total": 0, "levels": {"bids": 0, "asks": 0}, "last_price": 101},
    ],
)
def test_a_right_expectation_agrees(expected: dict[str, Any]) -> None:
    assert verdict(case(**expected)) == ("agrees", "")


@pytest.mark.parametrize(
    "expected",
    [
        {"after": 1, "trades": []},
        {"after": 1, "trades": [TRADE | {"price": 100}]},
        {"after": 0, "matched": True},
        {"after": 1, "order_state": {2: "open"}},
        {"after": 2, "depth": {"bids": [], "asks": [[101, 1, 5]]}},
        {"after": 2, "open_qty_change": {1: -2}},
        {"resting_total": 1},
    ],
)
def test_a_wrong_expectation_is_found(expected: dict[str, Any]) -> None:
    result, why = verdict(case(**expected))
    assert result == "WRONG"
    assert "expected" in why


def test_a_file_with_a_wrong_case_fails_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps(case(resting_total=0)) + "\n")
    assert main([str(tmp_path)]) == 0
    other = case(resting_total=1) | {"name": "Match_Market"}
    wrong = case(resting_total=1) | {"name": "three"}
    file.write_text("\n".join(map(json.dumps, (case(resting_total=0), other, wrong))))
    capsys.readouterr()
    assert main([str(file)]) == 1
    printed = capsys.readouterr().out
    assert "1 agrees, 1 differs as listed, 1 WRONG" in printed
    assert "three" in printed


LIMIT = new(1, "sell", 101, 10)
NOT_KNOWN: list[tuple[str, dict[str, Any], str]] = [
    ("an operation", {"steps": [{"op": "peg", "id": 1}]}, "step 0: op 'peg' is not known; known"),
    ("a private name", {"steps": [{"op": "submit"}]}, "op 'submit' is not known"),
    ("a side", {"steps": [LIMIT | {"side": "short"}]}, "side 'short' is not known; known are buy"),
    ("a type", {"steps": [LIMIT | {"type": "pegged"}]}, "type 'pegged' is not known"),
    ("a time in force", {"steps": [LIMIT | {"tif": "gtd"}]}, "tif 'gtd' is not known; known are f"),
    ("no quantity", {"steps": [{**LIMIT, "qty": None}]}, "qty None is no whole number"),
    ("a price with a point", {"steps": [LIMIT | {"price": 1.5}]}, "price 1.5 is no whole number"),
    ("no id", {"steps": [{"op": "cancel"}]}, "step 0: id is missing from"),
    ("a step that is none", {"steps": [7]}, "step 0: 7 is no object with names"),
    (
        "an expectation",
        {"expect": [{"after": 0, "vwap": 1}]},
        "expectation 'vwap' is not known",
    ),
    ("a step later", {"expect": [{"after": 5, "matched": True}]}, "steps 5 to 5 are not all"),
    ("no step", {"expect": [{"matched": True}]}, "after is missing from"),
    (
        "an order",
        {"expect": [{"after": 0, "order_state": {"9": "open"}}]},
        "order '9' was never",
    ),
    (
        "an order's change",
        {"expect": [{"after": 1, "open_qty_change": {9: 1}}]},
        "order 9 was",
    ),
    (
        "a change of form",
        {"expect": [{"after": 0, "depth": {"bids": []}}]},
        "depth .* is not of",
    ),
    ("trades of form", {"expect": [{"after": 0, "trades": 7}]}, "trades 7 is not of the form"),
    ("no steps", {"steps": None}, "steps None is no list"),
]


@pytest.mark.parametrize(("changes", "told"), [row[1:] for row in NOT_KNOWN], ids=[
    row[0] for row in NOT_KNOWN
])  # fmt: skip
def test_what_is_not_known_is_named(changes: dict[str, Any], told: str) -> None:
    result, why = verdict(case(after=0, resting_total=1) | changes)
    assert result == "NOT KNOWN"
    assert re.search(told, why), why


@pytest.mark.parametrize("missing", ["name", "steps", "expect"])
def test_a_part_that_is_missing_is_named(missing: str) -> None:
    whole = case(resting_total=0)
    del whole[missing]
    result, why = verdict(whole)
    assert (result, why[: len(missing) + 11]) == ("NOT KNOWN", f"{missing} is missing")


def test_a_file_with_what_is_not_known_fails_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps(case(resting_total=0)), "{not json", "7", json.dumps(case(vwap=1))]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines))
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "1 agrees, 3 NOT KNOWN" in printed
    for told in ("line 2 is not JSON", "7 is no object with names", "expectation 'vwap'"):
        assert told in printed


def test_stop_and_all_or_none_orders_are_played() -> None:
    steps = [
        new(1, "sell", 100, 1),
        new(2, "buy", 100, 1),  # a last price for stops
        new(3, "sell", 102, 5, aon=True),
        {"op": "new", "id": 4, "side": "buy", "type": "stop", "tif": "gtc", "stop_price": 101,
         "qty": 5},
        new(5, "buy", 102, 3),
        new(6, "sell", 101, 1),
        new(7, "buy", 101, 1),
    ]  # fmt: skip
    played = {"name": "one", "tags": ["aon", "stop"], "steps": steps}
    expect = [
        {"after": 4, "trades": [], "depth": {"bids": [[102, 1, 3]], "asks": []}},
        {"after": 5, "trades": [{"maker": 5, "taker": 6, "price": 102, "qty": 1},
                                {"maker": 3, "taker": 4, "price": 102, "qty": 5}]},
    ]  # fmt: skip
    assert verdict(played | {"expect": expect}) == ("agrees", "")
