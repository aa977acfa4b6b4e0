"""Conformance scripts: one rule each, in the manner of QuickFIX's own .def files.

    # The rule, in a sentence.
    I 35=D|11=$a|55=$SYM|54=1|38=100|44=10.00       broker 1 sends
    E 35=8|11=$a|150=0|39=0                         and must receive, next
    I2 ...  E2 ...                                  broker 2, likewise
    R 8=FIX.4.4|9=5|...                             sent byte for byte
    N                                               nothing else has come
    X                                               the venue closes the connection

A line begins with its kind; fields are separated by |. `4.4:` or `4.2:` before a field or a line
restricts it to that version. In what is expected `tag=*` is any value, `tag=-` none, `tag=~words`
a value that holds the words. $SYM is an instrument nobody else trades, $name a ClOrdID nobody else
uses. Headers are added, and for D, F and G what every one of them needs.
"""

import re
from pathlib import Path

from harness.fix_client import Closed, FixClient, utc_now

BROKERS = {
    "FIX.4.4": (("BROKER1", ()), ("BROKER2", ())),
    "FIX.4.2": (("OLD1", ()), ("OLD2", ("554=secret",))),
}
USUAL: dict[str, dict[str, str | None]] = {
    "D": {"21": "1", "40": "2", "60": None},
    "F": {"60": None},
    "G": {"21": "1", "40": "2", "60": None},
}
_LINE = re.compile(r"(?:(4\.[24]):)?([IERNX])([12]?)(?: (.*))?$")


class Script:
    """One script, run in one version against a venue."""

    def __init__(self, path: Path, port: int, begin_string: str, symbol: str) -> None:
        self._path = path
        self._port = port
        self._version = begin_string.removeprefix("FIX.")
        self._begin_string = begin_string
        self._symbol = symbol
        self._clients: dict[str, FixClient] = {}

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
        client = self._client(broker or "1")
        if kind == "I":
            client.send(*self._outgoing(rest))
        elif kind == "R":
            client.send_bytes(rest.replace("|", "\x01").encode())
        elif kind == "N":
            client.nothing_more(where)
        elif kind == "X":
            self._expect_end(where, client)
        else:
            self._compare(where, rest, client.application())

    def _client(self, broker: str) -> FixClient:
        if broker not in self._clients:
            comp_id, credentials = BROKERS[self._begin_string][int(broker) - 1]
            client = FixClient(self._port, comp_id, self._begin_string)
            self._clients[broker] = client
            assert client.logon(*credentials)["35"] == "A"
        return self._clients[broker]

    def _fields(self, rest: str) -> list[tuple[str, str]]:
        """Tags and values of a line, as far as they are of this version."""
        found = []
        for field in rest.split("|"):
            version, _, plain = field.rpartition(":") if field[:2] == "4." else ("", "", field)
            tag, _, value = plain.partition("=")
            if not version or version == self._version:
                found.append((tag, self._filled_in(value)))
        return found

    def _filled_in(self, value: str) -> str:
        if value == "$SYM":
            return self._symbol
        return f"{self._symbol}-{value[1:]}" if value.startswith("$") else value

    def _outgoing(self, rest: str) -> list[str]:
        fields = self._fields(rest)
        assert fields[0][0] == "35", "a message begins with its MsgType(35)"
        msg_type, given = fields[0][1], fields[1:]
        named = {tag for tag, _ in given}
        usual = [
            (tag, utc_now() if value is None else value)
            for tag, value in USUAL.get(msg_type, {}).items()
            if tag not in named
        ]
        return [msg_type, *(f"{tag}={v}" for tag, v in [*given, *usual] if v != "-")]

    def _compare(self, where: str, rest: str, message: dict[str, str]) -> None:
        for tag, wanted in self._fields(rest):
            value = message.get(tag)
            if wanted == "-":
                right = value is None
            elif wanted == "*":
                right = value is not None
            elif wanted.startswith("~"):
                right = wanted[1:] in (value or "")
            else:
                right = value == wanted
            assert right, f"{where}: {tag} is {value!r}, not {wanted!r}, in {message}"

    def _expect_end(self, where: str, client: FixClient) -> None:
        try:
            message = client.application()
        except Closed:
            return
        raise AssertionError(f"{where}: still open, and sent {message}")
