"""The commands for keys of encrypted market data: made, shown, allowed, revoked, listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from touchline.config import Config
from touchline.control.operate.terminal import emit, guarded, json_option, pairs, require, table
from touchline.errors import TouchlineError


@click.group()
def keys() -> None:
    """Keys of market data over ZeroMQ: the venue's own, and those it lets in."""


@keys.command()
@click.argument("name", required=False)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the two files go; else here, and the venue's into its own directory.",
)
@json_option
@click.pass_obj
@guarded
def make(options: Any, name: str | None, directory: Path | None, as_json: bool) -> None:
    """Make a pair of keys: NAME's, or the venue's own without a NAME.

    NAME.key may be handed out; NAME.key_secret is readable by its owner alone and never shown.
    """
    require("zmq")
    from touchline.marketdata import keys as files

    if directory is None:
        directory = Path() if name else options.load().keys_dir
    secret = files.make(directory, name or files.VENUE)
    public = files.load_pair(secret).public
    facts = {"public_key": public, "secret_file": secret.absolute()}
    emit(as_json, facts, pairs({"public key": public, "secret file": secret}))


@keys.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
@click.pass_obj
@guarded
def show(options: Any, file: Path | None, as_json: bool) -> None:
    """Print the public key in FILE; without one the venue's, which its subscribers need."""
    require("zmq")
    from touchline.marketdata import keys as files

    public = files.public_key(file or options.load().keys_dir / f"{files.VENUE}.key")
    emit(as_json, {"public_key": public}, public)


@keys.command()
@click.argument("name")
@click.argument("key")
@json_option
@click.pass_obj
@guarded
def allow(options: Any, name: str, key: str, as_json: bool) -> None:
    """Let a public KEY in, or that of a file, under a NAME; a running venue does so in a second."""
    require("zmq")
    from touchline.marketdata import keys as files

    public = files.public_key(key)
    files.allow(options.load().keys_dir / files.ALLOWED, name, public)
    emit(as_json, {"name": name, "public_key": public}, f"{name} is allowed, with {public}")


@keys.command()
@click.argument("name")
@json_option
@click.pass_obj
@guarded
def revoke(options: Any, name: str, as_json: bool) -> None:
    """Let NAME in no longer, and cut it off; everybody else connects again by itself."""
    require("zmq")
    from touchline.marketdata import keys as files

    public = files.revoke(options.load().keys_dir / files.ALLOWED, name)
    emit(as_json, {"name": name, "public_key": public}, f"{name} is allowed no longer")


@keys.command("list")
@json_option
@click.pass_obj
@guarded
def list_(options: Any, as_json: bool) -> None:
    """The keys that are let in, by name."""
    require("zmq")
    from touchline.marketdata import keys as files

    found = files.read_allowed(options.load().keys_dir / files.ALLOWED)
    facts = [{"name": name, "public_key": public} for public, name in found.items()]
    rows = [[fact["name"], fact["public_key"]] for fact in facts]
    emit(as_json, facts, table(["name", "public key"], rows))


def check(config: Config) -> None:
    """Before a venue with keys starts: its pair is there, and so is who may read. TouchlineError
    naming the file that is not as it should be."""
    from touchline.marketdata import keys as files

    secret = config.keys_dir / f"{files.VENUE}.key_secret"
    if not secret.exists():
        raise TouchlineError(f"publish.curve needs {secret}; `touchline keys make` makes it")
    files.load_pair(secret)
    files.read_allowed(config.keys_dir / files.ALLOWED)


def add_to(group: click.Group) -> None:
    """Put the commands into the group."""
    group.add_command(keys)
