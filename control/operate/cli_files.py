"""The commands about what lies on disk: `query`, `capture verify|compact`, `journal verify`.

`verify` reads every byte while the venue runs or not. Exit codes: 0 everything is there and whole;
1 something is missing or damaged, and is named with its file and events or commands; 5 the disk
does not let it be read.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import click

from touchline.control.operate.terminal import NO, emit, fail, guarded, json_option, pairs, require
from touchline.errors import JournalCorrupt, TouchlineError

_READ_MAX = 65_536
_WAIT_S = 10.0  # for readers to end before small files are merged


@click.command()
@click.argument("sql")
@click.option("--json", "form", flag_value="json", help="Print one JSON object.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV with a header.")
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Answer from the files that are good; standard error tells what is left out.",
)
@click.option("--verify", is_flag=True, help="Read every file first and compare it with its sum.")
@click.pass_obj
@guarded
def query(options: Any, sql: str, form: str | None, skip_damaged: bool, verify: bool) -> None:
    """Ask the captured history in SQL: views orders, executions, trades, bars_1m, refusals, events.

    For example: touchline query "SELECT symbol, sum(qty) FROM trades GROUP BY symbol"
    """
    from touchline.control.operate import answers
    from touchline.data import history
    from touchline.data.captured import CaptureDamaged, Check

    require("duckdb")
    _open_many_files()
    forms = {"json": answers.as_json, "csv": answers.as_csv, None: answers.as_table}
    directory = options.load().capture_dir
    check: Check = "all" if verify else "changed"
    with history.open(directory, skip_damaged=skip_damaged, check=check) as past:
        try:
            answer = past.query(sql)
        except CaptureDamaged as error:
            fail(f"{error}\n--skip-damaged answers from the other files", NO)
        for fault in past.faults:
            click.echo(f"touchline: left out: {fault}", err=True)
        answers.write(forms[form](answer), lambda text: click.echo(text, nl=False))


def _open_many_files() -> None:
    """Let this process hold as many files as it may: DuckDB opens all that a question reads."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@click.group()
def capture() -> None:
    """The captured files: check them, merge small ones."""


@capture.command("verify")
@json_option
@click.pass_obj
@guarded
def verify_capture(options: Any, as_json: bool) -> None:
    """Read every captured file and compare it with what was written; name what is not there."""
    from touchline.data import captured

    directory = options.load().capture_dir
    found = captured.verify(directory)
    if not found.files and not found.faults:
        fail(f"nothing has been captured yet in {directory}", NO)
    facts = {
        "capture": str(directory),
        "files": found.files,
        "events": found.events,
        "bytes": found.bytes,
        "faults": [
            {**vars(fault), "path": str(fault.path)} for fault in found.faults
        ],
    }  # fmt: skip
    emit(as_json, facts, pairs(facts | {"faults": len(found.faults)}))
    if found.faults:
        fail("\n".join(str(fault) for fault in found.faults), NO)


@capture.command("compact")
@json_option
@click.pass_obj
@guarded
def compact_capture(options: Any, as_json: bool) -> None:
    """Merge small files, so that queries open few; a running capture does so by itself."""
    from touchline.control.capture.compact import compact
    from touchline.control.capture.store import Store

    directory = options.load().capture_dir
    if not (directory / "events").is_dir():
        fail(f"nothing has been captured yet in {directory}", NO)
    with Store(directory) as store:
        before = len(store.entries)
        compact(store, wait_s=_WAIT_S)
        facts = {"capture": str(directory), "files": len(store.entries), "files before": before}
    emit(as_json, {k.replace(" ", "_"): v for k, v in facts.items()}, pairs(facts))


@click.group()
def journal() -> None:
    """The journal: check it."""


@journal.command("verify")
@json_option
@click.pass_obj
@guarded
def verify_journal(options: Any, as_json: bool) -> None:
    """Read every command of the journal and its checksum, without replaying it."""
    facts = _journal_facts(options.load().journal_dir)
    emit(as_json, facts, pairs({key.replace("_", " "): value for key, value in facts.items()}))
    if facts["damage"]:
        fail(str(facts["damage"]), NO)


def _journal_facts(directory: Path) -> dict[str, Any]:
    from touchline.control.operate.verify import torn_tail
    from touchline.runtime.journal import JournalReader

    damage = None
    commands = 0
    try:
        with JournalReader(directory) as reader:
            try:
                while len(batch := reader.read(_READ_MAX)):
                    commands += len(batch)
            except JournalCorrupt as error:
                damage = str(error)
    except JournalCorrupt as error:
        damage = str(error)
    except FileNotFoundError as error:
        raise TouchlineError(
            f"there is no journal in {directory}; `touchline run` begins one"
        ) from error
    segments = sorted(directory.glob("*.tlj"))
    return {
        "journal": str(directory),
        "segments": len(segments),
        "commands": commands,
        "bytes": sum(segment.stat().st_size for segment in segments),
        "damage": damage,
        "torn_tail": None if damage else torn_tail(directory, commands + 1),
    }


def add_to(group: click.Group) -> None:
    """Make these commands of the program."""
    for command in (query, capture, journal):
        group.add_command(command)
