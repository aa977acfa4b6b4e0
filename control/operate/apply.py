"""From what the file says to what the running venue is: the difference, sent and told.

Compared with the journal, as at a start: only what differs travels to the engine. Sessions are the
gateway's: when they differ, the supervisor is told to read the file again, and the gateway takes
them up anew.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from touchline.config import AccountSection, Config, InstrumentSection
from touchline.control.supervisor.admin import Admin, NotRunning, Unanswered
from touchline.control.supervisor.part import GATEWAY
from touchline.control.supervisor.setup import Known, left_over, read_journal, setup_commands
from touchline.control.supervisor.state import read_state
from touchline.core.messages import Limit, MsgType, Text, text_commands
from touchline.errors import TouchlineError
from touchline.instruments import Instrument

LOOK_S = 0.05


def describe_commands(commands: Any, config: Config, known: Known) -> list[str]:
    """The commands as a person would say them."""
    texts = {
        (Text(int(c["field"])), int(c["key"])): bytes(c["text"]).decode()
        for c in text_commands(commands)
    }

    def name_of(kind: Text, number: int) -> str:
        return texts.get((kind, number), known.names.kind(kind).get(number, str(number)))

    lines = [f"session {name}" for (kind, _), name in texts.items() if kind == Text.SESSION]
    for command in commands[commands["type"] != MsgType.TEXT]:
        symbol = name_of(Text.SYMBOL, int(command["instrument"]))
        account = name_of(Text.ACCOUNT, int(command["account"]))
        match MsgType(int(command["type"])):
            case MsgType.SECURITY_DEFINITION:
                lines.append(f"instrument {symbol}")
            case MsgType.ACCOUNT:
                lines.append(f"account {account}")
            case MsgType.SECURITY_STATUS:
                lines.append(f"halt {symbol}")
            case MsgType.ACCOUNT_STATUS:
                lines.append(f"block {account}")
            case MsgType.LIMIT:
                limit = Limit(int(command["field"]))
                whose = f"{symbol} of {account}" if limit >= Limit.ORDER_QTY_MAX else symbol
                price = int(command["price"])
                units = "ticks x lots" if limit == Limit.ORDER_VALUE_MAX else _unit(limit)
                lines.append(f"{limit.name.lower()} of {whose}: {price} {units}")
    return lines


def _unit(limit: Limit) -> str:
    return "lots" if limit in (Limit.QTY_MAX, Limit.ORDER_QTY_MAX, Limit.POSITION_MAX) else "ticks"


def apply(
    config: Config, reload_sessions: bool, *, timeout_s: float, dry_run: bool, words: str
) -> dict[str, Any]:
    """Make the running venue what the configuration says; what was, or would be, done."""
    with Admin(config, timeout_s=timeout_s, words=words) as admin:
        known = read_journal(config.journal_dir)
        commands = setup_commands(config, known)
        changes = describe_commands(commands, config, known)
        if len(commands) and not dry_run:
            admin.send(commands)
    reloaded = False
    if reload_sessions and not dry_run:
        reloaded = reload(config, timeout_s)
    return {
        "dry_run": dry_run,
        "changes": changes,
        "sessions_taken_up": reloaded,
        "not_in_the_file": left_over(config, known),
        "done": _told(changes, dry_run, reloaded),
    }


def _told(changes: list[str], dry_run: bool, reloaded: bool) -> str:
    lines = [f"+ {change}" for change in changes] or ["the engine has all of it already"]
    if dry_run:
        lines.append("nothing was sent: --dry-run")
    if reloaded:
        lines.append("the gateway has taken up the sessions anew")
    return "\n".join(lines)


def reload(config: Config, timeout_s: float) -> bool:
    """Have the supervisor read the file again; whether the gateway had to take up sessions."""
    state = read_state(config)
    if state is None:
        raise NotRunning("the supervisor is not running, so sessions stay as they are")
    before = int(state["reloads"])
    os.kill(int(state["pid"]), signal.SIGUSR1)
    done = _until(config, timeout_s, lambda now: int(now["reloads"]) > before)
    if done["reload_error"]:
        raise TouchlineError(f"the supervisor keeps what it had: {done['reload_error']}")
    if not done["sessions_changed"]:
        return False
    _until(config, timeout_s, _at_hand)
    return True


def _at_hand(state: dict[str, Any]) -> bool:
    gateway = state["parts"][GATEWAY]
    return bool(gateway["ready"] and not gateway["taking_up"])


def _until(
    config: Config, timeout_s: float, reached: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = read_state(config)
        if state is None:
            raise NotRunning("the venue stopped meanwhile")
        if reached(state):
            return state
        threading.Event().wait(LOOK_S)
    raise Unanswered(f"the supervisor has not taken up the file within {timeout_s:g} s")


def with_instrument(config: Config, known: Known, section: InstrumentSection) -> Config:
    """The configuration of this instrument alone, with the limits of the accounts that are open."""
    accounts = known.names.numbers(Text.ACCOUNT)
    kept = tuple(account for account in config.accounts if account.name in accounts)
    return config.model_copy(update={"instruments": (section,), "accounts": kept, "sessions": ()})


def with_account(config: Config, known: Known, section: AccountSection) -> Config:
    """The configuration of this account alone, in the instruments that are listed."""
    symbols = known.names.numbers(Text.SYMBOL)
    kept = tuple(i for i in config.instruments if i.symbol in symbols)
    return config.model_copy(update={"instruments": kept, "accounts": (section,), "sessions": ()})


def instruments(known: Known) -> list[dict[str, Any]]:
    """What is listed: names, sizes and limits in prices and quantities."""
    return [
        {
            "symbol": symbol,
            "tick_size": known.names.ticks.get(number),
            "lot_size": known.names.lots.get(number),
            "currency": known.names.currencies.get(number),
            "status": "HALTED" if number in known.halted else "READY_TO_TRADE",
            "limits": _limits(known, number, -1),
        }
        for symbol, number in sorted(known.names.numbers(Text.SYMBOL).items())
    ]


def accounts(known: Known) -> list[dict[str, Any]]:
    """Which accounts are open, with their limits by symbol."""
    symbols = known.names.numbers(Text.SYMBOL)
    return [
        {
            "account": name,
            "status": "BLOCKED" if number in known.blocked else "OPEN",
            "limits": {
                symbol: limits
                for symbol, index in sorted(symbols.items())
                if (limits := _limits(known, index, number))
            },
        }
        for name, number in sorted(known.names.numbers(Text.ACCOUNT).items())
    ]


def _limits(known: Known, index: int, account: int) -> dict[str, str | None]:
    """Limits that were set, as people write them; None where one was taken away."""
    instrument = known.names.instrument(index)
    found = {}
    for (of, whose, limit), value in sorted(known.limits.items()):
        if (of, whose) == (index, account):
            found[limit.name.lower()] = limit_text(instrument, limit, value)
    return found


def limit_text(instrument: Instrument, limit: Limit, value: int) -> str | None:
    """A limit in prices, quantities or amounts; None for no limit."""
    if value == (1 << 63) - 1:
        return None
    if limit == Limit.ORDER_VALUE_MAX:
        return f"{instrument.to_value(value):f}"
    if _unit(limit) == "lots":
        return f"{instrument.to_qty(value):f}"
    return f"{instrument.to_price(value):f}"
