"""Which operator did what: the words that stand in the journal in front of operators' commands."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from touchline.core.messages import Text, text_commands
from touchline.errors import TouchlineError
from touchline.runtime.journal import JournalReader

BATCH = 65536


def history(journal_dir: Path, last: int) -> list[dict[str, Any]]:
    """The newest `last` entries, oldest first: seq, time, who and what was asked for.

    What became of it is in the events behind that number: a refusal changes nothing. Raises
    TouchlineError when there is no journal.
    """
    entries: deque[dict[str, Any]] = deque(maxlen=last)
    try:
        with JournalReader(str(journal_dir)) as reader:
            while len(commands := reader.read(BATCH)):
                texts = text_commands(commands)
                for piece in texts[texts["field"] == Text.OPERATOR]:
                    _take(entries, piece)
    except FileNotFoundError as error:
        raise TouchlineError(
            f"there is no journal in {journal_dir}; `touchline run` begins one"
        ) from error
    return [_shown(entry) for entry in entries]


def _take(entries: deque[dict[str, Any]], piece: Any) -> None:
    """A first piece begins an entry; the others go on with it."""
    if piece["side"] == 0:
        entries.append({"seq": int(piece["seq"]), "ts_ns": int(piece["ts_ns"]), "text": b""})
    if entries:
        entries[-1]["text"] += bytes(piece["text"])


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    who, _, words = entry["text"].decode("utf-8", "replace").partition(": ")
    moment = datetime.fromtimestamp(entry["ts_ns"] / 1e9, UTC).isoformat(timespec="milliseconds")
    return {"seq": entry["seq"], "time": moment, "operator": who, "command": words}
