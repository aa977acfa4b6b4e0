"""Conformance scripts: one rule each, in the manner of QuickFIX's own .def files.

They are played against a venue over real sockets: by the tests, and by who certifies a session.

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
    O halt|55=$SYM                                  the venue's operator does something

What an operator can do is `news` (to a session, 56), `halt`, `resume`, `phase` (to that of the name
in 326), `self-trade` (of a session's first account, to the one in 2964), `end-of-day`, `pause` (the
engine does nothing from then on) and `continue`.

A line `# Needs ...` says what else must be so than that a session may trade; who can not tell
whether it is leaves the script out.

A broker logs on, with sequence numbers from 1, when a script first names him, unless by C. Broker 3
has a password; 4 is broker 1 once more, on a connection of its own; 5 may send no orders and is
sent copies of what the accounts of brokers 1 and 2 do; 6 is told of halts and of pending states; 7
may use a ClOrdID again once it names no open order, 8 the next day.

A line begins with its kind; fields are separated by |. `4.4:` or `4.2:` before a field or a line
restricts it to that version; what is of 4.4 is of FIX 5.0 SP2 too. In what is expected `tag=*` is
any value, `tag=-` none, `tag=~words` a value that holds the words. $SYM is an instrument nobody
else trades, $name a ClOrdID nobody else uses. Headers are added, for D, F and G what every one of
them needs, for A a broker's password; a field of the header that is given, 34 too, stands instead,
`tag=-` leaves it out, and a message with a 34 of its own is not counted.

In capitals: $NEXT is the number of the broker's next message, $LAST of his last, $IN the one that
the venue's next will have, each with `+2` or `-1` behind it if need be; $NOW the time, $OLD an hour
ago, $SOON a second ahead, $LATER an hour, $DAY the day that then is; $BEGIN the version, $ME the
broker's CompID, $VENUE the venue's. In R also $LEN and $SUM, BodyLength and CheckSum as they should
be, and $BAD, a wrong CheckSum. `next+2` of S is as $NEXT+2.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from touchline.fix.client import (
    SOH,
    Closed,
    Connection,
    Message,
    Unexpected,
    an_hour_ago,
    framed,
    utc_in,
    utc_now,
)

DIRECTORY = Path(__file__).parent / "conformance"
USUAL: dict[str, dict[str, str | None]] = {
    "D": {"21": "1", "40": "2", "60": None},
    "F": {"60": None},
    "G": {"21": "1", "40": "2", "60": None},
}
OWN_NUMBERS = ("34", "36")  # count the sender's messages
PEERS_NUMBERS = ("7", "16", "45", "789")  # count those of who receives it
HEADER = ("35", "34", "49", "56", "52")
VERSIONS = {"FIX.4.2": {"4.2"}, "FIX.4.4": {"4.4"}, "FIXT.1.1": {"4.4", "5.0"}}
_LINE = re.compile(r"(?:([45]\.[0-9]):)?([IERNXAUQCDSO])([1-9]?)(?: (.*))?$")
_NUMBER = re.compile(r"\$(NEXT|LAST|IN)([+-]\d+)?|next([+-]\d+)?$")
_OVER = frozenset("2348C")  # OrdStatus(39) of an order that rests no more


def scripts() -> list[Path]:
    """Every script, in the order of the names."""
    return sorted(DIRECTORY.glob("*.def"))


@dataclass(frozen=True)
class Broker:
    """A session of the venue, and what its Logon says beyond the usual."""

    comp_id: str
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """Where scripts are played: a venue, the brokers by number, an instrument and its ClOrdIDs.

    `fitted` makes the value of a field what the instrument wants where the script's is not: it is
    given the tag, the value, and whether it is one that is expected. `numbers` tells the numbers of
    a session's next message and of the venue's, where a session is to go on from them: a script's
    own, which begin at 1, are counted from there. Without it each Logon resets both to 1.
    """

    address: tuple[str, int]
    target: str
    brokers: Mapping[str, Broker]
    symbol: str
    prefix: str = ""
    tls: ssl.SSLContext | None = None
    source: str = ""
    fitted: Callable[[str, str, bool], str] = lambda tag, value, expected: value
    operate: Callable[[str, Mapping[str, str]], None] | None = None
    numbers: Callable[[Broker], tuple[int, int]] | None = None


@dataclass
class Wire:
    """Everything that was said in a play: who, whether he sent or received it, and its bytes."""

    messages: list[tuple[str, bool, bytes]] = field(default_factory=list)

    def of(self, broker: str) -> Callable[[bool, bytes], None]:
        return lambda sent, data: self.messages.append((broker, sent, data))


class Script:
    """One script, run in one version on a stage. `streams`: what each broker has read."""

    def __init__(self, path: Path, stage: Stage, begin_string: str) -> None:
        self._path = path
        self._stage = stage
        self._versions = VERSIONS[begin_string]
        self._version = begin_string.removeprefix("FIX.")
        self._begin_string = begin_string
        self._clients: dict[str, Connection] = {}
        self._numbers: dict[str, dict[str, int]] = {}
        self._open: dict[tuple[str, str], Message] = {}
        self.streams: dict[str, list[Message]] = {}
        self.wire = Wire()
        self._paused = False
        self._begun: dict[str, tuple[int, int]] = {}  # the first numbers, of broker and venue

    def run(self) -> None:
        try:
            for number, line in enumerate(self._path.read_text().splitlines(), start=1):
                if line.strip() and not line.startswith("#"):
                    self._step(f"{self._path.name}:{number} ({self._version})", line.strip())
        finally:
            if self._paused:
                self._operate("continue", "1")
            for client in self._clients.values():
                client.close()

    def _step(self, where: str, line: str) -> None:
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"{where}: not a line of a script: {line}")
        version, kind, broker, rest = match.groups()
        if version and version not in self._versions:
            return
        try:
            self._do(where, kind, broker or "1", rest or "")
        except (Closed, OSError) as error:
            raise Unexpected(f"{where}: {type(error).__name__} {error}") from error

    def _do(self, where: str, kind: str, broker: str, rest: str) -> None:
        if kind == "C":
            self._connect(broker)
            return
        client = self._client(broker)
        if kind == "O":
            self._operate(rest, broker)
        elif kind == "D":
            client.close()
        elif kind == "S":
            client.next_seq = int(self._filled_in(self._counted("34", rest, broker, False), broker))
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

    def _connect(self, broker: str) -> Connection:
        stage = self._stage
        if broker in self._clients:
            self._clients[broker].close()
        else:
            goes_on = stage.numbers
            self._begun[broker] = goes_on(stage.brokers[broker]) if goes_on else (1, 1)
        client = Connection(
            stage.address,
            (stage.brokers[broker].comp_id, stage.target),
            self._begin_string,
            stage.tls,
            server_name=stage.address[0],
            source=stage.source,
            on_wire=self.wire.of(broker),
        )
        if broker in self._clients:
            client.next_seq = self._clients[broker].next_seq
        else:
            client.next_seq, come = self._begun[broker]
            self._numbers[broker] = {"LAST": client.next_seq - 1, "IN": come}
            self.streams.setdefault(broker, [])
        self._clients[broker] = client
        return client

    def _client(self, broker: str) -> Connection:
        if broker not in self._clients:
            client = self._connect(broker)
            reset = self._stage.numbers is None
            answer = client.logon(*self._logon_fields(broker), reset=reset)
            if answer.get("35") != "A":
                raise Unexpected(f"the Logon of {client.comp_id} was answered by {answer}")
            self._heard(broker, answer)
        return self._clients[broker]

    def _logon_fields(self, broker: str) -> list[str]:
        version = ["1137=9"] if self._begin_string == "FIXT.1.1" else []
        return [*version, *self._stage.brokers[broker].credentials]

    def _heard(self, broker: str, message: Message, more: int = 0) -> None:
        """Keep a message, and count the venue's number on; `more` that were not kept."""
        numbers = self._numbers[broker]
        numbers["IN"] = int(message.get("34", numbers["IN"] - 1)) + 1 + more
        if message:
            self.streams[broker].append(message)
        if message.get("35") == "8" and message.get("37", "NONE") != "NONE":
            self._open[broker, message["37"]] = message

    def _fields(self, rest: str, broker: str, expected: bool = False) -> list[tuple[str, str]]:
        """Tags and values of a line, as far as they are of this version."""
        found = []
        for text in rest.split("|"):
            version, _, plain = text.rpartition(":") if text[1:2] == "." else ("", "", text)
            tag, _, value = plain.partition("=")
            if not version or version in self._versions:
                fitted = self._stage.fitted(tag, value, expected)
                fitted = self._counted(tag, fitted, broker, expected)
                found.append((tag, self._filled_in(fitted, broker)))
        return found

    def _counted(self, tag: str, value: str, broker: str, expected: bool) -> str:
        """A number that begins at 1 in a script, counted from where the broker's session is."""
        ours, venues = self._begun[broker]
        if expected and tag == "58" and (ours, venues) != (1, 1):
            return re.sub(r"^~?(.*), expecting .*", r"~\1", value)
        first = (venues if expected else ours) if tag in OWN_NUMBERS else None
        first = (ours if expected else venues) if tag in PEERS_NUMBERS else first
        if first is None or not value.isdecimal() or value == "0":
            return value
        return str(int(value) + first - 1)

    def _filled_in(self, value: str, broker: str) -> str:
        if match := _NUMBER.fullmatch(value):
            name = match[1] or "NEXT"
            numbers = self._numbers[broker] | {"NEXT": self._clients[broker].next_seq}
            return str(numbers[name] + int(match[2] or match[3] or 0))
        named = {
            "$SYM": self._stage.symbol,
            "$NOW": utc_now(),
            "$OLD": an_hour_ago(),
            "$SOON": utc_in(1),
            "$LATER": utc_in(3600),
            "$DAY": utc_in(3600)[:8],
            "$BEGIN": self._begin_string,
            "$ME": self._clients[broker].comp_id,
            "$VENUE": self._stage.target,
        }
        if value in named:
            return named[value]
        prefix = self._stage.prefix or self._stage.symbol
        return f"{prefix}-{value[1:]}" if value.startswith("$") else value

    def _send(self, broker: str, rest: str) -> None:
        """A message with its header, counted unless it has a number of its own."""
        fields = self._fields(rest, broker)
        given = dict(fields)
        if fields[0][0] not in ("8", "35"):
            raise ValueError(f"a message begins with its MsgType(35), not {rest}")
        client, msg_type = self._clients[broker], given["35"]
        header = {
            "35": msg_type,
            "34": str(client.next_seq),
            "49": client.comp_id,
            "56": self._stage.target,
            "52": utc_now(),
        }
        header |= {tag: value for tag, value in fields if tag in HEADER}
        usual = [
            (tag, utc_now() if value is None else value)
            for tag, value in USUAL.get(msg_type, {}).items()
            if tag not in given
        ]
        if msg_type == "A":
            more = [field.partition("=") for field in self._logon_fields(broker)]
            usual += [(tag, value) for tag, _, value in more if tag not in given]
        body = [(tag, value) for tag, value in [*fields, *usual] if tag not in (*HEADER, "8")]
        text = "".join(f"{t}={v}{SOH}" for t, v in [*header.items(), *body] if v != "-")
        client.send_bytes(framed(given.get("8", self._begin_string), text))
        if "34" not in given:
            self._numbers[broker]["LAST"] = client.next_seq
            client.next_seq += 1
        elif header["34"].isdecimal():
            self._numbers[broker]["LAST"] = int(header["34"])

    def _operate(self, rest: str, broker: str) -> None:
        (what, _), *fields = self._fields(rest, broker)
        if self._stage.operate is None:
            raise ValueError(f"nobody operates this venue: {rest}")
        self._paused = what == "pause"
        self._stage.operate(what, dict(fields))

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
        client, wanted = self._clients[broker], self._fields(rest, broker, True)
        message = client.application() if kind == "E" else client.receive()
        while kind == "U" and _difference(message, wanted):
            message = client.receive()
        self._heard(broker, message)
        if kind == "U":  # how much came before is a matter of time
            self.streams[broker][-1] = {tag: v for tag, v in message.items() if tag != "34"}
        if fault := _difference(message, wanted):
            raise Unexpected(f"{where}: {fault}, in {message}")

    def _expect_end(self, where: str, broker: str, anything: bool) -> None:
        client = self._clients[broker]
        try:
            while True:
                message = client.receive() if anything else client.application()
                late = anything and message["35"] == "0"  # one more or less is a matter of time
                self._heard(broker, {} if late else message, late)
                if not anything:
                    raise Unexpected(f"{where}: still open, and sent {message}")
        except Closed:
            pass

    def clear(self) -> None:
        """Cancel what the brokers' orders have left in the book, each on a connection of his own.

        Unexpected when an order can not be canceled: it rests on.
        """
        for broker in sorted({broker for broker, _ in self._open}):
            orders = [
                order
                for (owner, _), order in self._open.items()
                if owner == broker and order.get("39", "")[:1] not in _OVER
            ]
            if orders:
                del self._clients[broker]
                with self._client(broker) as client:
                    for number, order in enumerate(orders):
                        self._cancel(client, order, f"{self._stage.prefix}-c{number}")

    def _cancel(self, client: Connection, order: Message, cl_ord_id: str) -> None:
        fields = [f"{tag}={order[tag]}" for tag in ("38", "54", "55") if tag in order]
        client.send("F", f"11={cl_ord_id}", f"41={order.get('11')}", *fields, f"60={utc_now()}")
        try:
            while (answer := client.application()).get("11") != cl_ord_id:
                pass
        except (Closed, OSError) as error:
            raise Unexpected(f"{order.get('11')} was not canceled: {error}") from error
        if answer.get("39", "")[:1] not in _OVER:
            raise Unexpected(f"{order.get('11')} was not canceled: {answer}")


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
