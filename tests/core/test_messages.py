"""Records in numpy, pandas' way and Arrow: saved, joined and converted they stay what they were."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    COMMAND_TEXT,
    EVENT,
    EVENT_REFUSAL,
    EVENT_TRADE,
    ExecType,
    MsgType,
    OrdType,
    Reason,
    Side,
    Text,
    TimeInForce,
    make_commands,
    refusals,
    text_commands,
    trades,
)

READINGS = [COMMAND, COMMAND_TEXT, EVENT, EVENT_TRADE, EVENT_REFUSAL]
ORDER = {
    "type": MsgType.NEW_ORDER,
    "ord_type": OrdType.LIMIT,
    "time_in_force": TimeInForce.DAY,
    "price": 100,
}


def commands() -> np.ndarray:
    """A listing, an account, a name, two orders that trade and one that is refused."""
    return make_commands(
        [
            {"type": MsgType.SECURITY_DEFINITION},
            {"type": MsgType.ACCOUNT},
            {"type": MsgType.TEXT, "field": Text.SYMBOL, "key": 0, "text": "AAA"},
            ORDER | {"side": Side.SELL, "qty": 5, "cl_ord_id": 7},
            ORDER | {"side": Side.BUY, "qty": 3, "cl_ord_id": 8},
            ORDER | {"side": Side.BUY, "qty": 0, "cl_ord_id": 9},
        ]
    )


def events() -> np.ndarray:
    return Engine().submit(commands()).copy()


def saved_and_loaded(records: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    np.save(file, records)
    file.seek(0)
    return np.asarray(np.load(file))


def through_arrow(records: np.ndarray) -> np.ndarray:
    names = records.dtype.names or ()
    table = pa.table({name: records[name] for name in names})
    back = np.zeros(len(records), records.dtype)
    for name in names:
        back[name] = table[name].to_numpy()
    return back


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "save and load": saved_and_loaded,
    "concatenate": lambda records: np.concatenate([records[:2], records[2:]]),
    "append": lambda records: np.append(records[:1], records[1:]),
    "array of records": lambda records: np.array([*records]),
    "array of rows": lambda records: np.array(records.tolist(), records.dtype),
    "hstack": lambda records: np.hstack([records[:3], records[3:]]),
    "insert": lambda records: np.insert(records[1:], 0, records[0]),
    "sort": lambda records: np.sort(records[::-1], order=["ts_ns", "seq", "type"][:2]),
    "pickle": lambda records: pickle.loads(pickle.dumps(records)),
    "deepcopy": copy.deepcopy,
    "arrow": through_arrow,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("made", [commands, events], ids=["commands", "events"])
def test_records_survive_what_numpy_and_arrow_do_to_them(
    made: Callable[[], np.ndarray], way: str
) -> None:
    records = made()
    records["seq"] = np.arange(1, len(records) + 1)
    back = WAYS[way](records)
    assert back.dtype == records.dtype
    assert back.tobytes() == records.tobytes()


def test_an_array_of_arrays_has_the_records_of_both() -> None:
    both = np.array([commands(), commands()])
    assert (both.shape, both.dtype) == ((2, 6), COMMAND)
    assert np.array([commands()[0], commands()[1]]).tobytes() == commands()[:2].tobytes()


@pytest.mark.parametrize("way", WAYS)
def test_the_engine_takes_commands_however_they_were_joined(way: str) -> None:
    joined, plain = Engine(), Engine()
    records = commands()
    records["seq"] = np.arange(1, len(records) + 1)
    plain.submit(records)
    joined.submit(WAYS[way](records))
    assert joined.state_hash() == plain.state_hash()


def test_commands_of_a_dtype_that_lays_out_the_same_fields_are_taken() -> None:
    alike = np.dtype([(name, COMMAND.fields[name][0]) for name in COMMAND.names])  # type: ignore
    titled = np.dtype(
        [((f"the {name}", name), COMMAND.fields[name][0]) for name in COMMAND.names]  # type: ignore
    )
    for dtype in (alike, titled):
        assert len(Engine().submit(commands().view(dtype))) == 6
    swapped = commands().astype(COMMAND.newbyteorder(">"))
    for other in (swapped, commands().view(COMMAND_TEXT), commands().view("V64")):
        with pytest.raises(ValueError, match="dtype COMMAND"):
            Engine().submit(other)


@pytest.mark.parametrize("dtype", READINGS, ids=["C", "text", "E", "trade", "refusal"])
def test_a_reading_covers_all_64_bytes_once(dtype: np.dtype) -> None:
    covered = []
    for name in dtype.names or ():
        kind, offset = dtype.fields[name][:2]  # type: ignore[index]
        covered += list(range(offset, offset + kind.itemsize))
    assert covered == list(range(64))


def test_readings_say_what_the_union_holds() -> None:
    told = events()
    (trade,) = trades(told)
    assert trade["contra_order_id"] == told["order_id"][told["cl_ord_id"] == 7][0]
    (refusal,) = refusals(told)
    assert (refusal["cl_ord_id"], refusal["value"], refusal["limit"]) == (9, 0, (1 << 31) - 1)
    assert Reason(refusal["reason"]) == Reason.INVALID_QTY
    (text,) = text_commands(commands())
    assert (text["text"], text["key"]) == (b"AAA", 0)


def test_second_names_read_the_same_bytes() -> None:
    told = events()
    assert np.array_equal(told["value"], told["price"])
    assert np.array_equal(told["contra_order_id"], told["cl_ord_id"])
    trade = told[told["exec_type"] == int(ExecType.TRADE)][0]
    assert trade["contra_order_id"] == trades(told)[0]["contra_order_id"]


def test_a_view_writes_into_the_commands_it_views() -> None:
    record = np.zeros(1, COMMAND)
    record.view(COMMAND_TEXT)["text"] = b"x" * 36
    assert record["order_id"][0] == int.from_bytes(b"x" * 8, "little")
    assert record["checksum"][0] == 0


@pytest.mark.parametrize(
    ("row", "error", "named"),
    [
        ({"prise": 1}, ValueError, "prise"),
        (["price"], TypeError, "row 0 is"),
        ({"text": 5}, TypeError, "text is 5"),
        ({"text": "\ud800"}, ValueError, "surrogates"),
        ({"text": "x" * 37}, ValueError, "36 bytes"),
        ({"text": "é" * 19}, ValueError, "36 bytes"),
        ({"text": b"a\0b"}, ValueError, "NUL"),
        ({"price": 100.99}, TypeError, "price"),
        ({"price": Decimal(100)}, TypeError, "price"),
        ({"qty": np.float64(2)}, TypeError, "qty"),
        ({"qty": True}, TypeError, "qty"),
        ({"side": 256}, OverflowError, "side 256 is outside 0 to 255"),
        ({"account": -1}, OverflowError, "account -1"),
        ({"key": 1 << 32}, OverflowError, "key"),
        ({"qty": 1 << 63}, OverflowError, "qty"),
        ({"text": "AAA", "price": 1}, ValueError, "'text' and 'price' are the same bytes"),
        ({"ord_type": 1, "key": 1}, ValueError, "'key' and 'ord_type' are the same bytes"),
    ],
    ids=str,
)
def test_a_row_that_is_no_command_is_refused_by_name(
    row: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        make_commands([row])


def test_no_rows_are_no_commands() -> None:
    assert make_commands([]).shape == (0,)
    assert make_commands([]).dtype == COMMAND
