"""The binary protocols of a whole venue: orders, streams that survive everything, the feed."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands import commands, new_order
from harness.ouch_client import ACCEPTED, EXECUTED, LoginRefused, OuchClient, Stream, number_of
from harness.waiting import DEADLINE_S, until
from harness.wire_venue import Book, Listener, WireVenue, write_config
from touchline.core.messages import Side, TimeInForce

PRICE = 100_000  # 10.00


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[WireVenue]:
    made = WireVenue(write_config(tmp_path))
    try:
        yield made.await_open()
    finally:
        made.end()


def test_two_users_trade(venue: WireVenue) -> None:
    alpha, beta = venue.client("ALPHA"), venue.client("BETA")
    assert alpha.next == beta.next == 1
    assert alpha.session == beta.session
    alpha.enter(1, "S", 100, PRICE, cl_ord_id="first")
    accepted = ACCEPTED.unpack(alpha.answer())
    assert accepted[0] == b"A"
    assert accepted[2:8] == (1, b"S", 100, b"AAA     ", PRICE, b"0")
    assert accepted[14].strip() == b"first"
    beta.enter(1, "B", 40, PRICE)
    assert [m[:1] for m in beta.answers(2)] == [b"A", b"E"]
    executed = EXECUTED.unpack(alpha.message())
    assert executed[0] == b"E"
    assert executed[2:5] == (1, 40, PRICE)
    alpha.cancel(1)
    assert alpha.message()[:1] == b"C"
    alpha.enter(2, "B", 100, PRICE + 1)  # off tick
    rejected = alpha.message()
    assert rejected[:1] == b"J"
    assert number_of(rejected) == 2


def test_a_client_that_comes_back_is_sent_the_same_bytes(venue: WireVenue) -> None:
    client = venue.client()
    for number in range(1, 51):
        client.enter(number, "B", 100, PRICE - 100 * number)
    before = client.messages(51)
    assert before[0][:1] == b"S"
    client.close()
    again = venue.client(number=1)
    assert again.messages(51) == before
    again.close()
    middle = venue.client(number=31)
    assert middle.messages(21) == before[30:]
    latest = venue.client(number=0)
    assert latest.next == 52
    latest.enter(51, "B", 100, PRICE)
    assert number_of(latest.message()) == 51


def test_who_logs_in_again_takes_the_place_of_the_connection_before(venue: WireVenue) -> None:
    first, second = venue.client(), venue.client()
    with pytest.raises((EOFError, ConnectionError)):
        first.message()
    second.enter(1, "B", 100, PRICE)
    assert second.answer()[:1] == b"A"


def test_kills_in_full_flow_lose_and_repeat_nothing(venue: WireVenue) -> None:
    """Every request that reached the engine is answered once, and the numbers stay what they were;
    what did not reach it is sent again with the same UserRefNum."""
    orders, got, sent = 3000, list[bytes](), 0
    chance = random.Random(7)
    client = venue.client(number=1)
    for kill in range(3):
        goal = orders * (kill + 1) // 3
        while sent < goal:
            sent += 1
            client.enter(sent, chance.choice("BS"), 100, PRICE + 100 * chance.randrange(-5, 6))
        got += client.messages(chance.randrange(1, 300))
        venue.kill_wire()
        client.close()
        client = venue.client(number=len(got) + 1)
        assert client.next == len(got) + 1
        client.send(b"U", b"Q")  # which UserRefNum is next?
        got += client.until(lambda message: message[:1] == b"Q")
        sent = number_of(got[-1]) - 1
    while sent < orders:
        sent += 1
        client.enter(sent, "B", 100, PRICE)
    client.send(b"U", b"Q")
    got += client.until(lambda message: message[:1] == b"Q")
    answered = [number_of(m) for m in got if m[:1] in (b"A", b"J")]
    assert sorted(answered) == list(range(1, orders + 1))
    client.close()
    assert venue.client(number=1).messages(len(got)) == got
    venue.kill_wire()
    assert venue.client(number=1).messages(len(got)) == got


@pytest.mark.parametrize("how", ["disconnect", "logout"])
def test_orders_of_who_leaves_are_taken_off(tmp_path: Path, how: str) -> None:
    path = write_config(tmp_path, session='cancel_on_disconnect = "both"')
    venue = WireVenue(path)
    try:
        venue.await_open()
        client = venue.client()
        for number in range(1, 101):
            client.enter(number, "S", 100, PRICE)
        client.answers(100)
        if how == "logout":
            client.send(b"O")
        client.close()
        until(lambda: len(venue.engine().depth(0, Side.SELL)) == 0, "the orders are off")
        back = venue.client(number=102)
        assert {m[:1] for m in back.messages(100)} == {b"C"}
    finally:
        venue.end()


def test_stamps_of_the_kernel_say_how_long_orders_take(tmp_path: Path) -> None:
    """Each request that is followed is answered before the next, so all but the first ones, before
    the kernel has switched its stamps on, are counted, and none takes longer than it did here."""
    venue = WireVenue(write_config(tmp_path, wire='stamps = "software"'))
    try:
        client = venue.await_open().client()
        longest_s, sent = 0.0, 0

        def trade_and_look() -> bool:
            nonlocal longest_s, sent
            for _ in range(20):
                begun = time.monotonic()
                client.enter(sent := sent + 1, "B", 100, PRICE)
                assert client.answer()[:1] == b"A"
                longest_s = max(longest_s, time.monotonic() - begun)
            latency = venue.part("wire")["counters"].get("latency", {})
            return "stamps" in latency and int(latency["answered"].split()[-1]) >= 20

        until(trade_and_look, "orders are stamped")
        told = venue.part("wire")["counters"]["latency"]
        assert told["stamps"] == "software"
        words = told["answered"].split()
        p50, most, count = float(words[1]), float(words[7]), int(words[-1])
        assert words[::2][:4] == ["p50", "p99", "p999", "max"]
        assert 0 < p50 <= most <= longest_s * 1e6
        assert count <= sent
        assert int(told["received"].split()[-1]) >= count
    finally:
        venue.end()


def test_a_throttled_user_is_slowed_and_not_refused(tmp_path: Path) -> None:
    venue = WireVenue(write_config(tmp_path, session="throttle = 100"))
    try:
        client = venue.await_open().client()
        begun = time.monotonic()
        for number in range(1, 251):
            client.enter(number, "B", 100, PRICE)
        answers = client.answers(250)
        assert all(m[:1] == b"A" for m in answers)
        assert 1.0 < time.monotonic() - begun < DEADLINE_S
    finally:
        venue.end()


# Strangers


def test_strangers_get_nothing_and_disturb_nobody(venue: WireVenue) -> None:
    port = venue.config.wire.ouch_port
    honest = venue.client()
    silent = [Stream(port) for _ in range(4)]
    slow = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    slow.sendall(b"\x00")
    giant = Stream(port)
    giant.socket.sendall(struct.pack(">H", 65535) + b"L" + b"x" * 100)
    assert "longer than allowed" in giant.farewell()
    early = Stream(port)
    early.send(b"U", b"O" * 47)
    assert "before the login" in early.farewell()
    for user, password in (("ALPHA", "wrong"), ("NOBODY", "secret"), ("", "")):
        with pytest.raises(LoginRefused, match="A"):
            OuchClient(port).log_in(user, password)
    with pytest.raises(LoginRefused, match="S"):
        OuchClient(port).log_in("BETA", "secret", session="OTHER")
    with pytest.raises(LoginRefused, match="S"):
        OuchClient(port).log_in("BETA", "secret", number=1_000_000)
    honest.enter(1, "B", 100, PRICE)
    assert honest.answer()[:1] == b"A"
    for stranger in silent:  # none of them has logged in in time
        assert "no login request" in stranger.farewell()
    assert slow.recv(100)[2:3] == b"+"
    honest.send(b"R")
    honest.enter(2, "B", 100, PRICE)
    assert number_of(honest.message()) == 2


def test_a_login_a_byte_at_a_time_is_a_login(venue: WireVenue) -> None:
    client = OuchClient(venue.config.wire.ouch_port)
    packet = struct.pack(">Hc", 47, b"L") + f"{'ALPHA':<6}{'secret':<10}{'':>10}{1:>20}".encode()
    for i in range(len(packet)):
        client.socket.sendall(packet[i : i + 1])
    assert client.packet().kind == b"A"


def test_a_reader_that_reads_nothing_costs_the_others_nothing(venue: WireVenue) -> None:
    deaf, other = venue.client("ALPHA", number=1), venue.client("BETA")
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for number in range(1, 5001):
        deaf.enter(number, "B", 100, PRICE - 100)
        if number % 500 == 0:
            deaf.send(b"R")
    other.enter(1, "B", 100, PRICE)
    assert other.answer()[:1] == b"A"
    assert [number_of(m) for m in deaf.answers(5000)] == list(range(1, 5001))


# The feed


def trade(venue: WireVenue, seed: int, orders: int) -> None:
    """Two users trade with one another and cancel, as a function of the seed."""
    chance = random.Random(seed)
    users = [venue.client("ALPHA", number=1), venue.client("BETA", number=1)]
    for number in range(1, orders + 1):
        client = users[number % 2]
        price = PRICE + 100 * chance.randrange(-8, 9)
        client.enter(number, chance.choice("BS"), 100 * chance.randrange(1, 9), price)
        if chance.random() < 0.3:
            client.cancel(chance.randrange(1, number + 1))
        client.beat()
    for client in users:
        client.send(b"U", b"Q")
        client.until(lambda message: message[:1] == b"Q")
        client.close()


def feed_length(venue: WireVenue) -> int:
    """Messages of the feed, once it has told every event: two snapshots say the same number."""
    number = 0
    while True:
        got, before = snapshot(venue)[1], number
        if got == before:
            return got - 1
        number = got
        time.sleep(1.1)  # a snapshot is given again for a second


def snapshot(venue: WireVenue) -> tuple[list[bytes], int]:
    """A snapshot's messages, and the number of the feed's message that follows."""
    stream = Stream(venue.config.wire.glimpse_port)
    stream.log_in("ALPHA", "secret", number=1)
    messages = stream.until(lambda message: message[:1] == b"G")
    with pytest.raises(EOFError):
        stream.message()
    stream.close()
    return messages[:-1], int(messages[-1][1:])


def engine_depth(venue: WireVenue, side: Side) -> list[tuple[int, int, int]]:
    levels = venue.engine().depth(0, side, 1000)
    return [(int(v["price"]) * 100, int(v["qty"]), int(v["orders"])) for v in levels]


def assert_same_book(venue: WireVenue, book: Book) -> None:
    for letter, side in (("B", Side.BUY), ("S", Side.SELL)):
        assert book.depth(letter) == engine_depth(venue, side)


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_listener_ends_with_the_engines_book(venue: WireVenue, loss: float) -> None:
    listener = Listener(venue, loss=loss, seed=11)
    trade(venue, seed=5, orders=1500)
    length = feed_length(venue)
    listener.listen(length)
    book = Book()
    for message in listener.messages:
        book.take(message)
    assert_same_book(venue, book)
    assert book.orders
    assert (listener.lost > 0) == (loss > 0)
    first = listener.messages
    listener.close()
    venue.kill_wire()
    again = Listener(venue, loss=0.5, seed=12)
    again.listen(length)
    assert again.messages == first  # the numbers and bytes are the journal's
    again.close()


def test_a_late_listener_ends_with_the_engines_book(venue: WireVenue) -> None:
    trade(venue, seed=6, orders=600)
    told, following = snapshot(venue)
    book = Book()
    for message in told:
        book.take(message)
    listener = Listener(venue, loss=0.2, seed=13)
    listener.begin_at(following, [b""] * (following - 1))
    users = [venue.client("ALPHA"), venue.client("BETA")]
    for i in range(200):
        users[i % 2].enter(10_000 + i, "BS"[i % 2], 300, PRICE + 100 * (i % 7))
    for client in users:
        client.answers(100)
    listener.listen(feed_length(venue))
    for message in listener.messages[following - 1 :]:
        book.take(message)
    assert_same_book(venue, book)
    listener.close()


def test_what_is_listed_while_it_runs_is_told_and_traded(venue: WireVenue) -> None:
    command = [sys.executable, "-m", "touchline.control.operate.cli", "--config", str(venue.path)]
    subprocess.run([*command, "instrument", "add", "NEW", "--tick-size", "0.5"], check=True)
    client = venue.client()
    client.enter(1, "B", 7, PRICE, symbol="NEW")
    accepted = ACCEPTED.unpack(client.answer())
    assert accepted[0] == b"A"
    assert accepted[5] == b"NEW     "
    told, _ = snapshot(venue)
    assert [m[11:19] for m in told if m[:1] == b"R"] == [b"AAA     ", b"NEW     "]
    assert [m[24:32] for m in told if m[:1] == b"A"] == [b"NEW     "]


def test_whoever_falls_behind_the_ring_is_told_from_the_journal(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("[engine]", "[engine]\nevent_slots = 1024"))
    venue = WireVenue(path)
    try:
        client = venue.await_open().client()
        client.enter(1, "S", 1, 10_000_000)
        first = client.answer()
        pid = venue.part("wire")["pid"]
        os.kill(pid, signal.SIGSTOP)
        whole = {"side": Side.BUY, "time_in_force": TimeInForce.GTC, "qty": 1, "account": 1}
        venue.send(commands([new_order(price=1 + n % 50, **whole) for n in range(20_000)]))
        os.kill(pid, signal.SIGCONT)
        client.enter(2, "S", 1, 10_000_000)
        assert number_of(client.answer()) == number_of(first) + 1
        listener = Listener(venue, loss=0.0, seed=1)
        listener.listen(feed_length(venue))
        assert sum(m[:1] == b"A" for m in listener.messages) == 20_002
        listener.close()
        assert "orders fell behind the ring" in venue.log.read_text()
        assert venue.part("wire")["restarts"] == 0
    finally:
        venue.end()


def test_an_instrument_that_itch_can_not_tell_is_refused_by_name(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace('tick_size = "0.01"', 'tick_size = "0.00001"'))
    venue = WireVenue(path)
    try:
        venue.popen.wait(DEADLINE_S)
        assert "AAA can not be told by ITCH: its tick" in venue.log.read_text()
    finally:
        venue.end()
