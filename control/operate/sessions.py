"""The FIX sessions as they are: what is configured, and what the gateway wrote of each.

The gateway's file is believed while the gateway that wrote it is the venue's; of one that is gone
it still says the last numbers, and when they were true.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from touchline.config import Config, SessionSection
from touchline.control.operate.apply import LOOK_S, reload
from touchline.control.supervisor.admin import Admin, NotRunning, Refused, Unanswered
from touchline.control.supervisor.part import GATEWAY
from touchline.control.supervisor.setup import read_journal, setup_commands
from touchline.control.supervisor.state import read_state
from touchline.core.messages import Text
from touchline.errors import SessionError

FILE = "sessions.json"  # of touchline.fix.presence, which is not imported for its name
BYTES_MAX = 1 << 20
NUMBERS = (
    "next_in", "next_out", "unsent", "unsent_bytes", "held", "pending", "heartbeat_s", "resends",
)  # fmt: skip
TIMES = {"since": "since_ns", "last_in": "last_in_ns", "last_out": "last_out_ns"}
COLUMNS = ["session", "state", "since", "address", "in", "out", "unsent", "bytes", "pending",
           "last in", "last out"]  # fmt: skip
Facts = dict[str, Any]


def standing(config: Config, state: Facts | None) -> list[Facts]:
    """Each configured session as its gateway wrote it last; `as_of` when no gateway runs now."""
    said = _read(config)
    rows = {row["comp_id"]: row for row in said["sessions"]}
    part = ((state or {}).get("parts") or {}).get(GATEWAY) or {}
    live = bool(part.get("ready")) and part.get("pid") == said["pid"]
    return [_fact(one, rows.get(one.comp_id, {}), live, said) for one in config.sessions]


def _fact(one: SessionSection, row: Facts, live: bool, said: Facts) -> Facts:
    fact: Facts = {"comp_id": one.comp_id, "enabled": one.enabled}
    fact["taken_up"] = live and row.get("enabled") == one.enabled
    fact["state"] = row.get("state", "away") if live else "away"
    fact["address"] = row.get("address") or None if live else None
    fact |= {name: row.get(name) for name in NUMBERS}
    fact |= {name: moment(row.get(key)) for name, key in TIMES.items()}
    if not live:
        fact |= {"since": None, "as_of": moment(said["written_ns"]) if row else None}
    return fact


def _read(config: Config) -> Facts:
    """The gateway's file; an empty one where there is none, or none that can be read."""
    try:
        with open(config.fix_dir / FILE, "rb") as file:
            said = json.loads(file.read(BYTES_MAX))
        rows = [row for row in said["sessions"] if isinstance(row["comp_id"], str)]
        return {"pid": said["pid"], "written_ns": said["written_ns"], "sessions": rows}
    except (OSError, ValueError, KeyError, TypeError):
        return {"pid": None, "written_ns": None, "sessions": []}


def moment(ns: object) -> str | None:
    """A time as people write it, to the millisecond; None for never."""
    if not isinstance(ns, int) or not 0 < ns < 1 << 63:
        return None
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds")


def session_rows(facts: Sequence[Facts]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows for a person."""
    rows = []
    for fact in facts:
        state = fact["state"] if fact["enabled"] else f"{fact['state']}, disabled"
        rows.append([
            fact["comp_id"], state, _short(fact["since"]), fact["address"], fact["next_in"],
            fact["next_out"], fact["unsent"], fact["unsent_bytes"], fact["pending"],
            _short(fact["last_in"]), _short(fact["last_out"]),
        ])  # fmt: skip
    return COLUMNS, rows


def _short(text: str | None) -> str | None:
    return None if text is None else text.replace("+00:00", "Z")


def refuse_unknown(config: Config, session: str) -> None:
    """Refused when no session of that name is configured."""
    names = [one.comp_id for one in config.sessions]
    if session not in names:
        raise Refused(f"there is no session {session!r}; known are {', '.join(names) or 'none'}")


def all_facts(config: Config) -> list[Facts]:
    """What is agreed with each session, without its secrets, and how it stands."""
    return [
        _agreed(one) | fact
        for one, fact in zip(config.sessions, standing(config, read_state(config)), strict=True)
    ]


def _agreed(one: SessionSection) -> Facts:
    kept = "argon2" if one.password_hash else "plain" if one.password is not None else "none"
    return {
        "comp_id": one.comp_id,
        "begin_string": one.begin_string,
        "accounts": list(one.accounts),
        "password": kept,
        "addresses": list(one.addresses),
        "certificate": one.certificate,
        "time_decimals": one.time_decimals,
        "permissions": list(one.permissions),
        "cancel_on_disconnect": one.cancel_on_disconnect,
        "cancel_grace_s": one.cancel_grace_s,
        "throttle": one.throttle,
        "pending_reports": one.pending_reports,
        "cl_ord_id_scope": one.cl_ord_id_scope,
        "open": one.open,
        "close": one.close,
        "reset": one.reset,
        "time_zone": one.time_zone,
    }


def refuse_unopened(config: Config, section: SessionSection) -> None:
    """Refused for an account that the running venue has not opened: its gateway could not let the
    session in."""
    if read_state(config) is None:
        return
    names = read_journal(config.journal_dir).names.numbers(Text.ACCOUNT)
    missing = [name for name in section.accounts if name not in names]
    if missing and missing[0] in {account.name for account in config.accounts}:
        raise Refused(f"account {missing[0]} is not open yet; `touchline apply` opens it")


def hand_over(config: Config, session: str, timeout_s: float, words: str) -> bool:
    """Have the running venue take up the file, in which that session is new or has changed; False
    when none runs."""
    changed = tuple(one for one in config.sessions if one.comp_id == session)
    if read_state(config) is None:
        return False
    with Admin(config, timeout_s=timeout_s, words=words) as admin:
        update = {"instruments": (), "accounts": (), "sessions": changed}
        known = read_journal(config.journal_dir)
        commands = setup_commands(config.model_copy(update=update), known)
        admin.send(commands) if len(commands) else admin.say()
    if not config.fix.enabled:
        return False
    reload(config, timeout_s)
    deadline = time.monotonic() + timeout_s
    while not all(_taken_up(one, standing(config, read_state(config))) for one in changed):
        if time.monotonic() >= deadline:
            raise Unanswered(
                "the file is changed, and the gateway has not taken it up: see `touchline status`; "
                "a venue that was started with another file never will"
            )
        threading.Event().wait(LOOK_S)
    return True


def _taken_up(wanted: SessionSection, facts: Sequence[Facts]) -> bool:
    return any(
        one["comp_id"] == wanted.comp_id and one["taken_up"] and one["enabled"] == wanted.enabled
        for one in facts
    )


def reset_seq(
    config: Config,
    session: str,
    next_out: int | None,
    next_in: int | None,
    timeout_s: float,
    words: str,
) -> Facts:
    """Have the running gateway change a session's numbers, or change them in the store of one that
    does not run; what they are now."""
    if read_state(config) is None:
        from touchline.fix.offline import renumber

        numbers = read_journal(config.journal_dir).names.numbers(Text.SESSION)
        try:
            return renumber(config, numbers, session, next_out, next_in)
        except SessionError as error:
            raise Refused(str(error)) from error
    request = {"ask": "reset-seq", "session": session, "next_out": next_out, "next_in": next_in}
    return ask_gateway(config, request, timeout_s, words)


def ask_gateway(config: Config, request: Facts, timeout_s: float, words: str) -> Facts:
    """Have the running gateway do something that no command of the journal says; its answer."""
    from touchline.fix.operators import ask

    with Admin(config, timeout_s=timeout_s, words=words) as admin:
        admin.say()
    try:
        return ask(config.fix_dir, request, timeout_s)
    except TimeoutError as error:
        raise Unanswered(
            f"the gateway did not answer within {timeout_s:g} s; it may have done it: see "
            "`touchline sessions list` and `touchline sessions log`"
        ) from error
    except (FileNotFoundError, ConnectionError) as error:
        raise NotRunning("the gateway is not running: see `touchline status`") from error
    except SessionError as error:
        raise Refused(str(error)) from error
