"""The sessions of the configuration file changed in place: whole or not at all, the rest as it was.

The file is people's: comments, order and layout stay byte for byte. What is to be written is read
first as the venue would read it, and must say what was meant and nothing else; it then takes the
file's place at once. Two who change it take turns; a change by an editor meanwhile is not lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from touchline.config import Config, SessionSection, load
from touchline.config.lines import key_lines
from touchline.errors import ConfigError, TouchlineError

Data = dict[str, Any]
_ENABLED = re.compile(r"^(\s*enabled\s*=\s*)(?:true|false)(?=\s|#|$)")


class SessionFile:
    """The configuration file at `path`; `overrides` are those of the command line."""

    def __init__(self, path: Path, overrides: Mapping[str, Any]) -> None:
        self._shown = path
        self._path = path.resolve()
        self._overrides = overrides

    def add(self, section: SessionSection) -> Config:
        """Put a session at the end. TouchlineError when one of its name is there."""
        values = section.model_dump(exclude_defaults=True)

        def changed(text: str, data: Data) -> str:
            names = [one.get("comp_id") for one in data.get("sessions", [])]
            if section.comp_id in names:
                raise TouchlineError(f"{self._shown} has a session {section.comp_id} already")
            data.setdefault("sessions", []).append(_plain(values))
            end = "\r\n" if "\r\n" in text else "\n"
            lines = ["", "[[sessions]]", *(f"{k} = {_toml(v)}" for k, v in values.items())]
            return text + ("" if text.endswith("\n") or not text else end) + end.join([*lines, ""])

        return self._change(changed, section.comp_id, lambda found: found == section)

    def enable(self, comp_id: str, whether: bool) -> Config:
        """Say whether a session may log on. TouchlineError when there is none of that name."""

        def changed(text: str, data: Data) -> str:
            names = [one.get("comp_id") for one in data.get("sessions", [])]
            if comp_id not in names:
                known = ", ".join(str(name) for name in names) or "none"
                raise TouchlineError(
                    f"there is no session {comp_id!r} in {self._shown}; known are {known}"
                )
            index = names.index(comp_id)
            data["sessions"][index]["enabled"] = whether
            return _with_enabled(text, index, whether)

        return self._change(changed, comp_id, lambda found: found.enabled is whether)

    def _change(
        self,
        changed: Callable[[str, Data], str],
        comp_id: str,
        meant: Callable[[SessionSection], bool],
    ) -> Config:
        """Write what `changed` makes of the text, when it reads as the data it was given became."""
        with self._turn():
            raw = self._path.read_bytes()
            load(self._path, self._overrides)  # a file that is wrong already is told of first
            text = raw.decode("utf-8")
            data = tomllib.loads(text.removeprefix("\ufeff"))
            fresh = changed(text, data)
            if _data(fresh) != data:
                raise TouchlineError(
                    f"{self._shown} is laid out in a way that can not be changed here; "
                    f"change session {comp_id} in it by hand, then `touchline apply`"
                )
            return self._replace(raw, fresh.encode(), comp_id, meant)

    def _replace(
        self, before: bytes, after: bytes, comp_id: str, meant: Callable[[SessionSection], bool]
    ) -> Config:
        status = self._path.stat()
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(after)
                file.flush()
                os.fchmod(file.fileno(), status.st_mode & 0o7777)
                if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fsync(file.fileno())
            config = self._judged(Path(name))
            if not any(one.comp_id == comp_id and meant(one) for one in config.sessions):
                raise TouchlineError(
                    "the sessions come from the environment or a flag, not from "
                    f"{self._shown}, which stays as it was"
                )
            if self._path.read_bytes() != before:
                raise TouchlineError(f"{self._shown} was changed by somebody else just now")
            os.replace(name, self._path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
        return load(self._shown, self._overrides)

    def _judged(self, path: Path) -> Config:
        """The configuration as it would be; what is wrong is told of the file it is to become."""
        try:
            return load(path, self._overrides)
        except ConfigError as error:
            told = [problem.replace(str(path), str(self._shown)) for problem in error.problems]
            raise ConfigError(*told) from None

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the directory's lock, since the file itself is replaced."""
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _data(text: str) -> Data | None:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        return None


def _with_enabled(text: str, index: int, whether: bool) -> str:
    """The text with `enabled` of that session set; the same when there is no place for it."""
    places = key_lines(text)
    lines = text.splitlines(keepends=True)
    word = "true" if whether else "false"
    if (there := places.get(("sessions", index, "enabled"))) is not None:
        lines[there - 1] = _ENABLED.sub(rf"\g<1>{word}", lines[there - 1], count=1)
    elif (name := places.get(("sessions", index, "comp_id"))) is not None:
        line = lines[name - 1]
        indent = line[: len(line) - len(line.lstrip())]
        end = "\r\n" if line.endswith("\r\n") else "\n"
        if not line.endswith("\n"):
            lines[name - 1] += end
        lines.insert(name, f"{indent}enabled = {word}{end}")
    return "".join(lines)


def _toml(value: object) -> str:
    """A value as TOML writes it; texts are printable by the rules of their fields."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _plain(values: Data) -> Data:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
