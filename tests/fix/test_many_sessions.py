"""More sessions than a byte can number: the last of them is told of its own orders."""

from __future__ import annotations

import signal
from pathlib import Path

from harness.fix_broker import Broker
from harness.fix_client import utc_now
from harness.fix_venue import running_venue

SESSIONS = 600


def order(cl_ord_id: str, side: str) -> tuple[str, ...]:
    return (f"11={cl_ord_id}", "21=1", "55=S00", f"54={side}", "38=10", "40=2", "44=10.00", "59=0",
            f"60={utc_now()}")  # fmt: skip


def test_the_six_hundredth_session_is_told_of_its_orders_after_a_kill(tmp_path: Path) -> None:
    sessions = [{"comp_id": f"B{n}", "accounts": ["ACC1"]} for n in range(SESSIONS)]
    accounts = [{"name": "ACC1"}]
    with running_venue(tmp_path, sessions=sessions, accounts=accounts) as venue:
        # 599 is 87 modulo 256: who is known by a byte alone would be told in its place.
        last, other, taker = (Broker(venue, f"B{n}") for n in (599, 87, 3))
        last.connect()
        last.send("D", *order("resting", "1"))
        last.wait_for(1)
        last.disconnect()
        venue.end("gateway", signal.SIGKILL)
        assert venue.start("gateway") == "ready"
        taker.connect()
        taker.send("D", *order("taking", "2"))
        taker.wait_for(2)
        last.connect()
        last.wait_for(2)
        assert [(m["11"], m["39"]) for m in last.told] == [("resting", "0"), ("resting", "2")]
        other.connect()
        other.catch_up()
        assert other.told == []
        for broker in (last, other, taker):
            broker.disconnect()
