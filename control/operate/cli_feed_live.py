"""The commands about feeds that are on: `feed record`, and what `feed replay --to` sends again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from touchline.control.operate.feed_source import FILE, Source, live
from touchline.control.operate.terminal import NO, emit, fail, guarded, json_option, pairs


@click.command()
@FILE
@live
@click.option("--form", type=click.Choice(["itch", "pcap"]), help="Else by the name's end.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option("--continue", "resume", is_flag=True, help="Go on with a capture (pcap).")
@click.option("--limit", type=click.IntRange(1), help="End after so many messages, or a few more.")
@json_option
@guarded
def record(
    path: Path,
    source: Source,
    form: str | None,
    force: bool,
    resume: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Write a feed that is on into a file of ITCH 5.0, or with a name in .pcap into a capture.

    Until the end of the session, --limit, --quiet or Ctrl-C. The exit code is 1 when messages were
    lost for good, or none came.
    """
    from touchline.data.record import record_itch, recorded

    if not source.lines:
        raise click.UsageError("give --line: where the feed is sent")
    form = form or ("pcap" if path.suffix in (".pcap", ".cap") else "itch")
    after = recorded(path) if resume else None
    made = None
    with source.listen(start=(after and after.following) or None) as reader:
        try:
            for made in record_itch(
                reader, path, form="pcap" if form == "pcap" else "itch", overwrite=force,
                after=after,
            ):  # fmt: skip
                if limit is not None and made.messages >= limit:
                    break
        except FileExistsError:
            fail(f"{path} is there already; --force overwrites, --continue goes on with it", NO)
        except KeyboardInterrupt:
            pass  # what there is, is whole
        lines = reader.line_counts
    if made is None:
        fail(f"{source.name}: nothing came", NO)
        return
    facts = made._asdict() | {"lines": lines}
    emit(as_json, facts, pairs(facts | {"lines": ", ".join(f"{k} {v}" for k, v in lines.items())}))
    if made.lost or not made.messages:
        fail(f"{source.name}: {made.lost} messages were lost, {made.messages} came", NO)


def send_again(source: Source, options: dict[str, Any], limit: int | None, as_json: bool) -> None:
    """The messages of a file on lines; `options` as of touchline.wire's Sender."""
    from touchline.data.itch import read_itch
    from touchline.data.resend import resend
    from touchline.wire.moldudp64_sender import Sender

    if source.path is None or source.form not in (None, "itch"):
        raise click.UsageError("--to sends a file of ITCH: BinaryFILE or a capture")
    linger_s = options.pop("linger_s")
    with read_itch(source.path, skip=True) as reader:
        try:
            sender = Sender(**options)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        with sender:
            for _ in resend(reader, sender, linger_s=linger_s, limit=limit):
                pass
            counts = sender.counts
        skipped = reader.counts.skipped
    facts = {"path": source.name, **counts, "skipped": skipped}
    emit(as_json, facts, pairs({name.replace("_", " "): value for name, value in facts.items()}))
