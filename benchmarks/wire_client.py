"""A FIX client that is only fast enough to be no part of what is measured. A process of its own.

`python -m benchmarks.wire_client` reads a job as JSON on standard input and prints the result as
JSON. With a rate it is open loop: every order has a time at which it is due, whatever became of
those before, and a report's latency counts from that time, so that waiting behind a slow answer is
part of the figure. Without a rate it keeps a number of orders outstanding. One thread, one socket.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass, field

SOH = b"\x01"
END = re.compile(rb"\x0110=\d{3}\x01")
FIELDS = re.compile(rb"\x01(11|14|32|34|35|39|58|112|150|151)=([^\x01]*)")
LOGON_S = 10.0
ANSWER_S = 30.0


@dataclass
class Job:
    """What to do: `rate` orders a second, or `window` outstanding when the rate is 0."""

    port: int
    comp_id: str
    orders: int
    rate: int = 0
    window: int = 64
    symbol: str = "AAA"
    price: str = "100.00"


@dataclass
class Result:
    """Nanoseconds from due time to the report that the order is accepted, and to its fill."""

    sent: int = 0
    elapsed_ns: int = 0
    late_ns_max: int = 0
    accepted_ns: list[int] = field(default_factory=list)
    filled_ns: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class FixSocket:
    """Just enough FIX 4.4: a header, a trailer, messages out of a stream."""

    def __init__(self, job: Job) -> None:
        self.socket = socket.create_connection(("127.0.0.1", job.port), timeout=LOGON_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._names = f"49={job.comp_id}|56=TOUCHLINE|".replace("|", "\x01").encode()
        self._seq = 0
        self._stamp_second = 0
        self._stamp = b""
        self._buffer = b""

    def message(self, msg_type: bytes, body: bytes) -> bytes:
        self._seq += 1
        second = int(time.time())
        if second != self._stamp_second:
            self._stamp_second = second
            self._stamp = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(second)).encode()
        content = b"35=%b\x01%b34=%d\x0152=%b\x01%b" % (
            msg_type, self._names, self._seq, self._stamp, body,
        )  # fmt: skip
        text = b"8=FIX.4.4\x019=%d\x01%b" % (len(content), content)
        return b"%b10=%03d\x01" % (text, sum(text) & 255)

    def send(self, msg_type: bytes, body: bytes) -> None:
        self.socket.sendall(self.message(msg_type, body))

    def order(self, number: int, job: Job) -> None:
        """Odd orders sell what the order before them bid for, one lot each."""
        self.send(
            b"D",
            b"11=%d\x0155=%b\x0154=%d\x0160=%b\x0138=1\x0140=2\x0144=%b\x0159=0\x01"
            % (number, job.symbol.encode(), 1 + number % 2, self._stamp, job.price.encode()),
        )

    def receive(self, timeout_s: float) -> list[dict[bytes, bytes]]:
        """The messages that have come whole, waiting for the first bytes up to the timeout."""
        ready, _, _ = select.select([self.socket], [], [], max(0.0, timeout_s))
        if not ready:
            return []
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise ConnectionError("the venue closed the connection")
        self._buffer += chunk
        messages = []
        start = 0
        for end in END.finditer(self._buffer):
            messages.append(dict(FIELDS.findall(self._buffer, start, end.start() + 1)))
            start = end.end()
        self._buffer = self._buffer[start:]
        return messages


class Client:
    """One session from logon to the last report."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result = Result()
        self.fix = FixSocket(job)
        self._due: list[int] = []
        self._accepted = [0] * job.orders
        self._filled = [0] * job.orders
        self._open = 2 * job.orders

    def logon(self) -> None:
        self.fix.send(b"A", b"98=0\x01108=30\x01")
        deadline = time.monotonic() + LOGON_S
        while time.monotonic() < deadline:
            for message in self.fix.receive(deadline - time.monotonic()):
                if message.get(b"35") == b"A":
                    return
        raise ConnectionError("no answer to the Logon")

    def take_reports(self, timeout_s: float) -> None:
        messages = self.fix.receive(timeout_s)
        now = time.monotonic_ns()
        for message in messages:
            self._take(message, now)

    def _take(self, message: dict[bytes, bytes], now: int) -> None:
        msg_type = message.get(b"35")
        if msg_type == b"1":
            self.fix.send(b"0", b"112=%b\x01" % message[b"112"])
        elif msg_type == b"8" and message.get(b"150") in (b"0", b"F"):
            number = int(message[b"11"])
            accepted = message[b"150"] == b"0"
            times = self._accepted if accepted else self._filled
            if times[number]:
                self.result.problems.append(f"order {number}: a report came twice")
            if not accepted and (message.get(b"32"), message.get(b"151")) != (b"1", b"0"):
                self.result.problems.append(f"order {number}: not filled by one lot")
            times[number] = now - self._due[number]
            self._open -= 1
        elif msg_type != b"0":
            self.result.problems.append(f"unexpected message {message!r}")
            self._open -= 1

    def run(self) -> Result:
        start = time.monotonic_ns()
        if self.job.rate:
            self._open_loop()
        else:
            self._pipeline()
        deadline = time.monotonic() + ANSWER_S
        while self._open > 0 and time.monotonic() < deadline:
            self.take_reports(deadline - time.monotonic())
        self.result.elapsed_ns = time.monotonic_ns() - start
        self.result.accepted_ns = self._accepted
        self.result.filled_ns = self._filled
        missing = self._accepted.count(0) + self._filled.count(0)
        if missing:
            self.result.problems.append(f"{missing} reports did not come")
        return self.result

    def _open_loop(self) -> None:
        interval_ns = 1_000_000_000 // self.job.rate
        first = time.monotonic_ns() + 10_000_000
        for number in range(self.job.orders):
            due = first + number * interval_ns
            while (now := time.monotonic_ns()) < due:
                self.take_reports((due - now) / 1e9)
            self._due.append(due)
            self.result.late_ns_max = max(self.result.late_ns_max, now - due)
            self.fix.order(number, self.job)
            self.result.sent += 1

    def _pipeline(self) -> None:
        """Outstanding is counted in accepted orders: each odd one also fills the one before."""
        for number in range(self.job.orders):
            while self.result.sent - self._done() >= self.job.window:
                self.take_reports(ANSWER_S)
            self._due.append(time.monotonic_ns())
            self.fix.order(number, self.job)
            self.result.sent += 1

    def _done(self) -> int:
        return (2 * self.job.orders - self._open) // 2


def main() -> int:
    """Do the job on standard input."""
    client = Client(Job(**json.load(sys.stdin)))
    client.logon()
    result = client.run()
    client.fix.send(b"5", b"")
    json.dump(asdict(result), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
