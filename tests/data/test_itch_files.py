"""Files of ITCH 5.0 as records, and the books they make: against plain Python and other readers."""

from __future__ import annotations

import gzip
import importlib
import random
import struct
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import itch_flow
from touchline import Side
from touchline.data import Books, read_itch
from touchline.data.zones import midnight_ns
from touchline.errors import FeedError
from touchline.study.market_record import PRICE_SCALE, RECORD, RecordFlag, RecordType

TENTH_OF_A_CENT = PRICE_SCALE // 10_000
SIDES = {"B": Side.BUY, "S": Side.SELL}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def day(tmp_path: Path, seed: int, count: int = 4000) -> tuple[Path, itch_flow.Flow, list[bytes]]:
    flow = itch_flow.Flow(seed)
    messages = flow.messages(count)
    return written(tmp_path / "day.itch", itch_flow.blocks(messages)), flow, messages


def same_books(books: Books, plain: itch_flow.PlainBooks, stocks: int = 3) -> None:
    for locate in range(1, stocks + 1):
        for letter, side in SIDES.items():
            rows = books.depth(locate, side, 10_000)
            wanted = [
                (price * TENTH_OF_A_CENT, qty, orders)
                for price, qty, orders in plain.depth(locate, letter)
            ]
            assert [tuple(row) for row in rows.tolist()] == wanted
            queue = books.orders(locate, side)
            for price in np.unique(queue["price"]):
                refs = queue["order_ref"][queue["price"] == price].tolist()
                at = [
                    ref
                    for ref, order in plain.orders.items()
                    if (order.locate, order.side) == (locate, letter)
                    and order.price * TENTH_OF_A_CENT == price
                ]
                assert refs == at


def test_the_books_are_those_of_plain_python(tmp_path: Path, seed: int) -> None:
    path, flow, messages = day(tmp_path, seed)
    books, trades = Books(), []
    reader = read_itch(path, batch=333)
    for records in reader:
        trades += books.trades(records)[["instrument", "price", "qty"]].tolist()
    same_books(books, flow.books)
    assert trades == [(locate, price * TENTH_OF_A_CENT, qty) for locate, price, qty in flow.trades]
    assert books.counts.faults == {}
    assert books.counts.records == reader.counts.messages == len(messages)
    assert reader.symbols == {1: "S001", 2: "S002", 3: "S003"}


def test_quotes_are_the_touch_after_each_record_that_changed_it(tmp_path: Path, seed: int) -> None:
    path, _, _ = day(tmp_path, seed, 1500)
    records = read_itch(path).read_all()
    every = Books().follow(records)
    changes = Books().quotes(records)
    assert np.array_equal(every[every["changed"] == 1], changes)
    books = Books()
    for record, quote in zip(records, every, strict=True):
        books.apply(record.reshape(1))
        touch = books.touch(int(record["instrument"]))
        for name in ("bid_price", "bid_qty", "bid_orders", "ask_price", "ask_qty", "state"):
            assert quote[name] == touch[name]


def test_one_file_gives_the_same_records_however_it_is_stored(tmp_path: Path, seed: int) -> None:
    path, _, messages = day(tmp_path, seed, 2500)
    wanted = read_itch(path).read_all()
    packets = [itch_flow.frame(one) for one in itch_flow.datagrams(messages, 7)]
    twice = [one for pair in zip(packets, packets, strict=True) for one in pair]
    tagged = [itch_flow.frame(one, vlan=True) for one in itch_flow.datagrams(messages, 7)]
    stored = {
        "day.itch.gz": gzip.compress(path.read_bytes()),
        "day.pcap": itch_flow.pcap(packets),
        "both.pcap": itch_flow.pcap(twice, ">"),
        "day.pcapng": itch_flow.pcapng(tagged),
        "day.pcapng.gz": gzip.compress(itch_flow.pcapng(twice, ">")),
    }
    for name, data in stored.items():
        for batch in (11, 16_384):
            reader = read_itch(written(tmp_path / name, data), batch=batch)
            assert np.array_equal(reader.read_all(), wanted), (name, batch)
            assert reader.counts.missing == 0


def test_a_lost_datagram_is_counted_and_one_to_another_port_passed(tmp_path: Path) -> None:
    _, _, messages = day(tmp_path, 1, 100)
    sent = itch_flow.datagrams(messages, 10)
    frames = [itch_flow.frame(one) for i, one in enumerate(sent) if i not in (3, 4, 7)]
    frames.insert(2, itch_flow.frame(b"something else", port=53))
    reader = read_itch(written(tmp_path / "day.pcap", itch_flow.pcap(frames)), port=26400)
    records = reader.read_all()
    counts = reader.counts
    assert (counts.gaps, counts.missing, counts.passed) == (2, 30, 1)
    assert len(records) == len(messages) - 30
    assert np.flatnonzero(np.diff(records["seq"]) > 1).tolist() == [29, 49]


def test_times_are_those_of_the_day_in_new_york(tmp_path: Path) -> None:
    path, _, _ = day(tmp_path, 2, 10)
    plain = read_itch(path).read_all()["ts_ns"]
    assert plain[0] == itch_flow.START_NS
    dated = read_itch(path, day=itch_flow.DAY).read_all()["ts_ns"]
    midnight = midnight_ns(itch_flow.DAY, "America/New_York")
    assert np.array_equal(dated, plain + midnight)
    assert midnight == 1_577_682_000_000_000_000


def test_what_a_message_says_is_in_its_record(tmp_path: Path) -> None:
    head = (5, 1_000)
    executed = struct.pack(">QIQcI", 1, 2, 3, b"N", 4)
    messages = [
        itch_flow.message("C", *head, executed),
        itch_flow.message("Q", *head, struct.pack(">Q8sIQc", 7, b"S005    ", 0, 0, b"O")),
        itch_flow.message("B", *head, struct.pack(">Q", 3)),
        itch_flow.message("Y", *head, itch_flow.stock(5) + b"1"),
        itch_flow.message("z", *head, b"of the future"),
    ]  # fmt: skip
    reader = read_itch(written(tmp_path / "few.itch", itch_flow.blocks(messages) + b"\0\0"))
    priced, cross, broken, reg_sho, unknown = reader.read_all()
    assert (priced["new_ref"], priced["price"], priced["qty"]) == (3, 4 * TENTH_OF_A_CENT, 2)
    assert priced["flags"] == RecordFlag.PRICED | RecordFlag.NOT_PRINTED
    assert (cross["type"], cross["qty"], cross["code"]) == (RecordType.CROSS, 7, ord("O"))
    assert (broken["type"], broken["new_ref"]) == (RecordType.BROKEN_TRADE, 3)
    assert (reg_sho["type"], reg_sho["code"]) == (RecordType.OTHER, ord("Y"))
    assert (unknown["type"], unknown["code"]) == (RecordType.OTHER, ord("z"))
    assert (unknown["instrument"], unknown["ts_ns"]) == head
    assert reader.counts.unknown == 1


def test_a_file_that_is_none_is_refused_with_its_byte(tmp_path: Path) -> None:
    path, _, messages = day(tmp_path, 3, 50)
    whole = path.read_bytes()
    with pytest.raises(FeedError, match=r"byte \d+: the file ends within a message") as caught:
        read_itch(written(path, whole[:-1])).read_all()
    assert caught.value.offset == len(whole) - len(messages[-1]) - 2
    short = itch_flow.blocks(messages[:5]) + itch_flow.blocks([messages[5][:-1]])
    with pytest.raises(FeedError, match="a message is not as long as its type says") as caught:
        read_itch(written(path, short + itch_flow.blocks(messages[6:]))).read_all()
    assert caught.value.offset == len(itch_flow.blocks(messages[:5]))
    reader = read_itch(path, skip=True)
    assert len(reader.read_all()) == len(messages) - 1
    assert (reader.counts.skipped, reader.counts.first_skipped) == (1, caught.value.offset)
    with pytest.raises(FeedError, match="it is no whole compressed file"):
        read_itch(written(path, gzip.compress(whole)[:-9])).read_all()
    with pytest.raises(FileNotFoundError):
        read_itch(tmp_path / "none.itch")


def test_no_change_of_a_file_does_more_than_a_refusal(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path, _, messages = day(tmp_path, seed, 150)
    frames = [itch_flow.frame(one) for one in itch_flow.datagrams(messages, 5)]
    originals = [path.read_bytes(), itch_flow.pcap(frames), itch_flow.pcapng(frames, ">")]
    for _ in range(600):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        books = Books(orders_max=100)
        refused = 0
        try:
            for records in read_itch(written(path, bytes(data)), skip=chance.random() < 0.5):
                books.apply(records)
        except FeedError as error:
            refused = error.offset
        assert 0 <= refused <= len(data)


def test_a_link_that_is_not_read_is_named(tmp_path: Path) -> None:
    data = bytearray(itch_flow.pcap([itch_flow.frame(b"")]))
    data[20] = 105
    with pytest.raises(FeedError, match="byte 24: the link type is not one that is read"):
        read_itch(written(tmp_path / "wireless.pcap", bytes(data))).read_all()


def test_records_are_plain_numpy(tmp_path: Path) -> None:
    path, _, _ = day(tmp_path, 4, 300)
    records = read_itch(path).read_all()
    assert records.dtype == RECORD
    assert RECORD.itemsize == 64
    np.save(tmp_path / "records.npy", records)
    assert np.array_equal(np.load(tmp_path / "records.npy"), records)
    frame = read_itch(path).to_frame()
    assert len(frame) == len(records)
    assert frame["price"].to_numpy() == pytest.approx(records["price"] / 1e9)
    assert set(frame["symbol"].dropna()) == {"S001", "S002", "S003"}
    arrow: Any = importlib.import_module("pyarrow")
    table = arrow.table({name: np.ascontiguousarray(records[name]) for name in RECORD.names or ()})
    for name in RECORD.names or ():
        back = table[name].to_numpy()
        assert np.array_equal(back.astype(records[name].dtype), records[name])


def test_another_reader_rebuilds_the_same_books(tmp_path: Path, seed: int) -> None:
    """itch-book (PyPI), a reader in C++ that is not ours, over the same file."""
    path, _, _ = day(tmp_path, seed, 6000)
    itch_book: Any = importlib.import_module("itch_book")
    of_day = date.fromisoformat(itch_flow.DAY)
    feed = itch_book.open(str(path), date=of_day, price_type="fixed")
    books: list[tuple[int, ...]] = []
    trades: list[tuple[int, ...]] = []
    for batch in feed.batches(tables=("bbo", "trades")):
        theirs = ("locate", "bid_px", "bid_sz", "bid_ct", "ask_px", "ask_sz", "ask_ct", "ts_event")
        books += zip(*(batch.bbo[name].tolist() for name in theirs), strict=True)
        theirs = ("locate", "price", "size", "match_number", "ts_event")
        trades += zip(*(batch.trades[name].tolist() for name in theirs), strict=True)
    quotes, prints = Books().quotes_and_trades(read_itch(path, day=itch_flow.DAY).read_all())
    for prices in (quotes["bid_price"], quotes["ask_price"], prints["price"]):
        assert not (prices % TENTH_OF_A_CENT).any()
        prices //= TENTH_OF_A_CENT
    ours = ["instrument", "bid_price", "bid_qty", "bid_orders"]
    ours += ["ask_price", "ask_qty", "ask_orders", "ts_ns"]
    assert quotes[ours].tolist() == books
    assert prints[["instrument", "price", "qty", "match", "ts_ns"]].tolist() == trades


def test_another_parser_reads_the_same_messages(tmp_path: Path, seed: int) -> None:
    """itchfeed (PyPI), in plain Python, field by field."""
    path, _, _ = day(tmp_path, seed, 800)
    parser: Any = importlib.import_module("itch.parser").MessageParser()
    with path.open("rb") as file:
        theirs = list(parser.parse_file(file))
    records = read_itch(path).read_all()
    assert len(theirs) == len(records)
    for record, other in zip(records, theirs, strict=True):
        assert (record["ts_ns"], record["instrument"]) == (other.timestamp, other.stock_locate)
        for ours, name in (("order_ref", "order_reference_number"), ("qty", "shares")):
            if hasattr(other, name):
                assert record[ours] == getattr(other, name)
        if record["type"] in (RecordType.ADD, RecordType.REPLACE, RecordType.TRADE):
            assert record["price"] == other.price * TENTH_OF_A_CENT
