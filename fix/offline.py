"""The sequence numbers of a session changed while no gateway runs, whichever engine it has."""

from __future__ import annotations

import errno
import importlib
import json
import os
from typing import TYPE_CHECKING, Any

from touchline.config import SESSIONS_MAX
from touchline.errors import SessionError
from touchline.fix.native import MANY_SESSIONS, SEGMENT_BYTES
from touchline.fix.presence import FILE
from touchline.fix.renumber import checked_number
from touchline.fix.settings import GatewaySettings, SessionSettings
from touchline.wire.fix_server import renumber as renumber_store

if TYPE_CHECKING:
    from touchline.config import Config

Facts = dict[str, Any]
QUICKFIX_NUMBER_MAX = (1 << 31) - 1


def renumber(
    config: Config, numbers: dict[str, int], session: str, next_out: int | None, next_in: int | None
) -> Facts:
    """Set a session's numbers; `numbers` are those of the sessions in the journal. What both are
    then. SessionError for what can not be."""
    for name, value in (("next_out", next_out), ("next_in", next_in)):
        if value is not None:
            checked_number(name, value)
    settings = GatewaySettings.from_config(config)
    (one,) = (of for of in settings.sessions if of.comp_id == session)
    if settings.engine == "native":
        out, come = _native(settings, numbers, session, next_out, next_in)
    else:
        out, come = _quickfix(settings, one, next_out, next_in)
    _note(settings, session, out, come)
    return {"session": session, "next_out": out, "next_in": come}


def _native(
    settings: GatewaySettings,
    numbers: dict[str, int],
    session: str,
    next_out: int | None,
    next_in: int | None,
) -> tuple[int, int]:
    if session not in numbers or not settings.native_dir.is_dir():
        raise SessionError(f"session {session} was never open: both its numbers are 1")
    sessions_max = min(max(numbers.values()) + 1 + MANY_SESSIONS, SESSIONS_MAX)
    try:
        return renumber_store(
            settings.native_dir, numbers[session], sessions_max, SEGMENT_BYTES, next_out, next_in
        )
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise SessionError("a gateway has the store: the venue starts or stops just now") from error


def _quickfix(
    settings: GatewaySettings, one: SessionSettings, next_out: int | None, next_in: int | None
) -> tuple[int, int]:
    """By QuickFIX itself, which keeps messages by their numbers: those sent under the old ones go
    when both numbers are new."""
    if max(next_out or 1, next_in or 1) > QUICKFIX_NUMBER_MAX:
        raise SessionError(f"QuickFIX knows no number above {QUICKFIX_NUMBER_MAX}")
    if not settings.store_dir.is_dir():
        raise SessionError(f"session {one.comp_id} was never open: both its numbers are 1")
    fix = importlib.import_module("quickfix")
    of = fix.SessionID(one.begin_string, settings.comp_id, one.comp_id)
    factory = fix.FileStoreFactory(str(settings.store_dir))
    store = factory.create(fix.UtcTimeStamp(), of)
    try:
        if next_out is not None and next_in is not None:
            store.reset(fix.UtcTimeStamp())
        if next_out is not None:
            store.setNextSenderMsgSeqNum(next_out)
        if next_in is not None:
            store.setNextTargetMsgSeqNum(next_in)
        return int(store.getNextSenderMsgSeqNum()), int(store.getNextTargetMsgSeqNum())
    finally:
        factory.destroy(store)


def _note(settings: GatewaySettings, session: str, next_out: int, next_in: int) -> None:
    """What the gateway wrote last says the new numbers, too."""
    path = settings.fix_dir / FILE
    try:
        said = json.loads(path.read_bytes())
        for row in said["sessions"]:
            if row["comp_id"] == session and settings.engine == "native":
                row |= {"next_out": next_out, "next_in": next_in}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(said), encoding="utf-8")
        part.chmod(0o600)
        os.replace(part, path)
    except (OSError, ValueError, KeyError, TypeError):
        return  # it tells the old ones until the next start
