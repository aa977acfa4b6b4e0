"""A broker with an engine in another language: jspurefix on node, with its own dictionary.

`make javascript` installs it; CI does so first, and there this test never skips.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.fix_venue import TESTS, PartsVenue, running_venue

FOLDER = TESTS.parent / "build" / "javascript"


class Broker:
    """The program, a line at a time."""

    def __init__(self, venue: PartsVenue, comp_id: str) -> None:
        self._process = subprocess.Popen(
            ["node", str(TESTS / "fix/javascript/initiator.js"), str(venue.port), comp_id, FOLDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if not (FOLDER / "node_modules/jspurefix").is_dir() or shutil.which("node") is None:
        assert "CI" not in os.environ, "`make javascript` was not run"
        pytest.skip("`make javascript` installs what this needs")
    with running_venue(tmp_path) as venue:
        broker = Broker(venue, "BROKER1")
        try:
            yield broker
        finally:
            broker.end()


def order(cl_ord_id: str, side: str, price: float) -> tuple[str, dict[str, Any]]:
    return "D", {
        "ClOrdID": cl_ord_id,
        "HandlInst": "1",
        "Instrument": {"Symbol": "S00"},
        "Side": side,
        "OrderQtyData": {"OrderQty": 20},
        "OrdType": "2",
        "Price": price,
    }


def test_an_engine_in_javascript_trades(broker: Broker) -> None:
    assert broker.receive() == {"ready": True}
    broker.send(order("buy", "1", 10.05))
    first = broker.receive()
    assert (first["ClOrdID"], first["ExecType"], first["LeavesQty"]) == ("buy", "0", 20)
    change = {"OrigClOrdID": "buy", "Instrument": {"Symbol": "S00"}, "Side": "1"}
    larger = order("more", "1", 10.10)[1] | change | {"OrderQtyData": {"OrderQty": 40}}
    broker.send(("G", larger))
    replaced = broker.receive()
    assert (replaced["ExecType"], replaced["OrderQtyData"]["OrderQty"]) == ("5", 40)
    broker.send(order("sell", "2", 10.10))
    fills = [broker.receive() for _ in range(3)]
    assert sorted((m["ClOrdID"], m["OrdStatus"]) for m in fills if m["ExecType"] == "F") == [
        ("more", "1"),
        ("sell", "2"),
    ]
    broker.send(("F", {"ClOrdID": "off", "OrderQtyData": {"OrderQty": 40}} | change
                 | {"OrigClOrdID": "more"}))  # fmt: skip
    gone = broker.receive()
    assert (gone["ClOrdID"], gone["OrdStatus"], gone["CumQty"]) == ("off", "4", 20)
    broker.send(("F", {"ClOrdID": "late", "OrderQtyData": {"OrderQty": 40}} | change
                 | {"OrigClOrdID": "more"}))  # fmt: skip
    assert broker.receive()["35"] == "9"
    broker.send("logout")
    assert broker.receive() == {"stopped": True}
