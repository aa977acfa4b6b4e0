"""The names of the package: all there, and none that needs more than the package itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

import touchline
from touchline.marketdata import Subscriber


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_every_name_is_there_and_said_once() -> None:
    assert len(set(touchline.__all__)) == len(touchline.__all__)
    for name in touchline.__all__:
        assert getattr(touchline, name) is not None
    wanted = {"Bus", "Lane", "EventReader", "EventFeed", "JournalReader", "Runner", "replay"}
    assert wanted <= set(touchline.__all__)


def test_the_subscriber_comes_when_it_is_asked_for() -> None:
    assert touchline.Subscriber is Subscriber
    assert "Subscriber" in dir(touchline)
    with pytest.raises(AttributeError, match="no attribute 'Subscribers'"):
        _ = touchline.Subscribers


def test_importing_the_package_needs_no_extra() -> None:
    done = run(
        "import sys; from touchline import *;"
        "print([m for m in ('zmq', 'pyarrow', 'duckdb', 'quickfix') if m in sys.modules])"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_without_pyzmq_the_refusal_says_what_to_install() -> None:
    done = run("import sys; sys.modules['zmq'] = None; from touchline import Subscriber")
    assert (
        "ImportError: touchline.Subscriber needs pyzmq: install touchline[publish]" in done.stderr
    )
