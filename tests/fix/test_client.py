"""The broker's connection of the package against a peer who does not mean well."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from touchline.fix import client
from touchline.fix.client import Closed, Connection, Unexpected, framed

HEARTBEAT = framed("FIX.4.4", "35=0\x0134=1\x0149=V\x0156=B\x01112=x\x01")


@contextlib.contextmanager
def peer(act: Callable[[socket.socket], None]) -> Iterator[Connection]:
    """A connection to somebody who does this once it is there."""

    def serve() -> None:
        with listener.accept()[0] as one, contextlib.suppress(OSError):
            act(one)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with Connection(listener.getsockname(), ("B", "V"), timeout_s=2.0) as connection:
                yield connection
        finally:
            thread.join()


def test_a_message_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BYTES_MAX", 4096)

    def endless(one: socket.socket) -> None:
        while True:
            one.sendall(b"58=" + b"x" * 1000)

    with peer(endless) as connection, pytest.raises(Closed, match="more than 4096 bytes"):
        connection.receive()


def test_a_message_must_be_whole_in_time() -> None:
    over = threading.Event()

    def dribble(one: socket.socket) -> None:
        while not over.wait(0.02):
            one.sendall(b"8")

    with peer(dribble) as connection:
        with pytest.raises(TimeoutError, match="no whole message"):
            connection.receive()
        over.set()


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"8=FIX.4.4\x01nothing\x0110=000\x01", "'nothing' is no field"), (b"8=FIX", "unread")],
)
def test_what_is_no_message_is_named(data: bytes, told: str) -> None:
    with peer(lambda one: one.sendall(data)) as connection, pytest.raises(Closed, match=told):
        connection.receive()


def test_what_comes_in_pieces_or_together_is_one_message_after_the_other() -> None:
    def send(one: socket.socket) -> None:
        one.sendall(HEARTBEAT[:20])
        one.sendall(HEARTBEAT[20:] + HEARTBEAT)

    with peer(send) as connection:
        assert [connection.receive()["112"] for _ in range(2)] == ["x", "x"]


def test_what_comes_before_the_answer_is_something_more() -> None:
    with peer(lambda one: one.sendall(HEARTBEAT)) as connection:
        with pytest.raises(Unexpected, match="nothing more"):
            connection.nothing_more("mark")
        assert isinstance(Unexpected(), AssertionError)
