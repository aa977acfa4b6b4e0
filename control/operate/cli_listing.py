"""Commands for what a venue consists of: instruments and accounts; and what was done to it.

They work while the venue runs, and what they add can be used at once. `apply` sends what the
configuration says and the venue does not; the others need no change of the file, but do not make
one either.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from touchline.config import AccountSection, InstrumentSection
from touchline.control.operate.cli_operator import timeout_option, words_of
from touchline.control.operate.terminal import emit, guarded, json_option, table
from touchline.errors import ConfigError

_M = TypeVar("_M", bound=BaseModel)


class Number(click.ParamType[Decimal]):
    """An exact decimal number."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        try:
            return Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a decimal number", param, ctx)


def _section(kind: type[_M], **values: Any) -> _M:
    """A section of the configuration out of options; ConfigError with everything wrong."""
    try:
        return kind.model_validate({k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        problems = [f"{e['loc'][0]} = {e['input']!s:.40}: {e['msg']}" for e in error.errors()]
        raise ConfigError(*problems) from None


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@timeout_option
@json_option
@click.pass_context
@guarded
def apply(context: click.Context, dry_run: bool, timeout_s: float, as_json: bool) -> None:
    """Make the running venue what the configuration says: only the difference is sent.

    New instruments, accounts and limits can be used at once, and so can a session's accounts and
    password. Where a session comes or goes, brokers are logged out for a moment. Everything else of
    the file holds from the next start on.
    """
    from touchline.control.operate.apply import apply as apply_now

    config = context.obj.load()
    words = words_of("apply", {"config": context.obj.path.name})
    facts = apply_now(config, config.fix.enabled, timeout_s=timeout_s, dry_run=dry_run, words=words)
    emit(as_json, facts, facts["done"])


@click.group()
def instrument() -> None:
    """List the instruments, or add one while the venue runs."""


@instrument.command("list")
@json_option
@click.pass_obj
@guarded
def instrument_list(options: Any, as_json: bool) -> None:
    """What is listed, with its limits as they are now."""
    from touchline.control.operate.apply import instruments
    from touchline.control.supervisor.setup import read_journal

    facts = instruments(read_journal(options.load().journal_dir))
    columns = ["symbol", "tick_size", "lot_size", "currency", "status", "limits"]
    rows = [[*(row[c] for c in columns[:-1]), _limits(row["limits"])] for row in facts]
    emit(as_json, facts, table(columns, rows))


def _limits(limits: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value or 'none'}" for name, value in limits.items())


@instrument.command("add")
@click.argument("symbol")
@click.option("--tick-size", type=Number(), required=True)
@click.option("--lot-size", type=Number())
@click.option("--currency")
@click.option("--price-min", type=Number())
@click.option("--price-max", type=Number())
@click.option("--qty-max", type=Number())
@click.option("--reference-price", type=Number())
@click.option("--price-collar", type=Number())
@click.option("--halted", is_flag=True, help="List it halted.")
@timeout_option
@json_option
@click.pass_obj
@guarded
def instrument_add(options: Any, timeout_s: float, as_json: bool, **values: Any) -> None:
    """List an instrument; it can be traded at once. Its name and sizes never change."""
    from touchline.control.operate.apply import with_instrument

    section = _section(InstrumentSection, **values)
    words = words_of("instrument add", values)
    facts = _add(options.load(), section, with_instrument, words, timeout_s)
    emit(as_json, facts, facts["done"])


def _add(config: Any, section: Any, narrowed: Any, words: str, timeout_s: float) -> dict[str, Any]:
    """Send what an instrument or account needs; Refused when it is there already."""
    from touchline.control.operate.apply import describe_commands
    from touchline.control.supervisor.admin import Admin, Refused
    from touchline.control.supervisor.setup import read_journal, setup_commands
    from touchline.core.messages import Text

    kind = Text.SYMBOL if isinstance(section, InstrumentSection) else Text.ACCOUNT
    name = section.symbol if isinstance(section, InstrumentSection) else section.name
    with Admin(config, timeout_s=timeout_s, words=words) as admin:
        known = read_journal(config.journal_dir)
        if name in known.names.numbers(kind):
            raise Refused(f"{name} is there already; `touchline limit` changes what it may do")
        wanted = narrowed(config, known, section)
        commands = setup_commands(wanted, known)
        changes = describe_commands(commands, wanted, known)
        admin.send(commands)
    return {"changes": changes, "done": "\n".join(f"+ {change}" for change in changes)}


@click.group()
def account() -> None:
    """List the accounts, or open one while the venue runs."""


@account.command("list")
@json_option
@click.pass_obj
@guarded
def account_list(options: Any, as_json: bool) -> None:
    """Which accounts are open, with their limits in each instrument as they are now."""
    from touchline.control.operate.apply import accounts
    from touchline.control.supervisor.setup import read_journal

    facts = accounts(read_journal(options.load().journal_dir))
    rows: list[list[Any]] = []
    for row in facts:
        limits = row["limits"] or {"": {}}
        rows += [[row["account"], row["status"], s, _limits(held)] for s, held in limits.items()]
    emit(as_json, facts, table(["account", "status", "symbol", "limits"], rows))


@account.command("add")
@click.argument("name")
@click.option("--order-qty-max", type=Number())
@click.option("--order-value-max", type=Number())
@click.option("--position-max", type=Number())
@click.option("--blocked", is_flag=True, help="Open it blocked.")
@timeout_option
@json_option
@click.pass_obj
@guarded
def account_add(options: Any, timeout_s: float, as_json: bool, **values: Any) -> None:
    """Open an account, with its limits in every instrument of the configuration that is listed."""
    from touchline.control.operate.apply import with_account

    section = _section(AccountSection, **values)
    words = words_of("account add", values)
    facts = _add(options.load(), section, with_account, words, timeout_s)
    emit(as_json, facts, facts["done"])


@click.command()
@click.option("--last", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@json_option
@click.pass_obj
@guarded
def history(options: Any, last: int, as_json: bool) -> None:
    """Which operator did what and when, from the journal; works without a running venue."""
    from touchline.control.operate.history import history as read

    facts = read(options.load().journal_dir, last)
    columns = ["seq", "time", "operator", "command"]
    emit(as_json, facts, table(columns, [[row[name] for name in columns] for row in facts]))


def add_to(group: click.Group) -> None:
    """Put the commands into the group."""
    for command in (apply, instrument, account, history):
        group.add_command(command)
