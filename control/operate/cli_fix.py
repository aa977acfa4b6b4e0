"""The commands that explain FIX: `fix log` shows a session's messages, `fix decode` raw ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import click

from touchline.control.operate.terminal import NO, fail, guarded, json_option

_FIRST, _LAST = "0", "9"  # before and behind every line of a log


def _time(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from touchline.control.operate.fix_log import moment, utc_now

    if value is None:
        return None
    now: datetime = context.meta.setdefault("touchline.now", utc_now())
    try:
        return moment(value, now)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group()
def fix() -> None:
    """FIX messages for people: what a session said, and what a raw message means."""


@click.command("log")
@click.argument("session")
@click.option(
    "--since", callback=_time, help="2026-11-29T05:53:00 or 05:53 (UTC), or 15m: so long ago."
)
@click.option("--until", callback=_time, help="The same; the line of that moment is left out.")
@click.option("--pretty", is_flag=True, help="Explain each message, a field a line.")
@click.option("--follow", is_flag=True, help="Go on with what is to come, until Ctrl-C.")
@json_option
@click.pass_obj
@guarded
def log(
    options: Any,
    session: str,
    since: str | None,
    until: str | None,
    pretty: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """What a session received (<) and sent (>), from its message log; works without a venue.

    A line has a message with | between its fields, passwords masked. With --json each line is an
    object, with --pretty too its message explained.
    """
    from touchline.control.operate.fix_log import MessageLog, NoLog

    config = options.load()
    try:
        found = MessageLog(config.fix_dir / "log", session)
    except NoLog as error:
        known = ", ".join(one.comp_id for one in config.sessions) or "none"
        fail(f"{error}; configured are {known}", NO)
    try:
        for line in found.lines(since or _FIRST, until or _LAST, follow=follow):
            click.echo(_shown(line, pretty, as_json))
    except KeyboardInterrupt:
        return


def _shown(line: Any, pretty: bool, as_json: bool) -> str:
    from touchline.fix.explain import explain, messages_in
    from touchline.fix.explain import pretty as in_words

    told = None
    if pretty and line.direction in ("<", ">"):
        told = next((explain(message) for message in messages_in(line.text)), None)
    if as_json:
        text = line.text.decode("ascii")
        facts = {"time": line.time, "direction": line.direction, "text": text}
        return json.dumps(facts | ({} if told is None else told.facts()))
    if told is None:
        return str(line.whole.decode("ascii"))
    return f"{line.time} {line.direction} {in_words(told)}"


@click.command()
@click.option("--pretty", is_flag=True, help="A field a line; so it is without --json.")
@json_option
@guarded
def decode(pretty: bool, as_json: bool) -> None:
    """Explain raw messages from standard input, and say what the venue would answer.

    Fields may be parted by SOH, |, ^A or ;, and other text may stand around a message, as in a log.
    With --json each message is an object in a line. Exit code 1: one of them is not well formed, or
    there is none.
    """
    from touchline.fix.explain import LINE_MAX, explain, messages_in
    from touchline.fix.explain import pretty as in_words

    if pretty and as_json:
        raise click.UsageError("--pretty and --json are two ways of saying it; choose one")
    stream = sys.stdin.buffer
    count, bad = 0, 0
    for number, line in _lines(stream, LINE_MAX):
        if line is None:
            click.echo(f"touchline: line {number} is longer than {LINE_MAX} bytes", err=True)
            bad += 1
            continue
        for message in messages_in(line):
            told = explain(message)
            between = "" if as_json or count == 0 else "\n"
            click.echo(between + (json.dumps(told.facts()) if as_json else in_words(told)))
            count, bad = count + 1, bad + (not told.good)
    if count == 0 and bad == 0:
        fail("there is no FIX message in standard input; one begins with 8=FIX", NO)
    if bad:
        raise click.exceptions.Exit(NO)


def _lines(stream: BinaryIO, most: int) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for one that is too long. Where an end of line is data of a
    message, what follows belongs to it."""
    from touchline.fix.explain import ends, incomplete

    kept, number = bytearray(), 0
    while piece := stream.readline(most + 1):
        number += 1
        if kept and (piece.startswith(b"8=FIX") or len(kept) + len(piece) > most):
            yield number - 1, bytes(kept)
            kept.clear()
        if len(piece) > most:
            while piece and not piece.endswith(b"\n"):
                piece = stream.readline(most + 1)
            yield number, None
        elif kept:
            seen = max(0, len(kept) - 8)
            kept += piece
            if ends(bytes(kept[seen:])):
                yield number, bytes(kept.rstrip(b"\r\n"))
                kept.clear()
        elif incomplete(piece):
            kept += piece
        else:
            yield number, piece.rstrip(b"\r\n")
    if kept:
        yield number, bytes(kept.rstrip(b"\r\n"))


fix.add_command(log)
fix.add_command(decode)


def add_to(group: click.Group) -> None:
    """Put the commands into the group."""
    group.add_command(fix)
