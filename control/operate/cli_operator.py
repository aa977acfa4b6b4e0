"""The operator's commands on the command line; each is one call in admin.py."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from touchline.control.operate.stepped import step_words
from touchline.control.operate.steps import step_of
from touchline.control.operate.terminal import emit, guarded, json_option
from touchline.core.messages import (
    GROUP_MAX,
    LIMIT_UNSET,
    LIMITS,
    PRICE_MAX,
    QTY_MAX,
    Limit,
    SelfTrade,
    TradingStatus,
)
from touchline.errors import TouchlineError
from touchline.instruments import Instrument

AUCTIONS = (
    TradingStatus.OPENING_AUCTION,
    TradingStatus.VOLATILITY_AUCTION,
    TradingStatus.CLOSING_AUCTION,
)


class Seconds(click.FloatRange):
    """A number of seconds within a range, and a number indeed."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


timeout_option = click.option(
    "--timeout",
    "timeout_s",
    type=Seconds(0.01, 3600),
    default=5.0,
    show_default=True,
    help="Seconds to wait for the venue's answer.",
)


def operator(function: Callable[..., Any]) -> click.Command:
    """A command that opens the operator's lane; the function gets the lane and returns facts.

    The facts' "done" is what a person reads.
    """

    @click.pass_context
    @guarded
    def wrapper(context: click.Context, as_json: bool, timeout_s: float, **arguments: Any) -> None:
        from touchline.control.supervisor.admin import Admin

        words = words_of(_name_of(context), arguments)
        with Admin(context.obj.load(), timeout_s=timeout_s, words=words) as admin:
            facts = function(admin, **arguments)
        emit(as_json, facts, facts["done"])

    wrapper.__doc__ = function.__doc__
    name = function.__name__.strip("_").replace("_", "-")
    return click.command(name)(json_option(timeout_option(wrapper)))


def _name_of(context: click.Context) -> str:
    """The command's name, with its group's where it has one."""
    parent = context.parent
    of_group = parent is not None and parent.parent is not None
    names = [parent.info_name if parent and of_group else None, context.info_name]
    return " ".join(name for name in names if name)


def words_of(name: str, arguments: dict[str, Any]) -> str:
    """A command as the journal keeps it: its name, and what was given."""
    given = {key: value for key, value in arguments.items() if value not in (None, False)}
    return " ".join([name, *(f"{key}={value}" for key, value in given.items())])


@operator
def _halt(admin: Any, symbol: str) -> dict[str, Any]:
    """Refuse new orders and replaces in one instrument; cancels stay possible."""
    admin.halt(symbol)
    return {"symbol": symbol, "status": "HALTED", "done": f"{symbol} is halted"}


@operator
def _resume(admin: Any, symbol: str) -> dict[str, Any]:
    """End the halt of one instrument."""
    admin.resume(symbol)
    return {"symbol": symbol, "status": "READY_TO_TRADE", "done": f"{symbol} is ready to trade"}


@operator
def _phase(
    admin: Any, symbol: str, phase: str, lasts_s: float, window_s: float, seed: int | None
) -> dict[str, Any]:
    """Move one instrument into a trading phase.

    PHASE: pre-open, opening-auction, ready-to-trade (continuous), volatility-auction,
    closing-auction, closing-price, closed or halted. An auction does not end before --for, and not
    before a moment of the --window after it that the --seed draws.
    """
    status = TradingStatus[phase.upper().replace("-", "_")]
    if status not in AUCTIONS and (lasts_s or window_s or seed is not None):
        raise click.UsageError("--for, --window and --seed are for auctions")
    drawn = secrets.randbits(64) if seed is None and window_s else seed or 0
    admin.phase(symbol, status, lasts_s, window_s, drawn)
    facts = {"symbol": symbol, "status": status.name, "done": f"{symbol}: {phase}"}
    return facts | ({"seed": drawn} if status in AUCTIONS else {})


@operator
def _kill(admin: Any, keep_orders: bool) -> dict[str, Any]:
    """The kill switch: refuse all new orders, then cancel everything that rests."""
    canceled = admin.kill(keep_orders=keep_orders)
    what = "resting orders stay" if keep_orders else f"{canceled} orders canceled"
    return {
        "venue_status": "BLOCKED",
        "canceled": canceled,
        "done": f"the venue is killed, {what}; `touchline revive` opens it again",
    }


@operator
def _revive(admin: Any) -> dict[str, Any]:
    """Turn the kill switch off: new orders are accepted again."""
    admin.revive()
    return {"venue_status": "OPEN", "done": "the venue accepts orders again"}


@operator
def _block(admin: Any, account: str) -> dict[str, Any]:
    """Refuse new orders and replaces of one account; cancels stay possible."""
    admin.block(account)
    return {"account": account, "status": "BLOCKED", "done": f"{account} is blocked"}


@operator
def _unblock(admin: Any, account: str) -> dict[str, Any]:
    """Let a blocked account trade again."""
    admin.unblock(account)
    return {"account": account, "status": "OPEN", "done": f"{account} may trade"}


@operator
def _self_trade(admin: Any, account: str, mode: str, group: int) -> dict[str, Any]:
    """What becomes of two orders of one account that would trade with each other.

    MODE: allowed, cancel-resting, cancel-aggressor, cancel-both, decrement-both or cancel-smaller.
    Accounts of one --group, a number from 1, are one account to it.
    """
    chosen = SelfTrade[mode.upper().replace("-", "_")]
    admin.self_trade(account, chosen, group)
    return {
        "account": account,
        "self_trade": chosen.name,
        "group": group,
        "done": f"{account}: {mode}" + (f", group {group}" if group else ""),
    }


@operator
def _allocation(admin: Any, symbol: str, steps: tuple[str, ...]) -> dict[str, Any]:
    """How trades of one instrument are shared out; without a STEP first in, first out.

    STEP: fifo:PERCENT, top:AMOUNT:LEAST, market-maker:ACCOUNT:PERCENT, pro-rata:AMOUNT:LEAST or
    levelling, in the order they come in. AMOUNT and LEAST are quantities. The instrument has no
    open order.
    """
    admin.allocation(symbol, [step_of(step) for step in steps])
    words = " ".join(steps) or "first in, first out"
    return {"symbol": symbol, "steps": list(steps), "done": f"{symbol}: {words}"}


@operator
def _limit(admin: Any, symbol: str, name: str, value: str, account: str | None) -> dict[str, Any]:
    """Set one limit of an instrument, or of an account in it (--account).

    SYMBOL `*` is every instrument, quantities rounded down to its lots. VALUE is a price, a
    quantity or an amount as people write it, or `none` for no limit. A limit that the configuration
    names is set back to that at the next start.
    """
    limit = Limit[name.upper()]
    if LIMITS[limit].of_account != (account is not None):
        needs = "needs --account" if account is None else "belongs to the instrument: no --account"
        raise TouchlineError(f"{name} {needs}")
    symbols = sorted(admin.names.symbols.values()) if symbol == "*" else [symbol]
    to_lots = Instrument.floor_lots if symbol == "*" else Instrument.to_lots
    units = {s: _units(limit, value, admin.instrument(s), to_lots) for s in symbols}
    for listed, number in units.items():  # before the first of them is sent
        _check_range(limit, value, listed, number)
    admin.set_limits(limit, units, account)
    whose = f"{account} in {symbol}" if account else symbol
    return {
        "symbol": symbol,
        "account": account,
        "limit": limit.name,
        "value": None if value == "none" else max(units.values(), default=0),
        "done": f"{name} of {whose} is {value}",
    }


_NO_LIMIT = {
    Limit.PRICE_MIN: 1,
    Limit.PRICE_MAX: PRICE_MAX,
    Limit.QTY_MAX: QTY_MAX,
}  # where there always is one: the widest


def _units(
    limit: Limit, value: str, instrument: Instrument, to_lots: Callable[[Instrument, str], int]
) -> int:
    """The value in the core's units."""
    if value == "none":
        if limit == Limit.REFERENCE_PRICE:
            raise TouchlineError("reference_price can not be taken away; give it another price")
        return _NO_LIMIT.get(limit, LIMIT_UNSET)
    reckon: dict[str, Callable[[str], int]] = {
        "value": instrument.floor_value,
        "lots": lambda value: to_lots(instrument, value),
        "ticks": instrument.to_ticks,
    }
    return reckon[LIMITS[limit].unit](value)


def _check_range(limit: Limit, value: str, symbol: str, number: int) -> None:
    """Raises TouchlineError for a limit that the engine would refuse."""
    bounds = LIMITS[limit]
    if bounds.lowest <= number <= bounds.highest or (bounds.unset and number == LIMIT_UNSET):
        return
    raise TouchlineError(
        f"{limit.name.lower()} {value} is {number} {bounds.unit} of {symbol}, outside "
        f"{bounds.lowest} to {bounds.highest}; nothing was set"
    )


@operator
def _cancel(admin: Any, symbol: str | None, account: str | None) -> dict[str, Any]:
    """Cancel all resting orders, or those of one instrument or account."""
    canceled = admin.mass_cancel(symbol, account)
    return {"canceled": canceled, "done": f"{canceled} orders canceled"}


@operator
def _end_of_day(admin: Any) -> dict[str, Any]:
    """Expire every resting order with TimeInForce Day."""
    expired = admin.mass_cancel(end_of_day=True)
    return {"expired": expired, "done": f"{expired} orders expired"}


@operator
def _checkpoint(admin: Any) -> dict[str, Any]:
    """Journal a checkpoint and print the state hash it carries."""
    seq, state_hash = admin.checkpoint()
    text = f"{state_hash:016x}"
    return {"event_seq": seq, "state_hash": text, "done": f"event {seq}: state hash {text}"}


@click.group()
def clock() -> None:
    """The time that events carry."""


@operator
def _accept(admin: Any) -> dict[str, Any]:
    """Take the host's clock as it is, after a step that was not believed; stamps may go back once.

    Look at the clock first (`date`): every event from here on carries its time.
    """
    ts_ns, step_ns = admin.accept_clock()
    moment = datetime.fromtimestamp(ts_ns / 1e9, UTC).isoformat(timespec="seconds")
    return {
        "ts_ns": ts_ns,
        "step_ns": step_ns,
        "done": f"the host's clock is taken: it is {moment}, {step_words(step_ns)} the last stamp",
    }


_SYMBOL = click.Argument(["symbol"])
_ACCOUNT = click.Argument(["account"])
_PHASES = [status.name.lower().replace("_", "-") for status in TradingStatus]
_LASTS = Seconds(0, 86_400)
_SELF_TRADES = [mode.name.lower().replace("_", "-") for mode in SelfTrade]
_PARAMETERS: dict[click.Command, list[click.Parameter]] = {
    _halt: [_SYMBOL],
    _resume: [_SYMBOL],
    _phase: [
        _SYMBOL,
        click.Argument(["phase"], type=click.Choice(_PHASES), metavar="PHASE"),
        click.Option(["--for", "lasts_s"], type=_LASTS, default=0.0, help="Seconds, at least."),
        click.Option(["--window", "window_s"], type=_LASTS, default=0.0, help="Seconds after it."),
        click.Option(
            ["--seed"],
            type=click.IntRange(0, 2**64 - 1),
            help="What draws the end within the window; drawn itself where it is not given.",
        ),
    ],
    _kill: [
        click.Option(["--keep-orders"], is_flag=True, help="Leave resting orders in the book.")
    ],
    _revive: [],
    _block: [_ACCOUNT],
    _unblock: [_ACCOUNT],
    _self_trade: [
        _ACCOUNT,
        click.Argument(["mode"], type=click.Choice(_SELF_TRADES), metavar="MODE"),
        click.Option(
            ["--group"],
            type=click.IntRange(0, GROUP_MAX),
            default=0,
            metavar="N",
            help="Its group of accounts; 0: none.",
        ),
    ],
    _allocation: [_SYMBOL, click.Argument(["steps"], nargs=-1, metavar="[STEP]...")],
    _limit: [
        _SYMBOL,
        click.Argument(
            ["name"], type=click.Choice([limit.name.lower() for limit in Limit]), metavar="LIMIT"
        ),
        click.Argument(["value"]),
        click.Option(["--account"], help="Whose trading the limit is for."),
    ],
    _cancel: [
        click.Option(["--symbol"], help="Only in this instrument."),
        click.Option(["--account"], help="Only of this account."),
    ],
    _end_of_day: [],
    _checkpoint: [],
    _accept: [],
}


def add_to(group: click.Group) -> None:
    """Put the operator's commands into the group."""
    _limit.context_settings["ignore_unknown_options"] = True  # a value may be negative
    for command, parameters in _PARAMETERS.items():
        command.params = [*parameters, *command.params]
        (clock if command is _accept else group).add_command(command)
    group.add_command(clock)
