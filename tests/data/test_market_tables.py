"""LOBSTER, Databento, CSV and Parquet as records: what they say, exactly, and what is refused."""

from __future__ import annotations

import gzip
import importlib
import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from touchline import Side
from touchline.data import (
    Books,
    RecordFlag,
    RecordType,
    read_csv,
    read_databento,
    read_lobster,
    read_lobster_book,
    read_parquet,
)
from touchline.data.databento import MBO
from touchline.errors import FeedError

# Written for this test in LOBSTER's layout: an order, a cancel, both kinds of execution, a halt.
MESSAGES = """34200.004241176,1,16113575,18,5853300,1
34200.025551909,1,16113584,18,5853200,1
34200.1,2,16113584,8,5853200,1
34200.201743228,4,16113575,10,5853300,1
34200.3,5,0,100,5854000,-1
34201,3,16113575,8,5853300,1
34202.0,7,0,0,-1,-1
34203.0,7,0,0,1,-1
"""
BOOK = """9999999999,0,5853300,18,9999999999,0,-9999999999,0
9999999999,0,5853300,18,9999999999,0,5853200,18
"""
MBO_HEADER = (
    "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,channel_id,"
    "order_id,flags,ts_in_delta,sequence,symbol"
)


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_lobster_messages_are_records(tmp_path: Path) -> None:
    path = written(tmp_path / "message.csv.gz", gzip.compress(MESSAGES.encode()))
    reader = read_lobster(path, instrument=4, symbol="AAA", batch=3)
    records = reader.read_all()
    assert reader.symbols == {4: "AAA"}
    assert [chr(kind) for kind in records["type"]] == list("AAXEPDHH")
    assert records["ts_ns"][:3].tolist() == [34200004241176, 34200025551909, 34200100000000]
    assert records["price"][0] == 585_330_000_000
    assert records["flags"][3] == RecordFlag.PRICED
    assert (records["side"][4], records["flags"][4]) == (Side.SELL, RecordFlag.HIDDEN)
    assert [chr(code) for code in records["code"][6:]] == ["H", "T"]
    books = Books()
    prints = books.trades(records)
    assert prints[["price", "qty", "side"]].tolist() == [
        (585_330_000_000, 10, Side.SELL), (585_400_000_000, 100, Side.BUY)
    ]  # fmt: skip
    assert books.depth(4, Side.BUY).tolist() == [(585_320_000_000, 10, 1)]
    assert books.counts.faults == {}


def test_a_lobster_book_is_an_array_of_levels(tmp_path: Path) -> None:
    path = written(tmp_path / "orderbook.csv", BOOK)
    (rows,) = read_lobster_book(path, 2)
    assert rows.shape == (2, 2, 4)
    assert rows[1].tolist() == [[0, 0, 585_330_000_000, 18], [0, 0, 585_320_000_000, 18]]


def mbo_lines() -> list[str]:
    def line(action: str, side: str, price: str, size: int, order_id: int, flags: int = 128) -> str:
        return (
            f"2024-03-01T14:30:00.000000005Z,2024-03-01T14:30:00.000000001Z,160,2,5482,{action},"
            f"{side},{price},{size},0,{order_id},{flags},165,{order_id},ESH4"
        )

    return [
        line("R", "N", "", 0, 0, 32),
        line("A", "B", "5100.250000000", 5, 1, 32),
        line("A", "A", "5100.500000000", 7, 2),
        line("T", "B", "5100.500000000", 3, 0),
        line("F", "A", "5100.500000000", 3, 2),
        line("C", "A", "5100.500000000", 3, 2),
        line("M", "B", "5100.000000000", 6, 1),
    ]


def test_databento_lines_are_records(tmp_path: Path) -> None:
    path = written(tmp_path / "mbo.csv", "\n".join([MBO_HEADER, *mbo_lines()]) + "\n")
    reader = read_databento(path)
    records = reader.read_all()
    assert (reader.numbers, reader.symbols) == ({5482: 0}, {0: "ESH4"})
    assert [chr(kind) for kind in records["type"]] == list("cAAPoXm")
    moment = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)
    assert set(records["ts_ns"].tolist()) == {int(moment.timestamp()) * 10**9 + 1}
    books = Books()
    prints = books.trades(records)
    assert prints[["price", "qty", "side"]].tolist() == [(5_100_500_000_000, 3, Side.BUY)]
    assert books.depth(0, Side.BUY).tolist() == [(5_100_000_000_000, 6, 1)]
    assert books.depth(0, Side.SELL).tolist() == [(5_100_500_000_000, 4, 1)]
    assert books.counts.faults == {}


def dbn_of(lines: list[str]) -> bytes:
    """The same as DBN, by Databento's own library."""
    library: Any = importlib.import_module("databento_dbn")
    metadata = library.Metadata(
        "GLBX.MDP3", 0, library.SType.RAW_SYMBOL, library.SType.INSTRUMENT_ID,
        schema=library.Schema.MBO, symbols=["ESH4"], partial=[], not_found=[], mappings=[],
    )  # fmt: skip
    made = [metadata.encode()]
    for line in lines:
        words = dict(zip(MBO_HEADER.split(","), line.split(","), strict=True))
        row = np.zeros(1, MBO)
        row["length"], row["rtype"] = MBO.itemsize // 4, 0xA0
        row["ts_event"], row["ts_recv"] = 1_709_303_400_000_000_001, 1_709_303_400_000_000_005
        for name in ("publisher_id", "instrument_id", "order_id", "size", "flags", "channel_id",
                     "ts_in_delta", "sequence"):  # fmt: skip
            row[name] = int(words[name])
        row["price"] = int(Decimal(words["price"]) * 10**9) if words["price"] else (1 << 63) - 1
        row["action"], row["side"] = ord(words["action"]), ord(words["side"])
        made.append(row.tobytes())
    return b"".join(made)


def test_dbn_and_csv_give_the_same_records(tmp_path: Path) -> None:
    arrow: Any = importlib.import_module("pyarrow")
    lines = mbo_lines()
    text = read_databento(written(tmp_path / "mbo.csv", "\n".join([MBO_HEADER, *lines]))).read_all()
    data = dbn_of(lines)
    packed = arrow.Codec("zstd").compress(data, asbytes=True)
    for name, stored in (("mbo.dbn", data), ("mbo.dbn.zst", packed)):
        records = read_databento(written(tmp_path / name, stored), batch=2).read_all()
        assert np.array_equal(records, text)
    library: Any = importlib.import_module("databento_dbn")
    decoder = library.DBNDecoder()
    decoder.write(data)
    theirs = decoder.decode()[1:]
    assert [one.order_id for one in theirs] == text["order_ref"].tolist()
    assert [one.price for one in theirs] == text["price"].tolist()
    with pytest.raises(FeedError, match="the file ends within a record"):
        read_databento(written(tmp_path / "mbo.dbn", data[:-1])).read_all()


def test_a_table_has_the_columns_that_are_named(tmp_path: Path) -> None:
    text = (
        'when,"last, traded",size,ticker,way\r\n'
        '2012-06-21T09:30:00.5Z,"585.33",100,AAA,B\r\n'
        "1340271000000000001,-0.000000001,7,BBB,2\r\n"
        "1340271000000000002,,,AAA,"
    )
    columns = {"ts_ns": "when", "price": "last, traded", "qty": "size", "symbol": "ticker"}
    reader = read_csv(written(tmp_path / "t.csv", text), columns | {"side": "way"})
    records = reader.read_all()
    assert reader.symbols == {0: "AAA", 1: "BBB"}
    assert records["ts_ns"].tolist()[0] == 1_340_271_000_500_000_000
    assert records["price"].tolist() == [585_330_000_000, -1, 0]
    assert records[["qty", "instrument", "side", "seq"]].tolist() == [
        (100, 0, Side.BUY, 1), (7, 1, Side.SELL, 2), (0, 0, 0, 3)
    ]  # fmt: skip
    assert set(records["type"].tolist()) == {RecordType.TRADE}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,1.0000000001,1", "line 3, column 'price', byte 27: it is not a number with at most"),
        ("1,99999999999,1", "column 'price'"),
        ("1,1e3,1", "column 'price'"),
        ("x,1,1", "column 'ts_ns', byte 25: it is neither nanoseconds nor a time"),
        ("2023-02-29T00:00:00Z,1,1", "column 'ts_ns'"),
        ("1,1,9223372036854775808", "column 'qty', byte 29: it is not a whole number"),
        ("1,1", "line 3, column 'qty', byte 25: it has not as many columns"),
        ("1,1,1,1", "it has not as many columns"),
        ('1,"1"1,1', "it has a quote within it"),
        (",1,1", "row 2, byte 0: nothing is no ts_ns"),
    ],
)
def test_a_value_that_is_not_exact_is_refused_with_its_place(
    tmp_path: Path, line: str, words: str
) -> None:
    path = written(tmp_path / "t.csv", f"ts_ns,price,qty\n1,2.50,3\n{line}\n")
    with pytest.raises(FeedError) as caught:
        read_csv(path).read_all()
    assert words in str(caught.value)


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    moments = [datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC)] * 3
    table = {
        "ts_ns": arrow.array(moments, arrow.timestamp("us", "UTC")),
        "price": arrow.array([Decimal("1.25"), None, Decimal("-7.5")], arrow.decimal128(12, 4)),
        "qty": arrow.array([1, 2, None], arrow.int32()),
        "symbol": ["A", "B", "A"],
        "side": ["B", "S", None],
    }
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(table), path)
    reader = read_parquet(path, batch=2)
    records = reader.read_all()
    assert records["price"].tolist() == [1_250_000_000, 0, -7_500_000_000]
    assert records[["qty", "instrument", "side", "seq"]].tolist() == [
        (1, 0, Side.BUY, 1), (2, 1, Side.SELL, 2), (0, 0, 0, 3)
    ]  # fmt: skip
    assert records["ts_ns"][0] == int(moments[0].timestamp()) * 10**9 + 6_000
    parquet.write_table(arrow.table(table | {"price": arrow.array([0.1, 585.33, 1e6])}), path)
    with pytest.raises(FeedError, match="double is not exact: decimals= says"):
        read_parquet(path).read_all()
    rounded = read_parquet(path, decimals=2).read_all()
    assert rounded["price"].tolist() == [100_000_000, 585_330_000_000, 10**15]
    with pytest.raises(FeedError, match="it is no whole Parquet file"):
        read_parquet(written(path, path.read_bytes()[:-5])).read_all()


def test_no_change_of_a_table_does_more_than_a_refusal(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    mbo = "\n".join([MBO_HEADER, *mbo_lines()])
    dbn = dbn_of(mbo_lines())
    stored: list[tuple[Any, bytes]] = [
        (read_lobster, MESSAGES.encode()), (read_databento, mbo.encode()), (read_databento, dbn)
    ]  # fmt: skip
    for _ in range(400):
        read, original = chance.choice(stored)
        data = bytearray(original)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.choice([*b'0123456789,.-"\n\r', 0, 255])
        path = written(tmp_path / "changed", bytes(data))
        books = Books(orders_max=100)
        shown = ""
        try:
            for records in read(path):
                books.apply(records)
        except FeedError as error:
            shown = str(error)
        assert not shown or str(path) in shown
