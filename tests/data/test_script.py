"""Recorded scripts: right ones are accepted, wrong fills are found, bad lines are named."""

import gzip
import random
from pathlib import Path

import pytest

from reference.naive_matcher import NaiveMatcher
from touchline.data.script import ScriptError, run_script

HEADER = "row,kind,op,id,side,price,qty,fills"


def write(path: Path, *lines: str) -> Path:
    text = "".join(f"{line}\n" for line in (HEADER, *lines))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def random_script(seed: int, length: int) -> list[str]:
    """A script whose fills a naive matcher has found, over a few prices so that queues form."""
    rng = random.Random(seed)
    matcher = NaiveMatcher()
    lines: list[str] = []
    for row in range(length):
        is_buy = rng.random() < 0.5
        side, price, qty = 1 if is_buy else -1, rng.randint(990, 1010), rng.randint(1, 60)
        choice = rng.random()
        order_id = 7_000_000_000 + row
        if choice < 0.35 and matcher.resting:
            order = matcher.resting[rng.choice(list(matcher.resting))]
            qty = rng.randint(1, order.qty)
            side = 1 if order.is_buy else -1
            lines.append(f"{row},real,X,{order.id},{side},{order.price},{qty},")
            matcher.take(order.id, qty)
        elif choice < 0.6:
            price = rng.randint(980, 995) if is_buy else rng.randint(1011, 1020)
            fills = matcher.enter(order_id, is_buy, price, qty, rests=True)
            op = "L" if fills else "A"
            text = ";".join(map(str, fills))
            lines.append(f"{row},real,{op},{order_id},{side},{price},{qty},{text}")
        else:
            rests = choice < 0.8
            fills = matcher.enter(order_id, is_buy, price, qty, rests)
            text = ";".join(map(str, fills))
            op, number = ("L", order_id) if rests else ("M", 0)
            lines.append(f"{row},mkt,{op},{number},{side},{price},{qty},{text}")
    return lines


@pytest.mark.parametrize("name", ["script.csv", "script.csv.gz"])
def test_a_right_script_is_right_in_every_line(name: str, tmp_path: Path, seed: int) -> None:
    lines = random_script(seed, 1_500)
    result = run_script(write(tmp_path / name, *lines))
    assert [str(mismatch) for mismatch in result.mismatches] == []
    assert result.ok
    assert result.right == result.checked
    assert sum(result.operations.values()) == 1_500
    assert result.checked == sum(line.split(",")[2] in "ML" for line in lines)
    assert sum(":" in line for line in lines) > 100


def test_a_wrong_fill_is_reported_with_its_line(tmp_path: Path) -> None:
    result = run_script(
        write(
            tmp_path / "wrong.csv",
            "0,sync,A,11,1,500,10,",
            "0,sync,A,12,1,500,10,",
            "1,mkt,M,0,-1,500,15,12:10:500;11:5:500",
            "2,mkt,M,0,-1,500,5,12:5:500",
        )
    )
    assert [str(mismatch) for mismatch in result.mismatches] == [
        "line 4: M 0: expected 12:10:500;11:5:500, got 11:10:500;12:5:500"
    ]
    assert (result.checked, result.right, result.ok) == (2, 1, False)


def test_one_wrong_fill_in_a_long_script_is_the_one_reported(tmp_path: Path, seed: int) -> None:
    lines = random_script(seed, 600)
    filled = [number for number, line in enumerate(lines) if line.endswith(tuple("0123456789"))]
    chosen = filled[len(filled) // 2]
    lines[chosen] += "9"
    result = run_script(write(tmp_path / "wrong.csv", *lines))
    assert [mismatch.line for mismatch in result.mismatches] == [chosen + 2]
    assert result.right == result.checked - 1


def test_taking_off_keeps_the_place_in_the_queue(tmp_path: Path) -> None:
    assert run_script(
        write(
            tmp_path / "queue.csv",
            "0,sync,A,1,-1,700,10,",
            "0,sync,A,2,-1,700,10,",
            "1,real,X,1,-1,700,4,",
            "2,mkt,M,0,1,700,8,1:6:700;2:2:700",
        )
    ).ok


def test_the_rest_of_an_l_line_rests_under_its_id(tmp_path: Path) -> None:
    assert run_script(
        write(
            tmp_path / "rest.csv",
            "0,sync,A,1,-1,700,10,",
            "1,mkt,L,2,1,700,15,1:10:700",
            "2,mkt,M,0,-1,700,9,2:5:700",
        )
    ).ok


def test_an_id_may_come_again_once_its_order_is_gone(tmp_path: Path) -> None:
    assert run_script(
        write(
            tmp_path / "again.csv",
            "0,sync,A,1,-1,700,10,",
            "1,real,X,1,-1,700,10,",
            "2,real,A,1,-1,701,3,",
            "3,mkt,M,0,1,800,5,1:3:701",
        )
    ).ok


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1,real,X,1,-1,700,11,", "line 3: X 1: expected 11 taken off, got an order with 10 left"),
        ("1,real,A,3,1,700,4,", "line 3: A 3: expected , got 1:4:700"),
    ],
)
def test_a_book_that_disagrees_is_a_mismatch(line: str, text: str, tmp_path: Path) -> None:
    result = run_script(write(tmp_path / "other.csv", "0,sync,A,1,-1,700,10,", line))
    assert [str(mismatch) for mismatch in result.mismatches] == [text]


def test_taking_off_a_filled_order_is_a_mismatch(tmp_path: Path) -> None:
    result = run_script(
        write(
            tmp_path / "gone.csv",
            "0,sync,A,1,-1,700,10,",
            "1,mkt,M,0,1,700,10,1:10:700",
            "2,real,X,1,-1,700,1,",
        )
    )
    assert [str(mismatch) for mismatch in result.mismatches] == [
        "line 4: X 1: expected 1 taken off, got an order that rests no more"
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1,real,Z,5,1,700,10,", "op 'Z' is none of A, X, M, L"),
        ("1,real,A,5,2,700,10,", "side '2' is neither 1 (buy) nor -1 (sell)"),
        ("1,real,A,five,1,700,10,", "id 'five' is not a whole number"),
        ("1,real,A,5,1,0,10,", "price '0' is not a whole number from 1 to 1073741823"),
        ("1,real,A,5,1,7.5,10,", "price '7.5' is not a whole number"),
        ("1,real,A,5,1,1073741824,10,", "price '1073741824' is not"),
        ("1,real,A,5,1,700,0,", "qty '0' is not a whole number from 1 to 2147483647"),
        ("1,real,A,5,1,700,-3,", "qty '-3' is not"),
        ("1,real,A,5,1,700,10", "7 columns, expected 8"),
        ("1,real,A,5,1,700,10,,", "9 columns, expected 8"),
        ("1,real,A,5,1,700,10,1:1:1", "an A line names fills, '1:1:1'"),
        ("1,mkt,M,0,-1,700,10,1:10", "fill '1:10' is not maker_id:qty:price"),
        ("1,mkt,M,0,-1,700,10,1:10:x", "fill '1:10:x' is not maker_id:qty:price"),
        ("1,real,A,1,1,600,10,", "order 1 rests already"),
        ("1,real,X,9,1,700,10,", "no line before enters order 9"),
        ("1,real,X,1,-1,700,10,", "order 1 has another side or price"),
        ("1,real,X,1,1,701,10,", "order 1 has another side or price"),
    ],
)
def test_a_bad_line_is_named(line: str, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.csv", "0,sync,A,1,1,700,10,", line)
    with pytest.raises(ScriptError) as caught:
        run_script(path)
    assert str(caught.value).startswith(f"{path}: line 3: {problem}")


def test_files_that_are_no_scripts_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    with pytest.raises(ScriptError, match=r"missing\.csv: No such file"):
        run_script(missing)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(ScriptError, match="line 1: expected the columns row,kind,op"):
        run_script(other)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(ScriptError, match="line 1: expected the columns"):
        run_script(empty)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ScriptError, match=r"binary\.csv: "):
        run_script(binary)
    torn = write(tmp_path / "torn.csv.gz", "0,sync,A,1,1,700,10,")
    torn.write_bytes(torn.read_bytes()[:-12])
    with pytest.raises(ScriptError, match=r"torn\.csv\.gz: "):
        run_script(torn)


def test_a_script_with_no_lines_is_right(tmp_path: Path) -> None:
    result = run_script(write(tmp_path / "none.csv"))
    assert result.ok
    assert result.checked == 0
