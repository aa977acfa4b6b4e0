"""What FIX calls its fields, values and messages: glossary.json, which fix/generate.py writes.

For people alone: what the codec checks is in its own tables, made of the same dictionaries.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("glossary.json")
# The version's own dictionary first; FIXT.1.1 has its session in one and the rest in another.
DICTIONARIES = {
    "FIX.4.2": ("FIX42",),
    "FIX.4.4": ("FIX44",),
    "FIXT.1.1": ("FIX50SP2", "FIXT11"),
}


class Glossary:
    """The names of one version."""

    def __init__(self, dictionaries: list[dict[str, Any]]) -> None:
        self._dictionaries = dictionaries

    def field(self, tag: int) -> str:
        """A field's name; "" for a tag that the version does not have."""
        return next((row[0] for row in self._rows(tag)), "")

    def value(self, tag: int, text: str) -> str:
        """What a value is called; "" where values have no names, or this one has none. Of a value
        that is several, each."""
        for _, names in self._rows(tag):
            if text in names:
                return str(names[text])
            parts = text.split(" ")
            if len(parts) > 1 and all(part in names for part in parts):
                return ", ".join(names[part] for part in parts)
        return ""

    def message(self, msg_type: str) -> str:
        """A message's name; "" for a MsgType(35) that the version does not have."""
        names = (one["messages"].get(msg_type) for one in self._dictionaries)
        return next((name for name in names if name), "")

    def _rows(self, tag: int) -> list[Any]:
        found = (one["fields"].get(str(tag)) for one in self._dictionaries)
        return [row for row in found if row is not None]


@functools.cache
def glossary(begin_string: str) -> Glossary:
    """The names of a version; of one that is not spoken here those of FIX 4.4, for want of better
    ones."""
    names = DICTIONARIES.get(begin_string, DICTIONARIES["FIX.4.4"])
    return Glossary([_all()[name] for name in names])


@functools.cache
def _all() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text(encoding="utf-8")))
