"""From a configuration to the administrative commands that make the venue what it says.

Compared with what the journal already says: known names keep their numbers, new ones take the next,
and only what differs is sent, so that a restart with the same file sends nothing. What the file
names holds after every start; what it leaves out (a halt, a block, a limit set by an operator)
stays as it was. Pure functions; the host calls them once the engine has recovered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.config import SESSIONS_MAX, AccountSection, Config, InstrumentSection
from touchline.core.engine import Engine
from touchline.core.messages import (
    LIMITS,
    PRICE_MAX,
    EntryStatus,
    ExecType,
    Limit,
    MsgType,
    Text,
    TradingStatus,
    make_commands,
)
from touchline.errors import ConfigError
from touchline.instruments import Instrument
from touchline.runtime.directory import Directory
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import replay

Records = NDArray[np.void]
_ANY_ACCOUNT = -1
_BATCH = 16384
_KEPT = np.zeros(256, bool)  # by type of a command: does it say any of what is Known?
_KEPT[
    [
        MsgType.TEXT,
        MsgType.SECURITY_DEFINITION,
        MsgType.SECURITY_STATUS,
        MsgType.ACCOUNT,
        MsgType.ACCOUNT_STATUS,
        MsgType.LIMIT,
    ]
] = True


@dataclass(slots=True)
class Known:
    """What a journal says about names, definitions, limits and statuses.

    `limits` maps (instrument, account or -1, limit) to the value set last.
    """

    names: Directory = field(default_factory=Directory)
    instruments: set[int] = field(default_factory=set)
    accounts: set[int] = field(default_factory=set)
    limits: dict[tuple[int, int, Limit], int] = field(default_factory=dict)
    halted: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)


def read_journal(journal_dir: Path) -> Known:
    """What the journal says; nothing when there is none yet. Raises JournalCorrupt.

    Orders are passed over: the answer to an operator's command depends on them in one way alone, a
    LIMIT of an account is refused when trading has taken all places for positions. Where there is
    a place for every account in every instrument that can not be; else all of it is replayed.
    """
    if not any(journal_dir.glob("*.tlj")):
        return Known()
    known = Known()
    with JournalReader(journal_dir) as reader:
        capacities = reader.capacities
        engine = Engine(**capacities._asdict())
        while len(commands := reader.read(_BATCH)):
            administrative = commands[_KEPT[commands["type"]]]
            learn(known, administrative, engine.submit(administrative))
    if len(known.instruments) * len(known.accounts) <= capacities.positions_max:
        return known
    return replayed(journal_dir)


def replayed(journal_dir: Path) -> Known:
    """What the journal says, by replaying all of it."""
    known = Known()
    for commands, events in replay(journal_dir):
        learn(known, commands, events)
    return known


def learn(known: Known, commands: Records, events: Records) -> None:
    """Take in commands and the events they gave, in the order of the journal."""
    known.names.update(commands)
    kinds = (
        ExecType.SECURITY_DEFINITION,
        ExecType.SECURITY_STATUS,
        ExecType.ACCOUNT,
        ExecType.ACCOUNT_STATUS,
        ExecType.LIMIT,
    )
    for event in events[np.isin(events["exec_type"], kinds)]:
        instrument, account = int(event["instrument"]), int(event["account"])
        match ExecType(int(event["exec_type"])):
            case ExecType.SECURITY_DEFINITION:
                known.instruments.add(instrument)
            case ExecType.ACCOUNT:
                known.accounts.add(account)
            case ExecType.SECURITY_STATUS:
                _mark(known.halted, instrument, int(event["qty"]) == TradingStatus.HALTED)
            case ExecType.ACCOUNT_STATUS:
                _mark(known.blocked, account, int(event["qty"]) == EntryStatus.BLOCKED)
            case _:
                limit = Limit(int(event["reason"]))
                whose = account if LIMITS[limit].of_account else _ANY_ACCOUNT
                known.limits[instrument, whose, limit] = int(event["value"])


def _mark(members: set[int], member: int, belongs: bool) -> None:
    if belongs:
        members.add(member)
    else:
        members.discard(member)


def setup_commands(config: Config, known: Known) -> Records:
    """The commands that make the venue what the configuration says; empty when it is so already.

    Raises ConfigError when the configuration contradicts the journal: another tick size, lot size
    or currency for a known symbol, or more names than the engine has numbers for.
    """
    rows: list[dict[str, Any]] = []
    listed: dict[int, Instrument] = {}
    symbols = known.names.numbers(Text.SYMBOL)
    for section in config.instruments:
        index = _number(symbols, section.symbol, config.engine.instruments_max, "instruments")
        listed[index] = section.instrument(index)
        rows += _instrument_rows(section, listed[index], known)
    accounts = known.names.numbers(Text.ACCOUNT)
    for account in config.accounts:
        number = _number(accounts, account.name, config.engine.accounts_max, "accounts")
        rows += _account_rows(account, number, listed, known)
    sessions = known.names.numbers(Text.SESSION)
    for session in config.sessions:
        number = _number(sessions, session.comp_id, SESSIONS_MAX, "sessions")
        rows += _text_rows(known, Text.SESSION, number, session.comp_id)
    for user in config.wire_sessions:
        number = _number(sessions, user.username, SESSIONS_MAX, "sessions")
        rows += _text_rows(known, Text.SESSION, number, user.username)
    return make_commands(rows)


def left_over(config: Config, known: Known) -> list[str]:
    """Instruments and accounts the journal knows and the configuration no longer names."""
    named = {section.symbol for section in config.instruments}
    held = {account.name for account in config.accounts}
    symbols = [s for s in known.names.numbers(Text.SYMBOL) if s not in named]
    return symbols + [a for a in known.names.numbers(Text.ACCOUNT) if a not in held]


def _number(numbers: dict[str, int], name: str, most: int, section: str) -> int:
    """The number of a name, known or the next one."""
    if name not in numbers:
        numbers[name] = max(numbers.values(), default=-1) + 1
    if numbers[name] >= most:
        bound = f"engine.{section}_max is" if section != "sessions" else "numbers end below"
        raise ConfigError(f"{section}: {name} would be number {numbers[name]}, and {bound} {most}")
    return numbers[name]


def _text_rows(known: Known, kind: Text, key: int, text: str) -> Iterator[dict[str, Any]]:
    if known.names.kind(kind).get(key) != text:
        yield {"type": MsgType.TEXT, "field": kind, "key": key, "text": text.encode()}


def _instrument_rows(
    section: InstrumentSection, instrument: Instrument, known: Known
) -> Iterator[dict[str, Any]]:
    index = instrument.index
    names = {
        Text.SYMBOL: section.symbol,
        Text.TICK_SIZE: format(section.tick_size, "f"),
        Text.LOT_SIZE: format(section.lot_size, "f"),
        Text.CURRENCY: section.currency,
    }
    for kind, text in names.items():
        before = known.names.kind(kind).get(index)
        if before is not None and _differs(kind, before, text):
            raise ConfigError(
                f"{section.symbol}: {kind.name.lower()} is {before} in the journal and {text} in "
                f"the configuration; list it under another symbol, or start a new data_dir"
            )
        if before is None:
            yield from _text_rows(known, kind, index, text)
    if index not in known.instruments:
        yield {"type": MsgType.SECURITY_DEFINITION, "instrument": index}
    yield from _limit_rows(known, index, _ANY_ACCOUNT, _instrument_limits(section, instrument))
    if section.halted and index not in known.halted:
        yield {
            "type": MsgType.SECURITY_STATUS,
            "instrument": index,
            "field": TradingStatus.HALTED,
        }


def _differs(kind: Text, before: str, now: str) -> bool:
    """Sizes are compared as numbers, so that 0.10 is 0.1; names as text."""
    if kind in (Text.TICK_SIZE, Text.LOT_SIZE):
        return Decimal(before) != Decimal(now)
    return before != now


def _instrument_limits(section: InstrumentSection, instrument: Instrument) -> dict[Limit, int]:
    """What the section says, in ticks and lots."""
    prices = {
        Limit.PRICE_MIN: section.price_min,
        Limit.PRICE_MAX: section.price_max,
        Limit.PRICE_COLLAR: section.price_collar,
        Limit.REFERENCE_PRICE: section.reference_price,
    }
    limits = {k: instrument.to_ticks(v) for k, v in prices.items() if v is not None}
    if section.qty_max is not None:
        limits[Limit.QTY_MAX] = instrument.to_lots(section.qty_max)
    return limits


def _limit_rows(
    known: Known, index: int, account: int, limits: Mapping[Limit, int]
) -> Iterator[dict[str, Any]]:
    """LIMIT commands for what differs, in an order in which no bound crosses the other."""
    order = sorted(limits)
    lowest = known.limits.get((index, account, Limit.PRICE_MIN), 1)
    if limits.get(Limit.PRICE_MAX, PRICE_MAX) >= lowest:
        order.sort(key=lambda limit: limit != Limit.PRICE_MAX)
    for limit in order:
        if known.limits.get((index, account, limit)) != limits[limit]:
            yield {
                "type": MsgType.LIMIT,
                "instrument": index,
                "account": max(account, 0),
                "field": limit,
                "price": limits[limit],
            }


def _account_rows(
    section: AccountSection, number: int, listed: Mapping[int, Instrument], known: Known
) -> Iterator[dict[str, Any]]:
    yield from _text_rows(known, Text.ACCOUNT, number, section.name)
    if number not in known.accounts:
        yield {"type": MsgType.ACCOUNT, "account": number}
    for index, instrument in listed.items():
        limits: dict[Limit, int] = {}
        if section.order_qty_max is not None:
            limits[Limit.ORDER_QTY_MAX] = instrument.floor_lots(section.order_qty_max)
        if section.order_value_max is not None:
            limits[Limit.ORDER_VALUE_MAX] = instrument.floor_value(section.order_value_max)
        if section.position_max is not None:
            limits[Limit.POSITION_MAX] = instrument.floor_lots(section.position_max)
        yield from _limit_rows(known, index, number, limits)
    if section.blocked and number not in known.blocked:
        yield {"type": MsgType.ACCOUNT_STATUS, "account": number, "field": EntryStatus.BLOCKED}
