"""Feeds over real sockets: sent from a file, heard with faults by seed, recorded, printed.

Whoever listens has the records of the file, and the books; whoever listens to a venue has its
engine's books.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import itch_flow
from harness.lossy_path import Faults, LossyPath
from harness.namespaces import IPV4, NAME, cable
from harness.waiting import free_ports, until
from harness.wire_venue import WireVenue, write_config
from touchline.core.messages import Side
from touchline.data import Books, read_itch
from touchline.data.live import LiveReader, listen_itch
from touchline.data.resend import resend
from touchline.errors import FeedError
from touchline.wire.moldudp64_listener import Listener
from touchline.wire.moldudp64_sender import Sender, packets

ALL_FAULTS = Faults(lost=0.1, doubled=0.05, cut=0.05, late=0.1)


@pytest.fixture
def day(tmp_path: Path, seed: int) -> Path:
    path = tmp_path / "day.itch"
    path.write_bytes(itch_flow.blocks(itch_flow.Flow(seed).messages(20_000)))
    return path


@contextmanager
def sending(path: Path, lines: list[str], **options: Any) -> Iterator[Sender]:
    """A thread that sends a file; joined at the end."""
    settings: dict[str, Any] = {"speed": 0.0, "per_s": 200_000, "requests": "127.0.0.1:0"}
    with Sender(lines, **settings | options) as sender, read_itch(path) as reader:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                for _ in resend(reader, sender, linger_s=1.0):
                    pass
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        try:
            yield sender
            thread.start()
        finally:
            if thread.ident is not None:
                thread.join()
        assert not failed


def loopback(port: int) -> str:
    return f"127.0.0.1:{port}"


def collected(reader: LiveReader) -> tuple[threading.Thread, list[Any]]:
    """A thread's target that takes all of it, and where that is then."""
    found: list[Any] = []

    def run() -> None:
        with reader:
            found.append(reader.read_all())

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def same_books(one: Books, other: Books, instruments: int) -> None:
    for instrument in range(1, instruments + 1):
        for side in Side:
            assert one.orders(instrument, side).tolist() == other.orders(instrument, side).tolist()


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(lost=0.2),
        Faults(doubled=0.3),
        Faults(late=0.3),
        Faults(cut=0.2),
        ALL_FAULTS,
    ],
    ids=["whole", "lost", "doubled", "late", "cut", "all"],
)
def test_every_listener_has_the_records_of_the_file(day: Path, seed: int, faults: Faults) -> None:
    """Two of them, each with a path of its own, of which line A and B have different faults."""
    wanted = read_itch(day).read_all()
    ports = free_ports(8)
    a, b = ports[:2]
    readers = []
    with LossyPath([(a, ports[2]), (b, ports[3])], faults, seed):
        with sending(day, [loopback(a), loopback(b)]) as sender:
            readers.append(listen_itch(*map(loopback, ports[2:4]), requests=sender.requests))
            taken = [(reader, *collected(reader)) for reader in readers]
        for reader, thread, found in taken:
            thread.join()
            assert reader.ended
            assert reader.losses == []
            assert np.array_equal(found[0], wanted)
            books, theirs = Books(), Books()
            books.apply(found[0])
            theirs.apply(wanted)
            same_books(books, theirs, 3)
            assert books.counts.faults == {}


def test_a_gap_that_nobody_fills_is_told_and_the_rest_comes(day: Path) -> None:
    messages = itch_flow.Flow(3).messages(300)
    one, away = free_ports(2)
    with listen_itch(loopback(one), start=1, quiet_s=0.3) as reader:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made = itch_flow.datagrams(messages, 10)
        for packet in made[:5] + made[7:]:
            out.sendto(packet, ("127.0.0.1", one))
        records = reader.read_all()
        assert reader.losses == [(51, 70)]
        assert reader.counts.missing == 20
        assert records["seq"].tolist() == [*range(1, 51), *range(71, len(messages) + 1)]
    with listen_itch(loopback(one), requests=loopback(away), quiet_s=0.2, tries_max=3) as reader:
        out.sendto(made[3], ("127.0.0.1", one))  # nobody answers there
        assert reader.read_all()["seq"].tolist() == list(range(31, 41))
        assert reader.losses == [(1, 30)]
    out.close()


def test_strange_packets_change_nothing(day: Path, seed: int) -> None:
    chance = random.Random(seed)
    messages = itch_flow.Flow(3).messages(200)
    made = itch_flow.datagrams(messages, 7)
    (one,) = free_ports(1)
    with listen_itch(loopback(one), start=1, quiet_s=0.3) as reader:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for packet in made:
            out.sendto(packet, ("127.0.0.1", one))
            out.sendto(chance.randbytes(chance.randrange(64)), ("127.0.0.1", one))
            out.sendto(b"OTHER     " + packet[10:], ("127.0.0.1", one))
            out.sendto(packet[:-1], ("127.0.0.1", one))
            out.sendto(packet[:10] + struct.pack(">QH", 1 << 60, 3), ("127.0.0.1", one))
        records = reader.read_all()
        assert len(records) == len(messages)
        counts = reader.line_counts
        assert counts["a messages"] == len(messages)
        assert counts["a: it is of another session"] == len(made)
    out.close()
    with listen_itch(loopback(one), quiet_s=0.2) as reader:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.sendto(b"SESSION   " + struct.pack(">QHH", 1, 1, 1) + b"A", ("127.0.0.1", one))
        with pytest.raises(FeedError, match="not as long as its type says"):
            reader.read_all()
        out.close()


def test_packets_are_paced_by_the_messages_times() -> None:
    """Not how fast, which a machine decides, but that nothing comes before its time."""
    step_ns = 20_000_000
    messages = [itch_flow.message("S", 0, i * step_ns, b"O") for i in range(11)]
    (one,) = free_ports(1)
    into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    into.bind(("127.0.0.1", one))
    into.settimeout(10)
    with Sender([loopback(one)], speed=2.0) as sender:
        blocks = itch_flow.blocks(messages)
        assert sender.send(blocks, 0.0) < len(blocks)
        assert sender.counts["messages"] == 1
        at = len(itch_flow.blocks(messages[:1]))
        while at < len(blocks):
            at += sender.send(memoryview(blocks)[at:], 0.05)
    following = 1
    while following <= len(messages):
        number, count = struct.unpack_from(">QH", into.recv(2048), 10)
        assert number == following
        following += count
    into.close()
    with pytest.raises(ValueError, match="one or two"):
        Sender([])
    with pytest.raises(ValueError, match="power of two"):
        Listener([loopback(one)], window=3)
    with pytest.raises(OSError, match="bind"):
        Sender([loopback(one)], requests="192.0.2.1:1")


def test_messages_are_packed_and_read_back(seed: int) -> None:
    messages = itch_flow.Flow(seed).messages(500)
    blocks = itch_flow.blocks(messages)
    made = packets(blocks, "DAY", 7, 200)
    assert all(len(packet) <= 200 for packet in made)
    assert b"".join(packet[20:] for packet in made) == blocks
    assert struct.unpack_from(">Q", made[0], 10) == (7,)
    with pytest.raises(ValueError, match="byte 0: no whole message"):
        packets(b"\0\5abc", "DAY", 1)


def test_a_group_over_a_cable_of_its_own(day: Path) -> None:
    """Multicast from one namespace to two members in another, requests by unicast."""
    wanted = read_itch(day).read_all()
    group = "239.78.0.1:26400"
    with cable() as made:
        with made.inside(0):
            sender = Sender([group], interface=NAME, speed=0.0, per_s=200_000,
                            requests=f"{IPV4[0]}:0")  # fmt: skip
        with made.inside(1):
            readers = [
                listen_itch(group, interface=NAME, requests=sender.requests) for _ in range(2)
            ]
        taken = [collected(reader) for reader in readers]
        with sender, read_itch(day) as file:
            for _ in resend(file, sender):
                pass
        for thread, found in taken:
            thread.join()
            assert np.array_equal(found[0], wanted)


# The command line


def touchline(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "touchline.control.operate.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_bound(port: int) -> bool:
    line = f":{port:04X} "
    return any(line in text for text in Path("/proc/net/udp").read_text().splitlines())


@pytest.mark.parametrize("name", ["out.itch", "out.pcap"])
def test_what_is_recorded_is_what_was_sent(tmp_path: Path, day: Path, name: str) -> None:
    a, b, to_a, to_b, ask = free_ports(5)
    out = tmp_path / name
    with LossyPath([(a, to_a), (b, to_b)], ALL_FAULTS, 5), touchline(
        "feed", "record", str(out), "--line", loopback(to_a), "--line", loopback(to_b),
        "--requests", loopback(ask), "--json",
    ) as recorder:  # fmt: skip
        until(lambda: is_bound(to_a) and is_bound(to_b), "the recorder listens")
        with touchline(
            "feed", "replay", str(day), "--to", loopback(a), "--to", loopback(b),
            "--answer", loopback(ask), "--speed", "0", "--rate", "100000", "--json",
        ) as player:  # fmt: skip
            told = json.loads(player.communicate()[0])
        facts = json.loads(recorder.communicate()[0])
    wanted = read_itch(day).read_all()
    assert recorder.returncode == 0
    assert (facts["messages"], facts["lost"], facts["ended"]) == (len(wanted), 0, True)
    assert told["messages"] == len(wanted)
    assert told["requests"] > 0
    assert np.array_equal(read_itch(out).read_all(), wanted)
    if name.endswith(".itch"):
        assert out.read_bytes() == day.read_bytes()


def test_a_recorder_that_is_killed_leaves_a_whole_file_and_goes_on(
    tmp_path: Path, day: Path, seed: int
) -> None:
    chance = random.Random(seed)
    wanted = read_itch(day).read_all()
    a, ask = free_ports(2)
    out = tmp_path / "out.pcap"
    options = ["feed", "record", str(out), "--line", loopback(a), "--requests", loopback(ask)]
    left = [itch_flow.blocks([one]) for one in itch_flow.Flow(seed).messages(20_000)]
    with Sender([loopback(a)], speed=0.0, requests=loopback(ask)) as sender:

        def some(count: int) -> bool:
            sender.send(b"".join(left[:count]), 1.0)
            del left[:count]
            return False

        def grown(size: int) -> bool:
            return some(10) or out.stat().st_size > size

        for kill in range(5):
            before = out.stat().st_size if kill else 24
            with touchline(*options, *(["--continue"] if kill else [])) as recorder:
                until(lambda: is_bound(a), "the recorder listens")
                until(lambda: some(10) or out.exists(), "it has a file")
                until(partial(grown, before), "it grows")
                some(chance.randrange(1000))
                recorder.kill()
            some(100)  # which nobody hears
            until(partial(unguarded, out), "its guard is done")
            found = read_itch(out).read_all()  # would raise for half a packet
            assert len(found) > 0
            assert np.array_equal(found, wanted[: len(found)])
        with touchline(*options, "--continue") as recorder:
            until(lambda: is_bound(a), "the recorder listens")
            some(len(left))
            until(lambda: told_the_end(sender, recorder), "the end")
            assert recorder.returncode == 0, recorder.communicate()
    assert np.array_equal(read_itch(out).read_all(), wanted)


def told_the_end(sender: Sender, listener: subprocess.Popen[str]) -> bool:
    sender.serve(0.05, ended=True)
    return listener.poll() is not None


def has_bytes(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def unguarded(path: Path) -> bool:
    """No process has this file open."""
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(entry) == str(path):
                return False
        except OSError:
            continue
    return True


def test_a_file_of_itch_is_whole_however_its_recorder_ends(tmp_path: Path, day: Path) -> None:
    wanted = read_itch(day).read_all()
    (a,) = free_ports(1)
    for i, how in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)):
        out = tmp_path / f"{i}.itch"
        with (
            Sender([loopback(a)], speed=0.0, per_s=300_000) as sender,
            touchline("feed", "record", str(out), "--line", loopback(a)) as recorder,
        ):
            until(lambda: is_bound(a), "the recorder listens")
            sender.send(day.read_bytes(), 0.03)
            until(partial(has_bytes, out), "something came")
            recorder.send_signal(how)
            recorder.communicate()
        until(partial(unguarded, out), "its guard is done")
        found = read_itch(out).read_all()
        assert len(found) > 0
        assert np.array_equal(found, wanted[: len(found)])


def test_a_line_is_printed_and_checked_as_a_file_is(tmp_path: Path, day: Path) -> None:
    a, ask = free_ports(2)
    for what, limit in (("print", 300), ("check", None)):
        options = ["--limit", str(limit)] if limit else ["--sigma", "1000"]
        live = ["--line", loopback(a), "--requests", loopback(ask), "--json", *options]
        with touchline("feed", what, *live) as listener:
            until(lambda: is_bound(a), "it listens")
            with Sender([loopback(a)], speed=0.0, per_s=200_000, requests=loopback(ask)) as sender:
                at, blocks = 0, memoryview(day.read_bytes())
                while at < len(blocks):
                    at += sender.send(blocks[at:], 0.05)
                until(partial(told_the_end, sender, listener), "the end")
            heard = listener.communicate()[0]
        with touchline("feed", what, str(day), "--json", *options) as reader:
            read = reader.communicate()[0]
        assert listener.returncode == reader.returncode == 0
        if what == "print":
            assert heard == read
        else:
            one, other = json.loads(heard), json.loads(read)
            assert one["books"] == other["books"]
            assert one["records"] == other["records"]
    for wrong in (["feed", "print"], ["feed", "print", str(day), "--line", loopback(a)]):
        with touchline(*wrong) as refused:
            assert "give a file, or --line" in refused.communicate()[1]
        assert refused.returncode == 2


# A venue


def test_who_listens_to_a_venue_has_its_engines_books(tmp_path: Path, seed: int) -> None:
    """Two listeners behind paths with faults of their own, and one who joins late."""
    venue = WireVenue(write_config(tmp_path, wire="rerequests_per_s = 100000"))
    try:
        venue.await_open()
        wire = venue.config.wire
        lines = [int(line.rpartition(":")[2]) for line in (wire.feed_a, wire.feed_b) if line]
        to = free_ports(2)
        requests = loopback(wire.rerequest_port)
        with LossyPath(list(zip(lines, to, strict=True)), ALL_FAULTS, seed):
            first = listen_itch(*map(loopback, to), requests=requests, quiet_s=2.0)
            thread, found = collected(first)
            trade(venue, seed, 600)
            thread.join()
        assert first.losses == []
        told = Books()
        told.apply(found[0])
        same_as_engine(told, venue)
        with listen_itch(*map(loopback, lines), requests=requests, quiet_s=2.0) as late:
            records = late.read_all()
        assert np.array_equal(records[: len(found[0])], found[0])
        again = Books()
        again.apply(records)
        same_as_engine(again, venue)
    finally:
        venue.end()


def trade(venue: WireVenue, seed: int, count: int) -> None:
    chance = random.Random(seed)
    client = venue.client()
    for number in range(1, count + 1):
        client.enter(number, chance.choice("BS"), 100, 100_000 + 100 * chance.randrange(-9, 10))
        if number % 7 == 0:
            client.cancel(number - chance.randrange(7))
    client.send(b"U", b"Q")
    client.until(lambda message: message[:1] == b"Q")
    client.close()


def same_as_engine(books: Books, venue: WireVenue) -> None:
    engine = venue.engine()
    assert books.counts.faults == {}
    for side in Side:
        theirs = engine.depth(0, side, 1000)
        ours = books.depth(1, side, 1000)
        assert len(ours) > 0
        assert (theirs["price"] * 10**7).tolist() == ours["price"].tolist()
        assert theirs["orders"].tolist() == ours["orders"].tolist()
        assert theirs["qty"].tolist() == ours["qty"].tolist()
