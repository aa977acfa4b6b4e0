"""Published flows: the converter's reports against those of a naive matcher, byte for byte."""

import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest

from conformance import check_flow
from conformance.check_flow import CANCEL, HEADER, MODIFY, NEW, RECORD
from reference.naive_matcher import NaiveMatcher
from touchline.core.messages import MsgType, Side, TimeInForce
from touchline.data import flow

KINDS = {MsgType.NEW_ORDER: NEW, MsgType.CANCEL: CANCEL, MsgType.REPLACE: MODIFY}


def records_of(generated: flow.Flow) -> np.ndarray:
    """The same flow as published ones are laid out: ids are the clients', sides are 0 and 1."""
    commands, refs = generated.commands, generated.refs
    records = np.zeros(len(commands), RECORD)
    records["type"] = [KINDS[MsgType(kind)] for kind in commands["type"]]
    entered = np.where(refs < 0, np.arange(len(commands)), refs)
    records["side"] = commands["side"][entered] == Side.SELL
    records["ioc"] = commands["time_in_force"] == TimeInForce.IOC
    records["qty"] = commands["qty"]
    records["price"] = commands["price"]
    records["seq"] = np.arange(len(commands))
    records["order_id"] = entered + 1
    return records


def naive_reports(records: np.ndarray) -> bytes:
    """What every correct engine reports, by the naive matcher."""
    matcher = NaiveMatcher()
    lines: list[str] = []
    for record in records:
        kind, seq, order_id = int(record["type"]), int(record["seq"]), int(record["order_id"])
        side, price, qty = int(record["side"]), int(record["price"]), int(record["qty"])
        resting = matcher.resting.pop(order_id, None) if kind != NEW else None
        if kind != NEW and resting is None:
            lines.append(f"{4 if kind == CANCEL else 5},{seq},{order_id}")
        elif kind == CANCEL and resting is not None:
            lines.append(f"2,{seq},{side},{order_id},{resting.price}")
        else:
            fills = matcher.enter(order_id, side == 0, price, qty, rests=not record["ioc"])
            trades = [f"1,{seq},{f.price},{f.qty},{f.maker_id},{order_id}" for f in fills]
            terms = f"{seq},{side},{order_id},{price},{qty}"
            lines += [*trades, f"3,{terms}"] if kind == MODIFY else [f"0,{terms}", *trades]
            if record["ioc"] and sum(fill.qty for fill in fills) < qty:
                lines.append(f"2,{seq},{side},{order_id},{price}")
    return "\n".join(lines).encode()


def write(directory: Path, name: str, records: np.ndarray, reports: bytes) -> Path:
    header = np.array([(1, 1, len(records))], HEADER)
    path = directory / f"{name}.bin.xz"
    path.write_bytes(lzma.compress(header.tobytes() + records.tobytes(), preset=0))
    (directory / f"{name}.reports.txt.gz").write_bytes(gzip.compress(reports))
    return path


@pytest.mark.parametrize("name", ["static", "normal", "flash-crash"])
def test_the_engine_reports_what_the_naive_matcher_reports(
    name: str, tmp_path: Path, seed: int
) -> None:
    records = records_of(flow.generate(name, 1_500, seed))
    reports = naive_reports(records)
    count, difference = check_flow.check(write(tmp_path, name, records, reports))
    assert difference == ""
    assert count == reports.count(b"\n") + 1
    assert check_flow.main([str(tmp_path)]) == 0


def test_a_difference_is_shown_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = records_of(flow.generate("normal", 200, seed=3))
    lines = naive_reports(records).split(b"\n")
    lines[41] += b"0"
    path = write(tmp_path, "normal", records, b"\n".join(lines))
    assert check_flow.main([str(tmp_path)]) == 1
    wanted, got = lines[41].decode(), lines[41][:-1].decode()
    assert capsys.readouterr().out == f"{path.name}: line 42: expected {wanted}, got {got}\n"


def test_a_missing_line_is_a_difference() -> None:
    assert check_flow.first_difference(b"a\nb", b"a") == "line 2: expected (end), got b"
    assert check_flow.first_difference(b"a", b"a\nb") == "line 2: expected b, got (end)"
    assert check_flow.first_difference(b"a", b"a\n") == "white space at the end"


def test_a_torn_flow_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = records_of(flow.generate("normal", 20, seed=3))
    path = write(tmp_path, "normal", records, b"")
    data = lzma.decompress(path.read_bytes())
    path.write_bytes(lzma.compress(data[:-1]))
    assert check_flow.main([str(tmp_path)]) == 1
    assert f"do not hold {len(records)} records" in capsys.readouterr().out


def test_a_directory_without_flows_is_misuse(tmp_path: Path) -> None:
    assert check_flow.main([str(tmp_path)]) == 2
    assert check_flow.main([]) == 2
