"""A raw message in words: names of tags and values, groups by their depth, and what the venue says.

The judgement is the codec's that the acceptor has. What it would drop without an answer, because
the length, the sum or the beginning is wrong, is split here all the same and said so. Texts come
from outside: nothing in them is believed, and passwords are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from touchline.fix.glossary import DICTIONARIES, Glossary, glossary
from touchline.wire.fix_message import MESSAGE_MAX, Field, Verdict, examine, framed

SOH = b"\x01"
LINE_MAX = 4 * MESSAGE_MAX  # a log writes an odd byte as four
SECRET = {554, 925}
MASKED = b"=***\x01"
MSG_TYPE, RAW_DATA = 35, 96
_BEGIN = re.compile(rb"(?<!\d)8=(FIXT?\.\d\.\d)(\x01|\||\^A|\\x01|;)")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_END = re.compile(rb"\x0110=\d{3}\x01")
_LAST = re.compile(rb"\x0110=\d{3}$")
_FIELD = re.compile(rb"([^=\x01]*)=?([^\x01]*)\x01?")


@dataclass(frozen=True, slots=True)
class Explained:
    """`good`: the venue takes the message; otherwise `verdict` has what it does instead."""

    begin_string: str
    msg_type: str
    name: str
    fields: tuple[dict[str, Any], ...]
    good: bool
    verdict: str

    def facts(self) -> dict[str, Any]:
        """For a script."""
        return {
            "begin_string": self.begin_string,
            "msg_type": self.msg_type,
            "name": self.name,
            "good": self.good,
            "verdict": self.verdict,
            "fields": list(self.fields),
        }


def messages_in(line: bytes) -> Iterator[bytes]:
    """The messages of one line, with SOH between their fields: from each BeginString(8) to the next
    or to the end. Fields may be parted by SOH, |, ^A, \\x01 or ;."""
    at = 0
    while found := _BEGIN.search(line, at):
        separator = found[2]
        end = _end(line, found.start(), separator)
        yield _plain(line[found.start() : end], separator)
        at = end


def _end(line: bytes, begin: int, separator: bytes) -> int:
    """Where a message ends: by its own length, when that is right; else after a CheckSum(10)."""
    if separator == SOH:
        whole = framed(line[begin : begin + MESSAGE_MAX])
        if whole is not None and whole[0] == 0:
            return begin + whole[1]
    parted = re.escape(separator)
    last = re.compile(parted + rb"10=\d{3}(?:" + parted + rb"|$)").search(line, begin)
    following = _BEGIN.search(line, begin + 1)
    ends = [len(line) if last is None else last.end()]
    return min(ends if following is None else [*ends, following.start()])


def _plain(raw: bytes, separator: bytes) -> bytes:
    """The message as it is on the wire, as far as can be told."""
    if separator == SOH:
        plain = raw
    else:
        plain = raw.rstrip(b" \t\r\n").replace(separator, SOH)
        if separator == b"|":  # of a message log, where odd bytes are escaped
            plain = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), plain)
    return plain + SOH if _LAST.search(plain) else plain


def explain(message: bytes) -> Explained:
    """A message in words, SOH between its fields."""
    found = _BEGIN.match(message)
    begin_string = found[1].decode() if found else ""
    names = glossary(begin_string)
    spoken = begin_string in DICTIONARIES
    examined = examine(message, begin_string) if spoken and len(message) <= MESSAGE_MAX else None
    fields = examined.fields if examined is not None else list(_split(message))
    msg_type = next((shown(f.value) for f in fields[:8] if f.tag == MSG_TYPE), "")
    verdict = None if examined is None else examined.verdict
    fault = _fault(message, begin_string, spoken, verdict, names)
    return Explained(
        begin_string,
        msg_type,
        names.message(msg_type),
        tuple(_named(fields, names, msg_type)),
        fault is None,
        fault or "well formed",
    )


def _split(message: bytes) -> Iterator[Field]:
    """The fields of what the codec does not take, as they seem to be."""
    for found in _FIELD.finditer(message[:MESSAGE_MAX]):
        if found[0]:
            number = found[1].decode("ascii", "replace")
            plain = number.isascii() and number.isdigit() and len(number) < 8
            yield Field(int(number) if plain else 0, found[2], 0)


def _named(fields: Iterable[Field], names: Glossary, msg_type: str) -> Iterator[dict[str, Any]]:
    """`first` marks the first field of a group's entry."""
    delimiters: list[int] = []
    for field in fields:
        deeper = field.depth > len(delimiters)
        del delimiters[field.depth :]
        if deeper:
            delimiters += [field.tag] * (field.depth - len(delimiters))
        first = field.depth > 0 and (deeper or delimiters[-1] == field.tag)
        secret = field.tag in SECRET or (field.tag == RAW_DATA and msg_type == "A")
        value = "***" if secret else shown(field.value)
        yield {
            "tag": field.tag,
            "name": names.field(field.tag),
            "value": value,
            "meaning": names.message(value) or names.value(field.tag, value)
            if field.tag == MSG_TYPE
            else names.value(field.tag, value),
            "depth": field.depth,
            "first": first,
        }


def shown(value: bytes) -> str:
    """A value that a terminal can be given: what is not printable ASCII as \\xNN."""
    return "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in value)


def _fault(
    message: bytes, begin_string: str, spoken: bool, verdict: Verdict | None, names: Glossary
) -> str | None:
    """What the venue does with it instead of taking it; None: it takes it."""
    if len(message) > MESSAGE_MAX:
        return f"dropped: {len(message)} bytes; no venue takes more than {MESSAGE_MAX}"
    if not spoken:
        return f"dropped: BeginString(8) {begin_string or 'is missing'}, which is not spoken here"
    framing = _framing(message)
    if verdict is None:
        return f"dropped without an answer: {framing or 'the first fields are not 8, 9 and 35'}"
    answer = _answer(verdict, names)
    if framing is not None:
        return f"dropped without an answer: {framing}" + (f"; else {answer}" if answer else "")
    return answer


def _answer(verdict: Verdict, names: Glossary) -> str | None:
    """What the venue answers; None: it takes the message."""
    about = ""
    if verdict.ref_tag:
        about = f", 371={verdict.ref_tag} {names.field(verdict.ref_tag)}".rstrip()
    if verdict.reason >= 0:
        return f"Reject(3): 373={verdict.reason} {verdict.text}{about}"
    if verdict.business > 0:
        return f"BusinessMessageReject(j): 380={verdict.business} {verdict.text}{about}"
    return None


def _framing(message: bytes) -> str | None:
    """What is wrong with BodyLength(9) and CheckSum(10); they are not those of a message whose
    password was masked."""
    if MASKED in message or framed(message) == (0, len(message)):
        return None
    head = re.match(rb"8=[^\x01]*\x019=([^\x01]*)\x01", message)
    tail = re.search(rb"\x0110=([^\x01]*)\x01$", message)
    if head is None:
        return "BodyLength(9) is not its second field"
    if tail is None:
        return "it does not end with CheckSum(10)"
    length = tail.start() + 1 - head.end()
    if not head[1].isdigit() or len(head[1]) > 9 or int(head[1]) != length:
        return f"BodyLength(9) is {shown(head[1])}; counted are {length}"
    total = sum(message[: tail.start() + 1]) % 256
    if tail[1] != b"%03d" % total:
        return f"CheckSum(10) is {shown(tail[1])}; the bytes come to {total:03d}"
    return "BodyLength(9) or CheckSum(10) is not written as they should be"


def pretty(told: Explained) -> str:
    """A message for a person, a field a line."""
    title = f"{told.name or 'unknown message'}({told.msg_type})  {told.begin_string}"
    lines = [title]
    for field in told.fields:
        mark = "- " if field["first"] else "  "
        indent = "  " * max(0, field["depth"] - 1) + mark if field["depth"] else ""
        label = f"{indent}{field['tag']}"
        text = f"  {label:<8} {field['name'] or '?':<24} {field['value']}"
        lines.append(f"{text}  ({field['meaning']})" if field["meaning"] else text)
    lines.append(f"  {'=' if told.good else '!'} {told.verdict}")
    return "\n".join(lines)


def incomplete(line: bytes) -> bool:
    """Whether the line is the beginning of a message with SOH, whose data holds an end of line."""
    at = line.rfind(b"8=FIX")
    found = _BEGIN.match(line, at) if at >= 0 else None
    return found is not None and found[2] == SOH and not ends(line[at:])


def ends(piece: bytes) -> bool:
    """Whether a message with SOH ends in it."""
    return _END.search(piece) is not None
