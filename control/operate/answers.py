"""The answer to a question as a table, JSON or CSV: exact, and row by row in bounded memory.

A number is printed with all its digits and never rounded; what JSON has no number for, NaN and the
infinities, is a string there. Dates and times are ISO 8601. NULL is null in JSON, empty elsewhere.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice
from typing import Any, Protocol

_MEASURED = 1000  # rows that decide how wide the columns of a table are
_PIECE = 1 << 16
_PLAIN_MIN, _PLAIN_MAX = 1e-9, 1e17  # a float between is written without an exponent

Row = Sequence[object]


class Answered(Protocol):
    """What is printed: columns by name, and rows that come one after another."""

    @property
    def columns(self) -> list[str]:
        """Names, one for each value of a row."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows."""


def as_json(answer: Answered) -> Iterator[str]:
    """One object, {"columns": [...], "rows": [[...], ...]}, in pieces."""
    yield f'{{"columns": {_dumped(answer.columns)}, "rows": ['
    between = ""
    for row in answer:
        yield between + _dumped([json_value(value) for value in row])
        between = ", "
    yield "]}\n"


def as_csv(answer: Answered) -> Iterator[str]:
    """A header and a line for each row, as RFC 4180 has it, with a plain end of line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in chain([answer.columns], answer):
        writer.writerow([text_of(value) for value in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def as_table(answer: Answered) -> Iterator[str]:
    """An aligned table; the first rows decide the widths, a wider cell later moves its row."""
    rows = ([_cell(value) for value in row] for row in answer)
    first = list(islice(rows, _MEASURED))
    names = [_cell(name) for name in answer.columns]
    widths = [max(map(len, column)) for column in zip(names, *first, strict=True)]
    numbers = [bool(first) and all(_is_number(row[i]) for row in first) for i in range(len(names))]

    def line(values: Sequence[str]) -> str:
        padded = (
            value.rjust(width) if number else value.ljust(width)
            for value, width, number in zip(values, widths, numbers, strict=True)
        )
        return "  ".join(padded).rstrip() + "\n"

    yield line(names)
    yield "  ".join("─" * width for width in widths) + "\n"
    for row in chain(first, rows):
        yield line(row)


def write(pieces: Iterable[str], out: Callable[[str], None]) -> None:
    """Hand the pieces on, some thousands at a time."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            out("".join(held))
            held, size = [], 0
    out("".join(held))


def json_value(value: object) -> Any:
    """A value as JSON can hold it exactly; a decimal is a string, for a number would be rounded."""
    if isinstance(value, float):
        return value if math.isfinite(value) else text_of(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {text_of(key): json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    return text_of(value)


def text_of(value: object) -> str:
    """A value as text, exactly."""
    if value is None:
        return ""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping | list | tuple):
        return _dumped(json_value(value))
    return str(value)


def _float(value: float) -> str:
    """The shortest digits that are this float and no other."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    plain = value == 0 or _PLAIN_MIN <= abs(value) < _PLAIN_MAX
    return f"{Decimal(repr(value)):f}" if plain else repr(value)


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _cell(value: object) -> str:
    """One line of what a terminal shows; what it would act on is shown as its number."""
    text = text_of(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c == "\n" else f"\\x{ord(c):02x}" for c in text)


def _is_number(text: str) -> bool:
    return not text.strip("0123456789.,-+%") or text in ("NaN", "Infinity", "-Infinity")
