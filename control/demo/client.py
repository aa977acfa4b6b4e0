"""One broker of the demonstration: a quickfix initiator in a process of its own.

Started as `python -m touchline.control.demo.client` with its task as JSON on the first line of
standard input. Commands follow, one word a line: `go`, `stop`, `fence`, `quit`, or an order as a
JSON object of its fields; the end of input quits too, so no client outlives the demonstration.
Progress goes to standard output as JSON lines. It writes down every report it was told, and how
long each answer took, for the proof afterwards. The main thread decides and sends; quickfix's own
thread only stamps and queues what arrives.
"""

from __future__ import annotations

import csv
import json
import sys
import threading
import time
from array import array
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import quickfix as fix

from touchline.control.demo.flow import Behaviour, Listing, Request

REPORT_COLUMNS = {
    35: "msg_type",
    17: "exec_id",
    150: "exec_type",
    39: "ord_status",
    37: "order_id",
    11: "cl_ord_id",
    41: "orig_cl_ord_id",
    55: "symbol",
    54: "side",
    32: "last_qty",
    31: "last_px",
    151: "leaves_qty",
    14: "cum_qty",
    103: "ord_rej_reason",
    102: "cxl_rej_reason",
    1: "account",
    58: "text",
}
REPORT_TAGS = tuple(REPORT_COLUMNS)
IN_FLIGHT_MAX = 64
PROGRESS_S = 0.25

SETTINGS = """\
[DEFAULT]
ConnectionType=initiator
ReconnectInterval=1
HeartBtInt=30
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=N
SocketNodelay=Y
ResetOnLogon={reset}
FileStorePath={directory}/store
SocketConnectHost={host}
SocketConnectPort={port}
[SESSION]
BeginString={begin_string}
SenderCompID={comp_id}
TargetCompID={target_comp_id}
"""


class Client(fix.Application):  # type: ignore[misc]
    """quickfix's callbacks; each queues what happened and returns at once."""

    def __init__(self, password: str | None) -> None:
        super().__init__()
        self._password = password
        self.session_id: Any = None
        self.logged_on = threading.Event()
        self.inbox: deque[tuple[int, dict[int, str]]] = deque()
        self.requests_by_seq: dict[str, str] = {}

    def onCreate(self, session_id: Any) -> None:
        self.session_id = fix.SessionID(
            session_id.getBeginString().getString(),
            session_id.getSenderCompID().getString(),
            session_id.getTargetCompID().getString(),
        )

    def onLogon(self, session_id: Any) -> None:
        self.logged_on.set()

    def onLogout(self, session_id: Any) -> None:
        self.logged_on.clear()

    def toAdmin(self, message: Any, session_id: Any) -> None:
        if self._password and message.getHeader().getField(35) == "A":
            message.setField(554, self._password)

    def fromAdmin(self, message: Any, session_id: Any) -> None:
        if message.getHeader().getField(35) == "3":
            self._queue(message, (45, 58, 373, 371))

    def toApp(self, message: Any, session_id: Any) -> None:
        self.requests_by_seq[message.getHeader().getField(34)] = message.getField(11)

    def fromApp(self, message: Any, session_id: Any) -> None:
        kind = message.getHeader().getField(35)
        self._queue(message, (45, 58, 380, 379) if kind == "j" else REPORT_TAGS[1:])

    def _queue(self, message: Any, tags: tuple[int, ...]) -> None:
        arrived = time.perf_counter_ns()
        fields = {tag: message.getField(tag) for tag in tags if message.isSetField(tag)}
        fields[35] = message.getHeader().getField(35)
        self.inbox.append((arrived, fields))


class Broker:
    """Sends the flow at its pace, matches answers to requests, and keeps the books."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._directory = Path(task["directory"])
        (self._directory / "store").mkdir(parents=True, exist_ok=True)
        self._client = Client(task.get("password"))
        listings = [
            Listing(i["symbol"], Decimal(i["tick_size"]), Decimal(i["lot_size"]), i["mid"])
            for i in task["listings"]
        ]
        self._flow = Behaviour(
            task["comp_id"],
            listings,
            tag=task["tag"],
            seed=task["seed"],
            maker=task["maker"],
            seconds=task["seconds"],
        )
        self._sent_at: dict[str, int] = {}
        self._round_trips = array("q")
        self._counts = dict.fromkeys(("orders", "requests", "fills", "refused"), 0)
        self._refusals: dict[str, int] = {}
        self._file = (self._directory / "reports.csv").open("w", newline="", encoding="utf-8")
        self._reports = csv.writer(self._file)
        self._reports.writerow(REPORT_COLUMNS.values())
        self._send = fix.Session.sendToTarget

    def run(self) -> int:
        """Log on, obey the commands on standard input, log out; 0 when all went well."""
        settings_path = self._directory / "initiator.cfg"
        settings_path.write_text(SETTINGS.format_map({"reset": "N", **self._task}))
        settings = fix.SessionSettings(str(settings_path))
        store = fix.FileStoreFactory(settings)
        initiator = fix.SocketInitiator(self._client, store, settings)
        initiator.start()
        try:
            if not self._client.logged_on.wait(self._task["logon_s"]):
                _tell({"failed": "the venue did not accept the logon in time"})
                return 1
            _tell({"logged_on": True})
            self._obey()
        finally:
            self._finish()
            initiator.stop()
        return 0

    def _obey(self) -> None:
        commands: deque[str] = deque()
        threading.Thread(target=_listen, args=(commands,), daemon=True).start()
        started = told_at = next_at = 0.0
        sending = fencing = False
        while True:
            command = commands.popleft() if commands else ""
            now = time.perf_counter()
            if command == "quit":
                return
            if command == "go":
                started, next_at, sending = now, now, True
            elif command in ("stop", "fence"):
                sending, fencing = False, True
                if command == "fence":
                    self._submit(self._flow.fence())
            if command.startswith("{"):
                fencing = True
                fields = json.loads(command)
                self._submit(self._flow.numbered({int(tag): fields[tag] for tag in fields}))
            if sending and now >= next_at and len(self._sent_at) < IN_FLIGHT_MAX:
                self._submit(self._flow.next_request(now - started))
                next_at = max(next_at + 1 / self._task["rate"], now - 0.1)
            self._drain()
            if now - told_at >= PROGRESS_S or (fencing and not self._sent_at):
                told_at = now
                settled = fencing and not self._sent_at
                _tell({"counts": self._counts, "settled": settled})
                fencing = fencing and not settled
            wait = next_at - time.perf_counter() if sending else 0.005
            time.sleep(min(max(wait, 0.0005), 0.005))

    def _submit(self, request: Request) -> None:
        message = fix.Message()
        message.getHeader().setField(35, request.msg_type)
        for tag, value in request.fields.items():
            message.setField(tag, value)
        message.setField(60, datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3])
        self._counts["requests"] += 1
        self._counts["orders"] += request.msg_type == "D"
        self._sent_at[request.fields[11]] = time.perf_counter_ns()
        self._send(message, self._client.session_id)

    def _drain(self) -> None:
        inbox = self._client.inbox
        while inbox:
            arrived, report = inbox.popleft()
            if report[35] in ("3", "j"):
                report[11] = self._client.requests_by_seq.get(report.get(45, ""), "")
            sent = self._sent_at.pop(report.get(11, ""), None)
            if sent is not None:
                self._round_trips.append(arrived - sent)
            self._note(report)
            if report[35] in ("8", "9"):
                self._flow.take(report)

    def _note(self, report: dict[int, str]) -> None:
        self._reports.writerow([report.get(tag, "") for tag in REPORT_TAGS])
        if report[35] == "8" and report.get(150) in ("F", "1", "2"):
            self._counts["fills"] += 1
        elif report[35] != "8" or report.get(150) == "8":
            self._counts["refused"] += 1
            reason = refusal_kind(report)
            self._refusals[reason] = self._refusals.get(reason, 0) + 1

    def _finish(self) -> None:
        self._drain()
        self._file.close()
        with (self._directory / "round_trips.ns").open("wb") as file:
            self._round_trips.tofile(file)
        _tell({"counts": self._counts, "refusals": self._refusals, "settled": True})


def refusal_kind(report: dict[int, str]) -> str:
    """A refusal's text without its numbers and names, so that equal causes count together."""
    text = report.get(58, "") or f"code {report.get(103) or report.get(102) or report.get(380)}"
    words = ["…" if any(c.isdigit() for c in word) else word for word in text.split()]
    return " ".join(words)


def _listen(commands: deque[str]) -> None:
    for line in sys.stdin:
        commands.append(line.strip())
    commands.append("quit")


def _tell(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)


def main() -> int:
    return Broker(json.loads(sys.stdin.readline())).run()


if __name__ == "__main__":
    sys.exit(main())
