"""The `touchline` command line: run a venue, look at it, replay it, ask its history.

Operator commands are in cli_operator.py and cli_sessions.py, those about the machine in
cli_machine.py, those about files in cli_files.py and cli_feed.py, those that explain FIX in
cli_fix.py, output and exit codes in terminal.py; this module reads options and calls.
Imports of heavy parts happen inside the commands, so that `--help` is quick.

Exit codes: 0 done; 1 the answer is no (refused, a check failed); 2 wrong command line,
configuration or installation; 3 the venue is not running; 4 it did not answer in time, or hangs; 5
the world failed (disk, port, journal, another venue); 6 it runs, and something is not as it should
be; 7 it is starting.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from touchline import __version__
from touchline.config import Config, load
from touchline.control.operate import (
    cli_bench,
    cli_certify,
    cli_feed,
    cli_files,
    cli_fix,
    cli_keys,
    cli_listing,
    cli_machine,
    cli_operator,
    cli_schedule,
    cli_sessions,
)
from touchline.control.operate.private import exposed
from touchline.control.operate.template import TEMPLATE
from touchline.control.operate.terminal import (
    EXTRAS,
    NO,
    emit,
    fail,
    guarded,
    json_option,
    pairs,
    require,
)

DEFAULT_CONFIG = "touchline.toml"


@dataclass
class Options:
    """Where the configuration comes from; read when a command first needs it."""

    path: Path
    overrides: dict[str, str] = field(default_factory=dict)

    def load(self) -> Config:
        return load(self.path, self.overrides)

    def load_checked(self) -> Config:
        """The same for a venue to run by: its calendars are looked up, too."""
        config = self.load()
        if config.timetables:
            cli_schedule.check(config)
        return config


def write_private(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file that only its owner may read, since it will hold passwords."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL)
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)


def _key_values(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or key.count(".") != 1:
            raise click.BadParameter(f"{value!r} is not of the form section.key=value")
        found[key] = text
    return found


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]}, epilog=__doc__.split("\n\n")[2]
)
@click.version_option(__version__, prog_name="touchline")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TOUCHLINE_CONFIG",
    default=DEFAULT_CONFIG,
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    callback=_key_values,
    help="Override one value; may be given several times.",
)
@click.pass_context
def main(context: click.Context, path: Path, overrides: dict[str, str]) -> None:
    """An exchange core: FIX in, risk-checked, matched, journaled, published, captured, replayed."""
    context.obj = Options(path, overrides)


@main.command()
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@json_option
@click.pass_obj
@guarded
def init(options: Options, force: bool, as_json: bool) -> None:
    """Write a commented configuration with two instruments and two broker sessions."""
    try:
        write_private(options.path, TEMPLATE, overwrite=force)
    except FileExistsError:
        fail(f"{options.path} is there already; --force overwrites it", NO)
    emit(
        as_json,
        {"path": options.path.resolve()},
        f"wrote {options.path}; next: `touchline run`",
    )


@main.command()
@click.option("--in-process", is_flag=True, help="All parts as threads of this process.")
@json_option
@click.pass_obj
@guarded
def run(options: Options, in_process: bool, as_json: bool) -> None:
    """Run the venue until SIGTERM, SIGINT or SIGHUP.

    A second signal hastens the stop, a third ends it.
    """
    config = options.load_checked()
    require("structlog", *(["quickfix"] if config.fix.enabled else []))
    require(*(["zmq"] if config.publish.enabled else []))
    if config.publish.enabled and config.publish.curve:
        cli_keys.check(config)
    require(*(["pyarrow", "duckdb", "pytz"] if config.capture.enabled else []))
    from touchline.control.supervisor.host import run_until_signal
    from touchline.control.supervisor.log import open_log
    from touchline.control.supervisor.part import PRIVATE

    os.umask(PRIVATE)  # before the first file: all a venue writes is its own
    open_log("host", config.log_dir, config.log)
    for warning in exposed(options.path, config):
        logging.getLogger(__name__).warning(warning)
    state_hash = run_until_signal(config, in_process=in_process, reload=options.load_checked)
    if as_json:
        emit(True, {"venue": config.venue.name, "state_hash": state_hash}, "")


@main.command()
@json_option
@click.pass_obj
@guarded
def status(options: Options, as_json: bool) -> None:
    """Say how the venue and its parts are.

    Exit code 0: all is well. 3: it does not run. 4: it hangs. 6: it runs, and something is not as
    it should be. 7: it is starting.
    """
    from touchline.control.operate import monitor

    facts = monitor.status(options.load())
    emit(as_json, facts, monitor.status_text(facts))
    if code := monitor.EXIT_CODES[facts["state"]]:
        raise click.exceptions.Exit(code)


@main.command()
@click.argument("symbol")
@click.option("--levels", type=click.IntRange(1, 1000), help="Price levels a side.")
@click.option("--at", "moment", metavar="TIME", help="As it was then, in UTC, by the journal.")
@json_option
@click.pass_obj
@guarded
def book(
    options: Options, symbol: str, levels: int | None, moment: str | None, as_json: bool
) -> None:
    """Show the book of one instrument: the live one, or as it was at a time that is past.

    TIME is nanoseconds since the epoch, or like 2012-06-21T13:30:00.004241176Z.
    """
    from touchline.control.operate import book_at, monitor

    config = options.load()
    if moment is not None:
        levels_max = levels or config.publish.depth_levels
        ts_ns = book_at.moment_ns(moment)
        facts = book_at.book_then(config.journal_dir, symbol, ts_ns, levels_max)
        emit(as_json, facts, monitor.book_text(facts))
        return
    with monitor.open_books(config, [symbol]) as subscriber:
        facts = monitor.book_facts(subscriber.book(symbol), levels or config.publish.depth_levels)
    emit(as_json, facts, monitor.book_text(facts))


@main.command()
@click.option(
    "--script",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Run recorded order flow from a file and check the fills it names.",
)
@json_option
@click.pass_obj
@guarded
def replay(options: Options, script: Path | None, as_json: bool) -> None:
    """Replay the journal from its first command, or a script of order flow."""
    if script is not None:
        _replay_script(script, as_json)
        return
    from touchline.control.operate.verify import replay_facts

    facts = replay_facts(options.load().journal_dir)
    emit(as_json, facts, pairs({key.replace("_", " "): value for key, value in facts.items()}))


def _replay_script(path: Path, as_json: bool) -> None:
    from touchline.data.script import run_script

    result = run_script(path)
    wrong = [str(mismatch) for mismatch in result.mismatches]
    facts: dict[str, Any] = {
        "script": str(result.path),
        "operations": sum(result.operations.values()),
        "checked": result.checked,
        "right": result.right,
        "wrong": wrong,
        "events": result.events,
        "state_hash": f"{result.state_hash:016x}",
    }
    shown = {k.replace("_", " "): v for k, v in facts.items()} | {"wrong": len(wrong)}
    emit(as_json, facts, pairs(shown))
    if not result.ok:
        fail("\n".join([*wrong[:20], f"{len(wrong)} lines are wrong"]), NO)


@main.command()
@click.option("--seconds", type=cli_operator.Seconds(1, 600), default=20.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--rate",
    type=click.IntRange(1, 5000),
    default=150,
    show_default=True,
    help="Requests a second of each client.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Use this directory and leave everything there.",
)
@json_option
@guarded
def demo(seconds: float, seed: int, rate: int, keep: Path | None, as_json: bool) -> None:
    """Show it all: a venue, four FIX clients, a live book, and the proof that it adds up."""
    require(*EXTRAS)
    from touchline.control.demo.demo import run_demo

    if not run_demo(seconds=seconds, seed=seed, rate=rate, keep=keep, as_json=as_json):
        raise click.exceptions.Exit(NO)


cli_files.add_to(main)
cli_feed.add_to(main)
cli_operator.add_to(main)
cli_listing.add_to(main)
cli_sessions.add_to(main)
cli_machine.add_to(main)
cli_fix.add_to(main)
cli_keys.add_to(main)
cli_schedule.add_to(main)
cli_bench.add_to(main)
cli_certify.add_to(main)


if __name__ == "__main__":
    main()
