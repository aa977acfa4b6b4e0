"""Honest brokers in a process of their own: what an attack must not disturb.

`python -m attacks.honest trade|visit PORT`, in tests/, says "ready", then obeys lines on standard
input. "measure 4.0" makes it trade or visit for so many seconds and print one line of JSON. Trading
keeps a timetable: a round trip counts from when it was due, so that a standstill of the venue is
seen in every order it held up, and not in one. A line that ends the input ends the process.
"""

import json
import sys
import threading
import time
from itertools import count
from typing import Any

from harness.fix_client import Closed, FixClient, Message, utc_now

TRADERS = (("HONEST1", "127.0.0.1", "S00"), ("HONEST2", "127.0.0.2", "S01"))
VISITOR = ("VISITOR", "127.0.0.3")
PASSWORD = "secret"
ORDER_EVERY_S = 0.004
VISIT_EVERY_S = 0.1
ANSWER_S = 20.0
LOGON_S = 5.0


def percentile(values: list[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


class Trader:
    """A session that enters an order and cancels it, and reads every answer in sequence."""

    def __init__(self, port: int, comp_id: str, source: str, symbol: str) -> None:
        self._client = FixClient(port, comp_id, source=source, timeout_s=ANSWER_S)
        self._symbol = symbol
        self._numbers = count()
        self._open = ""
        assert self._client.logon()["35"] == "A"
        self._expected = 2

    def round_trip(self) -> str:
        """One order or its cancel; what was wrong with the answer, or ""."""
        cl_ord_id = f"{self._client.comp_id}-{next(self._numbers)}"
        common = (f"11={cl_ord_id}", f"55={self._symbol}", "54=1", "38=10", f"60={utc_now()}")
        if self._open:
            self._client.send("F", f"41={self._open}", *common)
        else:
            self._client.send("D", *common, "40=2", "44=1.00")
        wanted = ("8", "4" if self._open else "0", cl_ord_id)
        self._open = "" if self._open else cl_ord_id
        answer = self._next()
        found = (answer["35"], answer.get("150"), answer.get("11"))
        return "" if found == wanted else f"answered {found}, not {wanted}"

    def _next(self) -> Message:
        while True:
            message = self._client.receive()
            if int(message["34"]) != self._expected:
                raise ValueError(f"number {message['34']} came, not {self._expected}")
            self._expected += 1
            if message["35"] == "1":
                self._client.send("0", f"112={message['112']}")
            elif message["35"] != "0":
                return message


def trade(traders: list[Trader], seconds: float) -> dict[str, Any]:
    """Round trips by the timetable: how many, their 50th, 99th and last percentile in ms."""
    took: list[float] = []
    faults: list[str] = []
    start = time.monotonic()
    pause = threading.Event()
    for number in range(int(seconds / ORDER_EVERY_S)):
        due = start + number * ORDER_EVERY_S
        if due > time.monotonic():
            pause.wait(due - time.monotonic())
        try:
            fault = traders[number % len(traders)].round_trip()
        except (OSError, Closed, ValueError) as error:
            faults.append(f"a broker: {type(error).__name__} {error}")
            break
        took.append(time.monotonic() - due)
        faults += [f"a broker was {fault}"] if fault else []
        if took[-1] > ANSWER_S:
            faults.append(f"an order took {took[-1]:.1f} s")
            break
    if not took:
        return {"count": 0, "faults": faults}
    numbers = {
        name: 1000 * percentile(took, share)
        for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))
    }
    return {"count": len(took), "faults": faults[:3], **numbers}


class Visitor:
    """A broker who comes, is answered, and goes: a Logon that must always succeed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._next_seq = 0  # 0: with ResetSeqNumFlag(141)

    def visit(self) -> str:
        """Log on and off again; why it failed, or ""."""
        comp_id, source = VISITOR
        reset, stage = not self._next_seq, "connecting"
        try:
            with FixClient(self._port, comp_id, source=source, timeout_s=LOGON_S) as client:
                client.next_seq = self._next_seq or 1
                self._next_seq = 0
                stage = "logon"
                answer = client.logon(f"554={PASSWORD}", reset=reset)
                if answer["35"] != "A":
                    return f"a Logon was answered by {answer['35']}: {answer.get('58')}"
                stage = "logout"
                client.send("5")
                while client.receive()["35"] != "5":
                    pass
                self._next_seq = client.next_seq
        except (OSError, Closed) as error:
            return f"{stage}: {type(error).__name__} {error}"
        return ""


def visits(visitor: Visitor, seconds: float) -> dict[str, Any]:
    """Visits by the timetable: how many were tried, how many succeeded, the slowest in ms."""
    tried, slowest, faults = 0, 0.0, []
    start, pause = time.monotonic(), threading.Event()
    while (now := time.monotonic()) < start + seconds:
        fault = visitor.visit()
        tried += 1
        slowest = max(slowest, time.monotonic() - now)
        faults += [fault] if fault else []
        pause.wait(max(0.0, now + VISIT_EVERY_S - time.monotonic()))
    good = tried - len(faults)
    return {"tried": tried, "good": good, "slowest_ms": 1000 * slowest, "faults": faults[:2]}


def main(role: str, port: int) -> None:
    visitor = Visitor(port)
    traders = [Trader(port, *broker) for broker in TRADERS] if role == "trade" else []
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        found = trade(traders, seconds) if traders else visits(visitor, seconds)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
