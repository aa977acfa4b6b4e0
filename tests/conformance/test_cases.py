"""The checker of other engines' cases: right expectations agree, wrong ones are told apart."""

import json
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
    stop = case(resting_total=1) | {"name": "two", "tags": ["stop"]}
    wrong = case(resting_total=1) | {"name": "three"}
    file.write_text("\n".join(map(json.dumps, (case(resting_total=0), stop, wrong))))
    capsys.readouterr()
    assert main([str(file)]) == 1
    printed = capsys.readouterr().out
    assert "1 agrees, 1 not offered, 1 WRONG" in printed
    assert "three" in printed
