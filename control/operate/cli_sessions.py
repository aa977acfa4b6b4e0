"""The commands for FIX sessions: seen, added, disabled, their numbers changed; also while they run.

What changes a session is written into the configuration file first, and then handed to the venue if
it runs, so that whatever is killed next comes back with it.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from pydantic import ValidationError

from touchline.config import SessionSection
from touchline.control.operate.cli_fix import log
from touchline.control.operate.cli_operator import timeout_option, words_of
from touchline.control.operate.terminal import emit, guarded, json_option, pairs, table
from touchline.errors import ConfigError

PASSWORD_BYTES_MAX = 255
NUMBER = click.IntRange(1, (1 << 63) - 1)
VERSIONS = click.Choice(["FIX.4.2", "FIX.4.4", "FIXT.1.1"])


@click.group()
def sessions() -> None:
    """The FIX sessions: how they stand, and what is agreed with them."""


@sessions.command("list")
@json_option
@click.pass_obj
@guarded
def list_(options: Any, as_json: bool) -> None:
    """The configured sessions, who is logged on since when, and their numbers.

    Without a running venue the numbers are those that the gateway wrote last.
    """
    from touchline.control.operate.sessions import all_facts

    facts = all_facts(options.load())
    columns = ["session", "version", "accounts", "password", "state", "since", "address", "in",
               "out", "unsent"]  # fmt: skip
    rows = [
        [f["comp_id"], f["begin_string"], ", ".join(f["accounts"]), f["password"], _state(f),
         f["since"], f["address"], f["next_in"], f["next_out"], f["unsent"]]
        for f in facts
    ]  # fmt: skip
    emit(as_json, facts, table(columns, rows))


def _state(fact: dict[str, Any]) -> str:
    return fact["state"] if fact["enabled"] else f"{fact['state']}, disabled"


@sessions.command()
@click.argument("session")
@json_option
@click.pass_obj
@guarded
def show(options: Any, session: str, as_json: bool) -> None:
    """All that is known of one session."""
    from touchline.control.operate.sessions import all_facts, refuse_unknown

    config = options.load()
    refuse_unknown(config, session)
    (facts,) = (one for one in all_facts(config) if one["comp_id"] == session)
    shown = {key.replace("_", " "): value for key, value in facts.items()}
    shown |= {k: ", ".join(v) for k, v in shown.items() if isinstance(v, list)}
    emit(as_json, facts, pairs(shown))


@sessions.command()
@click.argument("session")
@click.option("--account", "accounts", multiple=True, required=True, help="One or several.")
@click.option("--begin-string", type=VERSIONS, help="FIX.4.4 when left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="It logs on without a password.")
@click.option("--address", "addresses", multiple=True, help="From where it may connect.")
@click.option("--certificate", help="The common name that its certificate must have.")
@click.option("--time-decimals", type=click.Choice(["3", "6", "9"]))
@click.option("--permission", "permissions", multiple=True, help="One or several; see the file.")
@click.option("--cancel-on-disconnect", type=click.Choice(["off", "logout", "disconnect", "both"]))
@click.option("--cancel-grace", "cancel_grace_s", type=click.IntRange(0, 86_400))
@click.option("--throttle", type=click.IntRange(1, 1_000_000), help="Messages a second.")
@click.option("--cl-ord-id-scope", type=click.Choice(["ever", "day", "open"]))
@click.option("--pending-reports", is_flag=True, help="It is told of requests under way.")
@click.option("--open", "opens", metavar="MOMENT", help="08:00, or Sun 17:00.")
@click.option("--close", metavar="MOMENT")
@click.option("--reset", metavar="MOMENT", help="When its numbers go back to 1.")
@click.option("--time-zone")
@click.option("--disabled", is_flag=True, help="It is not to log on yet.")
@timeout_option
@json_option
@click.pass_context
@guarded
def add(
    context: click.Context,
    session: str,
    password_stdin: bool,
    no_password: bool,
    opens: str | None,
    disabled: bool,
    timeout_s: float,
    as_json: bool,
    **values: Any,
) -> None:
    """Agree on a session: put it into the configuration file, and let it in if the venue runs.

    Its password is asked for, and kept as a hash.
    """
    from touchline.control.operate import sessions as held
    from touchline.control.operate.session_file import SessionFile
    from touchline.fix.policy import hashed

    options = context.obj
    if password_stdin and no_password:
        raise click.UsageError("--password-stdin and --no-password exclude each other")
    given = {key: value for key, value in values.items() if value not in (None, (), False)}
    if "time_decimals" in given:
        given["time_decimals"] = int(given["time_decimals"])
    given |= {"comp_id": session, "open": opens, "enabled": not disabled}
    held.refuse_unopened(options.load(), _section(given))
    if not no_password:
        given["password_hash"] = hashed(_password(password_stdin))
    section = _section(given)
    config = SessionFile(options.path, options.overrides).add(section)
    words = words_of("sessions add", {"session": session})
    told = held.hand_over(config, session, timeout_s, words)
    facts = {"session": session, "file": str(options.path), "taken_up": told}
    emit(as_json, facts, f"session {session} is in {options.path}, {_when(told)}")


def _section(values: dict[str, Any]) -> SessionSection:
    """ConfigError with everything wrong."""
    try:
        return SessionSection.model_validate({k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        problems = [
            f"{e['loc'][0]} = {e['input']!s:.40}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise ConfigError(*problems) from None


def _password(from_stdin: bool) -> str:
    """From standard input, or asked for twice; UsageError for one that no Logon could carry."""
    stream = sys.stdin
    if from_stdin:
        text = stream.readline(PASSWORD_BYTES_MAX + 3).rstrip("\r\n")
    elif stream.isatty():
        text = click.prompt("Password(554)", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise click.UsageError("say --password-stdin or --no-password: nobody can be asked here")
    size = len(text.encode("utf-8", "surrogateescape"))
    if not 1 <= size <= PASSWORD_BYTES_MAX or not text.isprintable():
        raise click.UsageError(
            f"a password has 1 to {PASSWORD_BYTES_MAX} bytes and printable characters alone"
        )
    return str(text)


def _when(taken_up: bool) -> str:
    return "and the venue has taken it up" if taken_up else "for when the venue runs"


@sessions.command()
@click.argument("session")
@timeout_option
@json_option
@click.pass_obj
@guarded
def disable(options: Any, session: str, timeout_s: float, as_json: bool) -> None:
    """Log a session out and keep it out, now and after every start; its orders stay."""
    _enable(options, session, False, timeout_s, as_json)


@sessions.command()
@click.argument("session")
@timeout_option
@json_option
@click.pass_obj
@guarded
def enable(options: Any, session: str, timeout_s: float, as_json: bool) -> None:
    """Let a disabled session log on again."""
    _enable(options, session, True, timeout_s, as_json)


def _enable(options: Any, session: str, whether: bool, timeout_s: float, as_json: bool) -> None:
    from touchline.control.operate import sessions as held
    from touchline.control.operate.session_file import SessionFile

    held.refuse_unknown(options.load(), session)
    config = SessionFile(options.path, options.overrides).enable(session, whether)
    name = "enable" if whether else "disable"
    words = words_of(f"sessions {name}", {"session": session})
    told = held.hand_over(config, session, timeout_s, words)
    facts = {"session": session, "enabled": whether, "taken_up": told}
    emit(as_json, facts, f"session {session} is {name}d in {options.path}, {_when(told)}")


@sessions.command("reset-seq")
@click.argument("session")
@click.option("--out", "next_out", type=NUMBER, help="MsgSeqNum of the venue's next message.")
@click.option("--in", "next_in", type=NUMBER, help="MsgSeqNum that is expected next.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@timeout_option
@json_option
@click.pass_obj
@guarded
def reset_seq(
    options: Any,
    session: str,
    next_out: int | None,
    next_in: int | None,
    yes: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Set a session's sequence numbers: both to 1, or those that are given, the other left alone.

    It is logged out for that. What was sent under the old numbers is not resent any more, so the
    broker must do the same on his side.
    """
    from touchline.control.operate import sessions as held

    config = options.load()
    held.refuse_unknown(config, session)
    if next_out is None and next_in is None:
        next_out = next_in = 1
    if not yes:
        click.confirm(f"Set the numbers of {session} {_numbers(next_out, next_in)}?", abort=True,
                      err=True)  # fmt: skip
    words = words_of("sessions reset-seq", {"session": session, "out": next_out, "in": next_in})
    facts = held.reset_seq(config, session, next_out, next_in, timeout_s, words)
    done = f"{session}: out {facts['next_out']}, in {facts['next_in']}"
    emit(as_json, facts, done)


@sessions.command()
@click.argument("headline")
@click.option("--session", "names", multiple=True, help="To this one; several may be named.")
@click.option("--account", "accounts", multiple=True, help="To whoever has this account.")
@click.option("--permission", "permissions", multiple=True, help="To whoever has this permission.")
@click.option("--all", "everybody", is_flag=True, help="To every session.")
@click.option("--line", "lines", multiple=True, help="A line of text below the headline.")
@click.option("--urgent", is_flag=True, help="Urgency(61) = 1, flash.")
@timeout_option
@json_option
@click.pass_obj
@guarded
def news(
    options: Any,
    headline: str,
    names: tuple[str, ...],
    accounts: tuple[str, ...],
    permissions: tuple[str, ...],
    everybody: bool,
    lines: tuple[str, ...],
    urgent: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Tell sessions something by News(B), here or away: one, some, or all."""
    from touchline.control.operate import sessions as held

    if everybody == bool(names or accounts or permissions):
        raise click.UsageError("say to whom: --session, --account, --permission, or --all alone")
    chosen = {"sessions": names, "accounts": accounts, "permissions": permissions}
    whom = {key: ",".join(values) or None for key, values in chosen.items()}
    words = words_of("sessions news", whom | {"all": everybody, "headline": headline})
    said = {"headline": headline, "lines": lines, "urgent": urgent, "all": everybody}
    facts = held.ask_gateway(options.load(), {"ask": "news"} | chosen | said, timeout_s, words)
    emit(as_json, facts, f"told to {len(facts['sessions'])} sessions")


def _numbers(next_out: int | None, next_in: int | None) -> str:
    said = {"out": next_out, "in": next_in}
    return ", ".join(f"{name} to {n}" for name, n in said.items() if n is not None)


sessions.add_command(log)


def add_to(group: click.Group) -> None:
    """Put the commands into the group."""
    group.add_command(sessions)
