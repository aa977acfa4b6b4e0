"""How each session stands: `sessions.json` in the gateway's directory, for whoever looks after it.

   pid        of the process whose sessions they are
   written_ns when, UTC
   sessions   a row each: comp_id, number, enabled, state (away, on, leaving, over) since when,
              address, next_in, next_out, and what waits: unsent (and unsent_bytes), held, pending;
              times are UTC nanoseconds

Written once a second and when somebody came or went; replaced whole, so a reader never sees half of
one. The numbers of a session that another engine serves are that engine's, and null here.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from touchline.errors import describe
from touchline.fix.settings import SessionSettings
from touchline.wire.fix_server import FixServer, SessionStatus

LOG = logging.getLogger("touchline.fix")
FILE = "sessions.json"


class Presence:
    """Writes the file; a disk that does not take it is told of once, and no session suffers."""

    def __init__(self, fix_dir: Path, *, counted: bool = True) -> None:
        self._path = fix_dir / FILE
        self._counted = counted  # whether numbers are the server's
        self._failed = False

    def write(self, server: FixServer, sessions: Mapping[int, SessionSettings]) -> None:
        """How they stand now."""
        rows = [
            self._row(number, configured, server.session_status(number))
            for number, configured in sessions.items()
        ]
        said = {"pid": os.getpid(), "written_ns": int(server.utc_s() * 1e9), "sessions": rows}
        part = self._path.with_suffix(".part")
        try:
            with open(part, "w", opener=_private, encoding="utf-8") as file:
                file.write(json.dumps(said))
            os.replace(part, self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                LOG.warning("how sessions stand could not be written: %s", describe(error))
            self._failed = True

    def _row(
        self, number: int, configured: SessionSettings, status: SessionStatus | None
    ) -> dict[str, Any]:
        row: dict[str, Any] = {"comp_id": configured.comp_id, "number": number}
        row["enabled"] = configured.enabled
        if status is None:
            return row | {"state": "away", "address": ""}
        row |= {"state": status.state, "address": status.address}
        if not self._counted:
            return row
        return row | {
            "since_ns": status.since_ns,
            "next_in": status.next_in,
            "next_out": status.next_out,
            "unsent": status.unwritten,
            "unsent_bytes": status.unwritten_bytes,
            "held": status.held,
            "pending": status.pending,
            "heartbeat_s": status.heartbeat_s,
            "last_in_ns": status.last_in_ns,
            "last_out_ns": status.last_out_ns,
            "resends": status.resends,
        }


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
