"""What the publisher tells of itself: `publish.json` in the venue's data directory.

   seq       the last event published
   ts_ns     its time
   dropped   how often a subscriber was so far behind that messages were dropped for it
   snapshots replies sent; `refused`: requests dropped; `cut`: connections cut off
   turned_away  handshakes with a key that is not allowed
   head      the event from which on it publishes: behind it, it is catching up
   error     null, or why it has ended

A file is replaced whole, so a reader never sees half of one.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "publish.json"


@dataclass(slots=True)
class PublisherState:
    """The keys of the file."""

    seq: int = 0
    ts_ns: int = 0
    dropped: int = 0
    snapshots: int = 0
    refused: int = 0
    cut: int = 0
    turned_away: int = 0
    head: int = 0
    error: str | None = None


def write_state(path: Path, state: PublisherState) -> None:
    """Replace the file. Raises OSError when the directory cannot be written."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(state)) + "\n", encoding="utf-8")
    os.replace(part, path)
