"""Structured log lines: one `key=value` line per record, to standard error and to a file.

Every process of a venue appends to the same file; a line is one write, so lines do not mix.
Facts travel as `log.info("engine ready", extra={"facts": {"events": 12}})`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path

STDERR = 2
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:+,@%")


class LogFormatter(logging.Formatter):
    """`ts=… level=info part=host msg="venue open" pid=71`; a traceback goes on lines of its own."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        pairs = {
            "ts": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname.lower(),
            "part": self._part,
            "msg": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        line = " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _quoted(value: object) -> str:
    text = str(value)
    if text and _PLAIN.issuperset(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _open_standard_descriptors() -> None:
    """Where the caller closed one of 0, 1, 2, no file or pipe of ours may take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def open_log(part: str, log_dir: Path | None, *, level: int = logging.INFO) -> None:
    """Send this process's log lines to standard error and, with a directory, to a file there.

    The file is reopened when somebody has moved it, so a log rotation needs no signal.
    """
    _open_standard_descriptors()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if log_dir is not None:
        log_dir.mkdir(parents=True, exist_ok=True)
        handlers.append(WatchedFileHandler(log_dir / "touchline.log", encoding="utf-8"))
    logging.raiseExceptions = False  # a full disk under the log is no reason for tracebacks
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(LogFormatter(part))
        root.addHandler(handler)
    root.setLevel(level)
