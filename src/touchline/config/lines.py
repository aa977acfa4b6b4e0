"""Where a value of a configuration came from: a flag, a variable, or a line of the file.

`key_lines` finds on which line of a TOML file each key stands, since the parser does not say, and
`Origin` puts that in front of each problem. Pure functions; called by config.load alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

ENV_PREFIX = "TOUCHLINE_"

Loc = tuple[int | str, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*([A-Za-z0-9_\-."' \t]+?)\s*=""")


def key_lines(text: str) -> dict[Loc, int]:
    """On which line, from 1, each table and key of a TOML text starts.

    Tables of an array are numbered from 0: ("sessions", 1, "comp_id"). Keys inside inline tables
    and values over several lines are not looked into; `line_of` falls back to what holds them.
    """
    lines: dict[Loc, int] = {}
    counts: dict[str, int] = {}
    table: Loc = ()
    closing = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if closing:
            if closing in line:
                closing = ""
            continue
        header = _HEADER.match(line)
        if header:
            table = tuple(_key_parts(header[2]))
            if header[1] == "[[":
                name = ".".join(map(str, table))
                counts[name] = counts.get(name, -1) + 1
                table = (*table, counts[name])
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            lines.setdefault((*table, *_key_parts(key[1])), number)
            closing = _left_open(line[key.end() :])
    return lines


def _key_parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _left_open(value: str) -> str:
    """What ends a value of several lines that starts here, or nothing."""
    for mark in ('"""', "'''"):
        if value.count(mark) == 1:
            return mark
    plain = re.sub(r"""("[^"]*"|'[^']*'|\#.*)""", "", value)
    return "]" if plain.count("[") > plain.count("]") else ""


def line_of(lines: dict[Loc, int], loc: Loc) -> int | None:
    """The line of the place, or of the nearest thing that holds it; None when unknown."""
    for size in range(len(loc), 0, -1):
        if loc[:size] in lines:
            return lines[loc[:size]]
    return None


class Origin:
    """Puts the flag, variable or line a value came from in front of what is wrong with it."""

    def __init__(
        self, path: str, text: str, environment: Mapping[str, Any], flags: Mapping[str, Any]
    ) -> None:
        self._path = path
        self._lines = key_lines(text)
        self._environment = environment
        self._flags = flags

    def tell_all(self, problems: Iterable[tuple[Loc, str]]) -> list[str]:
        """The problems as sentences, in the order of the file, each once."""
        ordered = sorted(problems, key=lambda problem: line_of(self._lines, problem[0]) or 0)
        return list(dict.fromkeys(self._tell(loc, reason) for loc, reason in ordered))

    def _tell(self, loc: Loc, reason: str) -> str:
        section = str(loc[0]) if loc else ""
        key = str(loc[1]) if len(loc) > 1 else ""
        shown = _dotted(loc)
        if f"{section}.{key}" in self._flags or section in self._flags:
            return f"flag {shown}: {reason}"
        mine = [flag for flag in self._flags if flag.startswith(f"{section}.")]
        if not key and mine and (section,) not in self._lines:
            return f"flag {mine[0]}: {reason}"
        values = self._environment.get(section)
        if isinstance(values, list):
            return f"environment variable {ENV_PREFIX}{section.upper()}: {shown}: {reason}"
        if isinstance(values, dict) and key in values:
            return f"environment variable {ENV_PREFIX}{section.upper()}__{key.upper()}: {reason}"
        line = line_of(self._lines, loc)
        place = f"{self._path}:{line}: " if line else f"{self._path}: " if self._path else ""
        return f"{place}{shown}: {reason}"


def _dotted(loc: Loc) -> str:
    """A place in the configuration as people write it: sessions[2].comp_id, counted from 1."""
    shown = ""
    for part in loc:
        shown += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown
