"""Which journal and which bus the acceptor's store goes with, and so where reporting begins.

The store says with each report which event it was on. Those are the events of one journal: with
another one, reporting starts with what happens from now on. And a session's number of messages
taken counts on commands that were sent into one bus: with another one, what was not answered is
expected from the peers once more.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from touchline.errors import SessionError
from touchline.fix.orders import report_key

FILE = "origin.json"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(slots=True)
class Origin:
    """`first_key`: reports up to it were never made. `strange`: by session, the key its store had
    of another journal; it says nothing while no other has come."""

    journal_id: int = 0
    first_key: int = 0
    bus: str = ""
    strange: dict[int, int] = field(default_factory=dict)

    def mark(self, session: int, stored_key: int, newest_event: int) -> int:
        """The key of the last event that the session was told of."""
        known = 0 if self.strange.get(session) == stored_key else stored_key
        return min(max(self.first_key, known), report_key(newest_event))


def bus_identity(path: Path) -> str:
    """The same text for as long as the bus at `path` is the same file of the same boot."""
    found = os.stat(path)
    try:
        boot = BOOT_ID.read_text().strip()
    except OSError:
        boot = ""
    return f"{boot}:{found.st_dev}:{found.st_ino}"


def read_origin(store_dir: Path) -> Origin | None:
    """What was written last; None at the first start. SessionError when the file is damaged."""
    path = store_dir / FILE
    try:
        said = json.loads(path.read_text())
        strange = {int(number): int(key) for number, key in said["strange"].items()}
        return Origin(int(said["journal_id"]), int(said["first_key"]), str(said["bus"]), strange)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SessionError(f"{path} can not be read: {error}; move it away") from error


def write_origin(store_dir: Path, origin: Origin) -> None:
    """Write it whole or not at all, on the disk when this returns."""
    path = store_dir / FILE
    temporary = path.with_suffix(".tmp")
    strange = {str(number): key for number, key in origin.strange.items()}
    said = {
        "journal_id": origin.journal_id,
        "first_key": origin.first_key,
        "bus": origin.bus,
        "strange": strange,
    }
    with open(temporary, "w", opener=_private) as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
