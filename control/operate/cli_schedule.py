"""`touchline schedule`: the trading days ahead, and instruments that are held where they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from touchline.config import Config
from touchline.control.operate.terminal import (
    emit,
    guarded,
    json_option,
    require,
)
from touchline.errors import ConfigError, TouchlineError

DAYS_MAX = 366


class _Date(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-11-27.", param, ctx)


def check(config: Config) -> None:
    """Refuse a timetable whose calendar there is not, before a venue opens."""
    require("exchange_calendars")
    from touchline.control.schedule.timetable import plans_of

    plans_of(config, datetime.now(UTC).date())


@click.group(invoke_without_command=True)
@click.option("--date", "first", type=_Date(), help="The first day; without it today.")
@click.option(
    "--days", type=click.IntRange(1, DAYS_MAX), default=1, show_default=True, help="How many."
)
@json_option
@click.pass_context
@guarded
def schedule(context: click.Context, first: date | None, days: int, as_json: bool) -> None:
    """Show which phase comes when, by the timetables of the configuration.

    Days are those of each calendar's exchange; times are UTC and the exchange's. A venue need not
    run. Phases are moved by hand with `touchline phase`, and stay so until the next change.
    """
    if context.invoked_subcommand is not None:
        return
    config = context.obj.load()
    _configured(config)
    require("exchange_calendars")
    tables = [_table(plan, days) for plan in _plans(config, first)]
    facts = {"timetables": tables, "held": _held(config)}
    emit(as_json, facts, _text(facts))


def _configured(config: Config) -> None:
    if not config.timetables:
        raise ConfigError("timetables: none is configured; add [[timetables]]")


def _plans(config: Config, first: date | None) -> list[tuple[Any, date]]:
    """Each plan with its first day, which is today's where its exchange is."""
    from touchline.control.schedule.timetable import plans_of

    plans = plans_of(config, first or datetime.now(UTC).date())
    return [(plan, first or datetime.now(plan.calendar.zone).date()) for plan in plans]


def _held(config: Config) -> list[str]:
    from touchline.control.schedule.record import read_held

    return read_held(config.venue.data_dir)


def _table(of: tuple[Any, date], count: int) -> dict[str, Any]:
    from touchline.control.schedule.calendars import CalendarEnds

    plan, first = of
    days: list[dict[str, Any]] = []
    facts = {
        "calendar": plan.calendar.name,
        "time_zone": str(plan.calendar.zone),
        "instruments": plan.symbols,
        "days": days,
    }
    for number in range(count):
        try:
            days.append(_day(plan, first + timedelta(days=number)))
        except CalendarEnds:
            if not days:
                raise
            facts["ends"] = plan.calendar.last
            break
    return facts


def _day(plan: Any, day: date) -> dict[str, Any]:
    from touchline.control.schedule.timetable import changes_of

    found = plan.calendar.day(day)
    if found is None:
        return {"date": day, "closed": plan.calendar.reason(day), "changes": []}
    now_ns = time.time_ns()
    changes = [
        {
            "time": change.time,
            "local": change.time.astimezone(found.zone),
            "phase": change.status.name.lower().replace("_", "-"),
            "window_s": change.window_s,
            "expire_day_orders": change.expire_day_orders,
            "past": change.ts_ns <= now_ns,
        }
        for change in changes_of(plan.table, found)
    ]
    return {"date": day, "shorter": found.shorter, "changes": changes}


def _text(facts: dict[str, Any]) -> str:
    lines: list[str] = []
    for table in facts["timetables"]:
        names = ", ".join(table["instruments"]) or "no instrument"
        lines.append(f"{table['calendar']} ({table['time_zone']}): {names}")
        for day in table["days"]:
            lines += _day_lines(day)
        if "ends" in table:
            lines.append(f"  the calendar ends on {table['ends']}; a newer one may know more")
    if facts["held"]:
        lines.append(f"held: {', '.join(facts['held'])}")
    return "\n".join(lines)


def _day_lines(day: dict[str, Any]) -> list[str]:
    head = f"  {day['date']:%a} {day['date']}"
    if not day["changes"]:
        return [f"{head}  {day.get('closed', 'nothing is due')}"]
    lines = [head + ("  a shorter day" if day["shorter"] else "")]
    coming = next((one for one in day["changes"] if not one["past"]), None)
    for one in day["changes"]:
        mark = "next" if one is coming and any(o["past"] for o in day["changes"]) else ""
        ends = f", ends within {one['window_s']} s" if one["window_s"] else ""
        expires = ", Day orders expire" if one["expire_day_orders"] else ""
        lines.append(
            f"    {one['time']:%H:%M:%S} UTC  {one['local']:%H:%M:%S}  {one['phase']:18}"
            f"{mark:5}{ends}{expires}".rstrip().replace("   , ", "  ")
        )
    return lines


@schedule.command()
@click.argument("symbols", nargs=-1, required=True)
@json_option
@click.pass_obj
@guarded
def hold(options: Any, symbols: Sequence[str], as_json: bool) -> None:
    """Have the timetable leave instruments where they are, until they are released."""
    _change(options.load(), symbols, as_json, hold=True)


@schedule.command()
@click.argument("symbols", nargs=-1, required=True)
@json_option
@click.pass_obj
@guarded
def release(options: Any, symbols: Sequence[str], as_json: bool) -> None:
    """Have the timetable move instruments again: at once into the phase that is due."""
    _change(options.load(), symbols, as_json, hold=False)


def _change(config: Config, symbols: Sequence[str], as_json: bool, *, hold: bool) -> None:
    from touchline.config.timetable import symbols_of
    from touchline.control.schedule.record import change_held

    _configured(config)
    configured = [one.symbol for one in config.instruments]
    known = {symbol for of in symbols_of(config.timetables, configured) for symbol in of}
    for symbol in symbols:
        if symbol not in known:
            raise TouchlineError(
                f"{symbol!r} follows no timetable; these do: {', '.join(sorted(known)) or 'none'}"
            )
    _say(config, f"schedule {'hold' if hold else 'release'} {' '.join(symbols)}")
    config.venue.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    held = change_held(
        config.venue.data_dir,
        lambda before: before | set(symbols) if hold else before - set(symbols),
    )
    done = f"{', '.join(symbols)}: {'held' if hold else 'released'}"
    emit(as_json, {"held": held, "done": done}, done)


def _say(config: Config, words: str) -> None:
    """Have it stand in the journal of a venue that runs."""
    from touchline.control.supervisor.admin import Admin, NotRunning

    try:
        with Admin(config, words=words) as admin:
            admin.say()
    except NotRunning:
        return


def add_to(group: click.Group) -> None:
    """Put the commands into the group."""
    group.add_command(schedule)
