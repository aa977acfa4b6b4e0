"""`touchline certify`: a FIX session put to the test with the conformance scripts."""

from __future__ import annotations

import ssl
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from touchline.control.operate.terminal import (
    NO,
    NOT_RUNNING,
    emit,
    fail,
    guarded,
    json_option,
    table,
)

if TYPE_CHECKING:
    from touchline.config import Config
    from touchline.fix.certify import Instrument, Result, Subject

VERSIONS = ("FIX.4.2", "FIX.4.4", "FIXT.1.1")
SECRET_BYTES_MAX = 4096


def positive(_: click.Context, __: click.Parameter, value: str | None) -> Decimal | None:
    """A decimal number above 0."""
    if value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise click.BadParameter(f"{value[:80]!r} is not a decimal number") from None
    if not number.is_finite() or number <= 0:
        raise click.BadParameter(f"{value[:80]} is not above 0")
    return number


def word(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """What can stand in a FIX field."""
    if value is None:
        return None
    if not 0 < len(value.encode("utf-8", "replace")) <= 64 or not value.isprintable():
        raise click.BadParameter(f"{value[:80]!r} is not 1 to 64 printable bytes")
    return value


def secrets_of(names: list[str], ask: bool, from_stdin: bool) -> list[tuple[str, ...]]:
    """Password(554) of each session; none unless asked for."""
    if ask and from_stdin:
        raise click.UsageError("--ask-password and --password-stdin exclude each other")
    if ask:
        given = [click.prompt(f"password of {name}", hide_input=True, err=True) for name in names]
    elif from_stdin:
        given = [sys.stdin.readline(SECRET_BYTES_MAX).rstrip("\r\n") for _ in names]
        if missing := [name for name, text in zip(names, given, strict=True) if not text]:
            raise click.UsageError(f"standard input has no line for the password of {missing[0]}")
    else:
        return [() for _ in names]
    if any(not text.isprintable() for text in given):
        raise click.UsageError("a password has characters that can not stand in a FIX field")
    return [(f"554={text}",) for text in given]


def configured(config: Config, session: str) -> tuple[tuple[str, int], str, str]:
    """Address, CompID and version of a session of this machine's own venue."""
    for one in config.sessions:
        if one.comp_id == session:
            host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
            place = (host.get(config.fix.host, config.fix.host), config.fix.port)
            return place, config.fix.comp_id, one.begin_string
    raise click.UsageError(f"the configuration has no session {session!r}")


def traded(
    config: Config | None,
    symbol: str | None,
    sizes: tuple[Decimal | None, Decimal | None, Decimal | None],
) -> Instrument | None:
    """The instrument named: as it is configured here, with what was given instead."""
    from touchline.fix.certify import LOT, PRICE, TICK, Instrument

    if symbol is None:
        if any(sizes):
            raise click.UsageError("--tick-size, --lot-size and --price are of an --instrument")
        return None
    tick, lot, price = sizes
    listed = config.instruments if config is not None else ()
    for one in listed:
        if one.symbol == symbol:
            tick, lot = tick or one.tick_size, lot or one.lot_size
    tick, lot = tick or TICK, lot or LOT
    price = price or (PRICE if tick == TICK else 200 * tick)
    if price % tick:
        raise click.UsageError(f"--price {price} is not a multiple of the tick size {tick}")
    if price < 100 * tick:
        raise click.UsageError(f"--price {price} leaves no room below it: 100 ticks are wanted")
    return Instrument(symbol, tick, lot, price)


def report(
    results: list[Result], as_json: bool, subject: Subject, numbers: dict[str, tuple[int, int]]
) -> None:
    """Print how every rule went, and the numbers that sessions have now."""
    counts = {
        kind: sum(one.result == kind for one in results)
        for kind in ("passed", "failed", "left out")
    }
    facts = {
        "session": subject.broker.comp_id,
        "begin_string": subject.begin_string,
        **{kind.replace(" ", "_"): number for kind, number in counts.items()},
        "numbers": {
            name: {"next_sent": sent, "next_expected": come}
            for name, (sent, come) in numbers.items()
        },
        "rules": [
            {
                "script": one.script,
                "rule": one.rule,
                "result": one.result,
                "why": one.why,
                "messages": [
                    {"broker": who, "sent": sent, "message": text}
                    for who, sent, text in one.messages
                ],
            }
            for one in results
        ],
    }
    lines = [table(["result", "script"], [(one.result, one.script) for one in results])]
    for one in results:
        if one.result == "failed":
            lines += ["", f"failed: {one.script}: {one.rule}", f"  {one.why}"]
            lines += [f"  {who}{'>' if sent else '<'} {text}" for who, sent, text in one.messages]
    if reasons := sorted({one.why for one in results if one.result == "left out"}):
        lines += ["", *(f"left out: {reason}" for reason in reasons)]
    lines.append("")
    for name, (sent, come) in numbers.items():
        lines.append(f"{name} goes on with MsgSeqNum(34) = {sent}, and the venue with {come}")
    summary = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    emit(as_json, facts, "\n".join([*lines, summary]))


@click.command()
@click.option("--session", required=True, callback=word, help="Your CompID.")
@click.option(
    "--counterparty", callback=word, help="The CompID of a second session, to trade with."
)
@click.option(
    "--instrument", callback=word, help="Enter orders in this one; nobody else trades it."
)
@click.option("--tick-size", callback=positive, help="Of the instrument.  [default: as configured]")
@click.option("--lot-size", callback=positive, help="Of the instrument.  [default: as configured]")
@click.option("--price", callback=positive, help="About which orders are entered.")
@click.option("--host", callback=word, help="The venue's.  [default: as configured]")
@click.option("--port", type=click.IntRange(1, 65535), help="The venue's.")
@click.option("--target", callback=word, help="The venue's CompID.")
@click.option("--begin-string", type=click.Choice(VERSIONS), help="The session's version.")
@click.option("--tls", is_flag=True, help="By TLS, the venue's certificate checked.")
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Who signed that certificate.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Your own, where the venue asks for one.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Of that certificate, when it is in a file of its own.",
)
@click.option("--ask-password", is_flag=True, help="Ask for the passwords at the terminal.")
@click.option("--password-stdin", is_flag=True, help="Read them, a line each, from standard input.")
@click.option("--script", "names", multiple=True, help="This one; may be given several times.")
@click.option("--reset", is_flag=True, help="Set the session's numbers to 1 for each rule.")
@json_option
@click.pass_obj
@guarded
def certify(options: Any, names: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Put a session to the test: every rule of the FIX side that it can be shown by.

    The program plays the broker: it logs on as SESSION, goes on from the numbers that the venue
    says, and reports which rules hold and what the numbers are then. Rules about numbers that go
    back to 1 are left out without --reset, which sets them to 1 for each rule: reports not fetched
    yet are lost by that. Without --instrument no order is entered; what is entered is canceled
    again. With --host it needs no configuration.

    Exit code 0: all that was played passed. 1: something failed, or the logon was refused. 2:
    nothing could be played. 3: the venue can not be reached.
    """
    from touchline.fix.certify import NotAvailable, certify
    from touchline.fix.script import scripts

    if unknown := set(names) - {path.stem for path in scripts()}:
        raise click.UsageError(f"there is no script {min(unknown)!r}")
    subject = subject_of(options, **given)
    try:
        subject.numbers(subject.broker)  # says why the session can not be had
        results = list(certify(subject, names))
        numbers = {one.comp_id: subject.numbers(one) for one in subject.brokers}
    except NotAvailable as error:
        fail(str(error), NO)
    except ConnectionRefusedError:
        fail("nothing listens at {}:{}".format(*subject.address), NOT_RUNNING)
    report(results, as_json, subject, numbers)
    if all(one.result == "left out" for one in results):
        raise click.UsageError("no rule could be played")
    if any(one.result == "failed" for one in results):
        raise click.exceptions.Exit(NO)


def tls_of(
    wanted: bool, ca: Path | None, certificate: Path | None, key: Path | None
) -> ssl.SSLContext | None:
    """How TLS is spoken, the venue's certificate checked; None: it is not."""
    if not wanted:
        if ca or certificate or key:
            raise click.UsageError("--ca, --certificate and --key are of --tls")
        return None
    if key and not certificate:
        raise click.UsageError("--key is of a --certificate")
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def subject_of(options: Any, **given: Any) -> Subject:
    """The session, where it is and what it may use, from options and configuration."""
    from touchline.fix.certify import Subject
    from touchline.fix.script import Broker

    config = None
    if given["host"] is None:
        config = options.load()
        address, target, version = configured(config, given["session"])
    elif given["port"] is None:
        raise click.UsageError("--host wants a --port")
    else:
        address, target, version = (given["host"], given["port"]), "TOUCHLINE", "FIX.4.4"
    if given["counterparty"] == given["session"]:
        raise click.UsageError("the counterparty is another session")
    comp_ids = [given["session"], *filter(None, [given["counterparty"]])]
    secrets = secrets_of(comp_ids, given["ask_password"], given["password_stdin"])
    brokers = [Broker(*pair) for pair in zip(comp_ids, secrets, strict=True)]
    return Subject(
        (address[0], given["port"] or address[1]),
        given["target"] or target,
        given["begin_string"] or version,
        brokers[0],
        brokers[1] if len(brokers) > 1 else None,
        traded(
            config, given["instrument"], (given["tick_size"], given["lot_size"], given["price"])
        ),
        tls_of(given["tls"], given["ca"], given["certificate"], given["key"]),
        given["reset"],
    )


def add_to(group: click.Group) -> None:
    """Put the command into the group."""
    group.add_command(certify)
