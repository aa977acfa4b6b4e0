"""The commands about market data of others, recorded or on: `feed print|check|replay|export`.

`feed record` is in cli_feed_live.py, what they read in feed_source.py.

Exit codes: 0 done, and nothing was wrong; 1 something was found wrong, or the file is not whole; 5
the disk does not let it be read.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from touchline.control.operate import cli_feed_live
from touchline.control.operate.feed_source import FILE, Source, source
from touchline.control.operate.terminal import NO, emit, fail, guarded, json_option, pairs

_DAY_NS = 86_400_000_000_000


@click.group()
def feed() -> None:
    """Market data of others: ITCH in files and on lines; LOBSTER, Databento, CSV, Parquet."""


@feed.command("print")
@source
@click.option("--symbol", help="Of one instrument, by its symbol or number.")
@click.option("--limit", type=click.IntRange(1), help="So many records.")
@json_option
@guarded
def print_feed(
    source: Source,
    symbol: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Print each record as a line of text, or of JSON."""
    from touchline.control.operate.feed_lines import lines

    with source.open() as reader:
        for line in lines(reader, symbol, limit, as_json):
            click.echo(line)


@feed.command()
@source
@click.option("--tick", default="0.0001", show_default=True, help="Prices are multiples of it.")
@click.option("--price-max", help="No price is above it.")
@click.option("--sigma", type=float, default=3.0, show_default=True, help="Of outliers.")
@click.option("--window", type=click.IntRange(2, 10_000), default=100, show_default=True)
@click.option("--score-min", type=click.FloatRange(0, 1), help="Accept faults down to this score.")
@click.option("--source", "sources", multiple=True, metavar="NAME=FILE", help="Of [[sources]].")
@json_option
@click.pass_obj
@guarded
def check(
    options: Any,
    source: Source,
    tick: str,
    price_max: str | None,
    sigma: float,
    window: int,
    score_min: float | None,
    sources: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check prices, volumes, times, outliers and completeness, and what books make of it.

    With --source, once for each, the files of several sources: symbols, prices and who is believed
    as [pricing] and [[sources]] of the configuration say.
    """
    from touchline.data import Books
    from touchline.data.quality import Bounds, Quality

    bounds = Bounds(
        tick=_billionths("--tick", tick),
        price_max=_billionths("--price-max", price_max) if price_max else (1 << 63) - 1,
        sigma=sigma,
        window=window,
    )
    if sources:
        _check_sources(options, source, sources, bounds, as_json)
        return
    quality, books = Quality(bounds), Books()
    with source.open(skip=True) as reader:
        for records in reader:
            quality.check(records)
            books.apply(records)
        counts = getattr(reader, "counts", None)
    facts = {"path": source.name, **quality.report.facts(), "books": books.counts._asdict()}
    if counts is not None:
        facts["read"] = counts._asdict()
    emit(as_json, facts, pairs(_shown(facts)))
    good = quality.report.ok if score_min is None else quality.report.score >= score_min
    if not good:
        fail(f"{source.name}: score {quality.report.score:.6f}, and not all is right", NO)


def _check_sources(
    options: Any, source: Source, given: tuple[str, ...], bounds: Any, as_json: bool
) -> None:
    """Files of several sources together."""
    from touchline.control.operate.feed_sources import check_sources

    if source.path is not None or source.lines:
        raise click.UsageError("--source names the files itself")
    facts, wrong = check_sources(options.load(), given, source.day, bounds)
    emit(as_json, facts, pairs(_shown(facts)))
    if wrong:
        fail("\n".join(wrong), NO)


def _billionths(option: str, text: str) -> int:
    from decimal import Decimal, InvalidOperation

    from touchline.data import PRICE_SCALE

    try:
        scaled = Decimal(text) * PRICE_SCALE
        whole = int(scaled)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no number", param_hint=option) from error
    if scaled != whole or not 0 < whole < 1 << 63:
        raise click.BadParameter(f"{text!r} is no price with nine decimals", param_hint=option)
    return whole


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts within facts as names with a blank between."""
    shown: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            inner = {f"{name} {key}": item for key, item in value.items()}
            shown |= _shown(inner)
        else:
            shown[name.replace("_", " ")] = value
    return shown


@feed.command()
@source
@click.option("--tick", default="0.0001", show_default=True, help="One tick of the engine.")
@click.option("--limit", type=click.IntRange(1), help="So many records.")
@click.option("--to", multiple=True, metavar="ADDRESS", help="Send on this line; twice for two.")
@click.option("--speed", type=click.FloatRange(0, 1e6), default=1.0, show_default=True)
@click.option("--rate", type=click.IntRange(0), default=0, help="Messages a second at most.")
@click.option("--answer", metavar="ADDRESS", help="Where what was lost may be asked for.")
@click.option("--name", default="REPLAY", show_default=True, help="Of the session that is sent.")
@click.option("--ttl", type=click.IntRange(1, 255), default=1, show_default=True)
@click.option("--linger", type=click.FloatRange(0, 3600), default=1.0, show_default=True)
@json_option
@guarded
def replay(
    source: Source,
    tick: str,
    limit: int | None,
    to: tuple[str, ...],
    speed: float,
    rate: int,
    answer: str | None,
    name: str,
    ttl: int,
    linger: float,
    as_json: bool,
) -> None:
    """Give its orders to an engine as commands, and print what became of them.

    With --to nothing is traded: the file's messages are sent by MoldUDP64, at --speed times their
    own (0: as fast as it goes), and --answer sends again what was lost, until nobody has asked for
    --linger seconds.
    """
    if to:
        options = {
            "lines": to,
            "requests": answer,
            "session": name,
            "interface": source.interface,
            "ttl": ttl,
            "speed": speed,
            "per_s": rate,
            "linger_s": linger,
        }
        cli_feed_live.send_again(source, options, limit, as_json)
        return
    through_engine(source, tick, limit, as_json)


def through_engine(source: Source, tick: str, limit: int | None, as_json: bool) -> None:
    """Orders of others as commands of an engine, and what became of them."""
    from touchline.data.through_engine import Through

    through = Through(tick=_billionths("--tick", tick))
    with source.open() as reader:
        for records in reader:
            left = len(records) if limit is None else limit - through.counts.records
            through.apply(records[:left])
            if limit is not None and through.counts.records >= limit:
                break
    facts = {
        "path": source.name,
        **asdict(through.counts),
        "orders_open": through.engine.orders_open,
        "events": through.engine.event_seq,
        "state_hash": f"{through.engine.state_hash():016x}",
    }
    emit(as_json, facts, pairs(_shown(facts)))


@feed.command()
@FILE
@click.option("--date", "day", metavar="YYYY-MM-DD", help="That day alone, in --zone.")
@click.option("--zone", default="UTC", show_default=True, help="Whose days and midnight count.")
@click.option("--from", "since", metavar="TIME", help="No command before it; as --to.")
@click.option("--to", "--until", "until", metavar="TIME", help="None after it; as of `book --at`.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@json_option
@click.pass_obj
@guarded
def export(
    options: Any,
    path: Path,
    day: str | None,
    zone: str,
    since: str | None,
    until: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the venue's journal as a file of ITCH 5.0; gzip when it is called .gz.

    From the journal's first command, or a part of it, also while the venue runs. A part opens with
    the stocks and the orders that were there when it began.
    """
    from touchline.data.export import export_itch
    from touchline.errors import TouchlineError
    from touchline.runtime.directory import Directory

    directory = options.load().journal_dir
    from_ns, until_ns, midnight_ns = _window(day, zone, since, until)
    try:
        made = export_itch(
            directory, path, from_ns=from_ns, until_ns=until_ns, midnight_ns=midnight_ns,
            overwrite=force,
        )  # fmt: skip
        names = Directory.read(directory).symbols
    except FileExistsError:
        fail(f"{path} is there already; --force overwrites it", NO)
    except FileNotFoundError as error:
        raise TouchlineError(f"{error.filename}: there is no journal, or no folder") from error
    left_out = {names.get(number, str(number)): why for number, why in made.untold.items()}
    facts = made._asdict() | {"untold": left_out, "state_hash": f"{made.state_hash:016x}"}
    emit(as_json, facts, pairs(_shown(facts)))


def _window(
    day: str | None, zone: str, since: str | None, until: str | None
) -> tuple[int | None, int | None, int]:
    """From when to when, and at which time of a UTC day the zone's day begins."""
    from datetime import date, timedelta

    from touchline.control.operate.book_at import moment_ns
    from touchline.data.zones import midnight_ns

    if day is not None and (since or until):
        raise click.UsageError("--date says from when to when, and so do --from and --to")
    if day is None:
        began = None if since is None else moment_ns(since)
        shown = midnight_ns(date(1970, 1, 2), zone) if began is None else _day_of(began, zone)
        return began, None if until is None else moment_ns(until), shown % _DAY_NS
    began = midnight_ns(day, zone)
    following = date.fromisoformat(day) + timedelta(days=1)
    return began, midnight_ns(following, zone) - 1, began % _DAY_NS


def _day_of(moment: int, zone: str) -> int:
    """When the zone's day of a moment began."""
    from touchline.data.zones import to_local_ns, to_utc_ns

    local = int(to_local_ns([moment], zone)[0])
    return int(to_utc_ns([local - local % _DAY_NS], zone, fold=0)[0])


def add_to(group: click.Group) -> None:
    """Make these commands of the program."""
    feed.add_command(cli_feed_live.record)
    group.add_command(feed)
