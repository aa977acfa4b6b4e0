"""Conformance scripts: one rule each, in the manner of QuickFIX's own .def files.

    # The rule, in a sentence.
    I 35=D|11=$a|55=$SYM|54=1|38=100|44=10.00       broker 1 sends
    E 35=8|11=$a|150=0|39=0                         and must receive, next, but for heartbeats
    A 35=0|112=x                                    the same, heartbeats and test requests too
    U 35=1                                          reads on until such a message comes
    I2 ...  E2 ...                                  broker 2, likewise
    R 8=FIX.4.4|9=5|...                             sent byte for byte
    N                                               nothing else has come
    X                                               the venue closes the connection
    Q                                               the same, whatever it says before
    C                                               connects, and is not logged on
    D                                               disconnects, without a Logout
    S next+2                                        two messages are lost: the next has this number

A broker logs on, with sequence numbers from 1, when a script first names him, unless by C. Broker 3
has a password; 4 is broker 1 once more, on a connection of its own; 5 may send no orders and is
sent copies of what the accounts of brokers 1 and 2 do.

A line begins with its kind; fields are separated by |. `4.4:` or `4.2:` before a field or a line
restricts it to that version. In what is expected `tag=*` is any value, `tag=-` none, `tag=~words`
a value that holds the words. $SYM is an instrument nobody else trades, $name a ClOrdID nobody else
uses. Headers are added, and for D, F and G what every one of them needs; a field of the header
that is given, 34 too, stands instead, `tag=-` leaves it out, and a message with a 34 of its own is
not counted.

In capitals: $NEXT is the number of the broker's next message, $LAST of his last, $IN the one that
the venue's next will have, each with `+2` or `-1` behind it if need be; $NOW the time, $OLD an hour
ago; $BEGIN the version, $ME the broker's CompID. In R also $LEN and $SUM, BodyLength and CheckSum
as they should be, and $BAD, a wrong CheckSum. `next+2` of S is as $NEXT+2.
"""

import re
import time
from pathlib import Path

from harness.fix_client import SOH, VENUE, Closed, FixClient, Message, framed, utc_now

BROKERS = {
    "FIX.4.4": (
        ("BROKER1", ()),
        ("BROKER2", ()),
        ("LOCKED", ("554=secret",)),
        ("BROKER1", ()),
        ("WATCHER", ()),
    ),
    "FIX.4.2": (
        ("OLD1", ()),
        ("OLD2", ("554=secret",)),
        ("OLD2", ("554=secret",)),
        ("OLD1", ()),
        ("OLD3", ()),
    ),
}
USUAL: dict[str, dict[str, str | None]] = {
    "D": {"21": "1", "40": "2", "60": None},
    "F": {"60": None},
    "G": {"21": "1", "40": "2", "60": None},
}
HEADER = ("35", "34", "49", "56", "52")
_LINE = re.compile(r"(?:(4\.[24]):)?([IERNXAUQCDS])([1-5]?)(?: (.*))?$")
_NUMBER = re.compile(r"\$(NEXT|LAST|IN)([+-]\d+)?|next([+-]\d+)?$")


class Script:
    """One script, run in one version against a venue. `streams`: what each broker has read."""

    def __init__(self, path: Path, port: int, begin_string: str, symbol: str) -> None:
        self._path = path
        self._port = port
        self._version = begin_string.removeprefix("FIX.")
        self._begin_string = begin_string
        self._symbol = symbol
        self._clients: dict[str, FixClient] = {}
        self._numbers: dict[str, dict[str, int]] = {}
        self.streams: dict[str, list[Message]] = {}

    def run(self) -> None:
        try:
            for number, line in enumerate(self._path.read_text().splitlines(), start=1):
                if line.strip() and not line.startswith("#"):
                    self._step(f"{self._path.name}:{number} ({self._version})", line.strip())
        finally:
            for client in self._clients.values():
                client.close()

    def _step(self, where: str, line: str) -> None:
        match = _LINE.match(line)
        assert match, f"{where}: not a line of a script: {line}"
        version, kind, broker, rest = match.groups()
        if version and version != self._version:
            return
        try:
            self._do(where, kind, broker or "1", rest or "")
        except (Closed, OSError) as error:
            raise AssertionError(f"{where}: {type(error).__name__} {error}") from error

    def _do(self, where: str, kind: str, broker: str, rest: str) -> None:
        if kind == "C":
            self._connect(broker)
            return
        client = self._client(broker)
        if kind == "D":
            client.close()
        elif kind == "S":
            client.next_seq = int(self._filled_in(rest, broker))
        elif kind == "I":
            self._send(broker, rest)
        elif kind == "R":
            client.send_bytes(self._raw(rest, broker))
        elif kind == "N":
            client.nothing_more(where)
            self._heard(broker, {}, 1)
        elif kind in "XQ":
            self._expect_end(where, broker, anything=kind == "Q")
        else:
            self._expect(where, kind, broker, rest)

    def _connect(self, broker: str) -> FixClient:
        if broker in self._clients:
            self._clients[broker].close()
        comp_id, _ = BROKERS[self._begin_string][int(broker) - 1]
        client = FixClient(self._port, comp_id, self._begin_string)
        if broker in self._clients:
            client.next_seq = self._clients[broker].next_seq
        else:
            self._numbers[broker] = {"LAST": 0, "IN": 1}
            self.streams[broker] = []
        self._clients[broker] = client
        return client

    def _client(self, broker: str) -> FixClient:
        if broker not in self._clients:
            client = self._connect(broker)
            _, credentials = BROKERS[self._begin_string][int(broker) - 1]
            answer = client.logon(*credentials)
            assert answer["35"] == "A", answer
            self._heard(broker, answer)
        return self._clients[broker]

    def _heard(self, broker: str, message: Message, more: int = 0) -> None:
        """Keep a message, and count the venue's number on; `more` that were not kept."""
        numbers = self._numbers[broker]
        numbers["IN"] = int(message.get("34", numbers["IN"] - 1)) + 1 + more
        if message:
            self.streams[broker].append(message)

    def _fields(self, rest: str, broker: str) -> list[tuple[str, str]]:
        """Tags and values of a line, as far as they are of this version."""
        found = []
        for field in rest.split("|"):
            version, _, plain = field.rpartition(":") if field[:2] == "4." else ("", "", field)
            tag, _, value = plain.partition("=")
            if not version or version == self._version:
                found.append((tag, self._filled_in(value, broker)))
        return found

    def _filled_in(self, value: str, broker: str) -> str:
        if match := _NUMBER.fullmatch(value):
            name = match[1] or "NEXT"
            numbers = self._numbers[broker] | {"NEXT": self._clients[broker].next_seq}
            return str(numbers[name] + int(match[2] or match[3] or 0))
        named = {
            "$SYM": self._symbol,
            "$NOW": utc_now(),
            "$OLD": time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(time.time() - 3600)),
            "$BEGIN": self._begin_string,
            "$ME": self._clients[broker].comp_id,
        }
        if value in named:
            return named[value]
        return f"{self._symbol}-{value[1:]}" if value.startswith("$") else value

    def _send(self, broker: str, rest: str) -> None:
        """A message with its header, counted unless it has a number of its own."""
        fields = self._fields(rest, broker)
        given = dict(fields)
        assert fields[0][0] in ("8", "35"), "a message begins with its MsgType(35)"
        client, msg_type = self._clients[broker], given["35"]
        header = {
            "35": msg_type,
            "34": str(client.next_seq),
            "49": client.comp_id,
            "56": VENUE,
            "52": utc_now(),
        }
        header |= {tag: value for tag, value in fields if tag in HEADER}
        usual = [
            (tag, utc_now() if value is None else value)
            for tag, value in USUAL.get(msg_type, {}).items()
            if tag not in given
        ]
        body = [(tag, value) for tag, value in [*fields, *usual] if tag not in (*HEADER, "8")]
        text = "".join(f"{t}={v}{SOH}" for t, v in [*header.items(), *body] if v != "-")
        client.send_bytes(framed(given.get("8", self._begin_string), text))
        if "34" not in given:
            self._numbers[broker]["LAST"] = client.next_seq
            client.next_seq += 1
        elif header["34"].isdecimal():
            self._numbers[broker]["LAST"] = int(header["34"])

    def _raw(self, rest: str, broker: str) -> bytes:
        """Bytes as they stand, but for what is named in capitals."""
        pieces = [
            "=".join((tag, self._filled_in(value, broker) if value[:1] == "$" else value))
            if equals and value not in ("$LEN", "$SUM", "$BAD")
            else piece
            for piece in rest.split("|")
            for tag, equals, value in [piece.partition("=")]
        ]
        data = SOH.join(pieces).encode("utf-8", "surrogateescape")
        if b"=$LEN\x01" in data:
            body = data.split(b"=$LEN\x01", 1)[1].rpartition(b"10=")[0]
            data = data.replace(b"=$LEN\x01", b"=%d\x01" % len(body))
        checksum = sum(data.rpartition(b"10=")[0]) % 256
        data = data.replace(b"=$SUM", b"=%03d" % checksum)
        return data.replace(b"=$BAD", b"=%03d" % ((checksum + 1) % 256))

    def _expect(self, where: str, kind: str, broker: str, rest: str) -> None:
        client, wanted = self._clients[broker], self._fields(rest, broker)
        message = client.application() if kind == "E" else client.receive()
        while kind == "U" and _difference(message, wanted):
            message = client.receive()
        self._heard(broker, message)
        if kind == "U":  # how much came before is a matter of time
            self.streams[broker][-1] = {tag: v for tag, v in message.items() if tag != "34"}
        if fault := _difference(message, wanted):
            raise AssertionError(f"{where}: {fault}, in {message}")

    def _expect_end(self, where: str, broker: str, anything: bool) -> None:
        client = self._clients[broker]
        try:
            while True:
                message = client.receive() if anything else client.application()
                self._heard(broker, message)
                if not anything:
                    raise AssertionError(f"{where}: still open, and sent {message}")
        except Closed:
            pass


def _difference(message: Message, expected: list[tuple[str, str]]) -> str:
    """What is not as expected, or ""."""
    for tag, wanted in expected:
        value = message.get(tag)
        if wanted == "-":
            right = value is None
        elif wanted == "*":
            right = value is not None
        elif wanted.startswith("~"):
            right = wanted[1:] in (value or "")
        else:
            right = value == wanted
        if not right:
            return f"{tag} is {value!r}, not {wanted!r}"
    return ""
