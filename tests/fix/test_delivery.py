"""What tells a restarted gateway which reports were made, at every point where it may have died."""

from pathlib import Path

import pytest

from touchline.errors import SessionError
from touchline.fix.delivery import Delivered, Stored, last_stored
from touchline.fix.orders import report_key

NAME = "FIX.4.4-TOUCHLINE-BROKER1"
JOURNAL = 77


def store(directory: Path, next_sender: int, messages: list[tuple[int, str]]) -> None:
    """A QuickFIX store that holds the messages (MsgSeqNum, ExecID or ""), in the order written."""
    index, body = "", b""
    for seq, exec_id in messages:
        text = f"8=FIX.4.4\x0135=8\x0134={seq}\x01" + (f"17={exec_id}\x01" if exec_id else "")
        index += f"{seq},{len(body)},{len(text)} "
        body += text.encode()
    (directory / f"{NAME}.seqnums").write_text(f"{next_sender:020d} : {1:020d}")
    (directory / f"{NAME}.header").write_text(index)
    (directory / f"{NAME}.body").write_bytes(body)


@pytest.mark.parametrize(
    ("next_sender", "messages", "key"),
    [
        (1, [], 0),
        (3, [(1, ""), (2, "")], 0),
        (3, [(1, ""), (2, "48")], 48 * 4),
        (4, [(1, "48"), (2, "50-1"), (3, "50-2")], 50 * 4 + 2),
        (5, [(1, "48"), (2, "R7"), (3, "0"), (4, "")], 48 * 4),
        (3, [(1, ""), (2, "48"), (3, "49")], 48 * 4),  # died before 3 was used up
        (4, [(1, ""), (2, "48"), (3, "49"), (3, "51")], 51 * 4),  # and 3 was given to another
        (20_002, [(n, str(n)) for n in range(1, 20_002)], 20_001 * 4),
    ],
)
def test_the_newest_report_in_the_store_is_found(
    tmp_path: Path, next_sender: int, messages: list[tuple[int, str]], key: int
) -> None:
    store(tmp_path, next_sender, messages)
    assert last_stored(tmp_path, NAME) == Stored(key)


def test_refused_changes_behind_the_newest_report_are_known_by_their_cl_ord_id(
    tmp_path: Path,
) -> None:
    store(tmp_path, 6, [])
    said = {2: "c1", 3: "c2", 5: "c3"}
    index, content = "", b""
    for seq in range(1, 6):
        kind = f"35=9\x0137=7\x0111={said[seq]}\x0141=a" if seq in said else "35=8\x0117=R7"
        text = f"8=FIX.4.4\x01{'35=8' if seq == 1 else kind}\x0134={seq}\x01"
        text += "17=48\x01" if seq == 1 else ""
        index += f"{seq},{len(content)},{len(text)} "
        content += text.encode()
    (tmp_path / f"{NAME}.body").write_bytes(content)
    (tmp_path / f"{NAME}.header").write_text(index)
    assert last_stored(tmp_path, NAME) == Stored(48 * 4, frozenset(said.values()))


def test_no_store_holds_no_report(tmp_path: Path) -> None:
    assert last_stored(tmp_path, NAME) == Stored()


def test_marks_and_refusals_survive(tmp_path: Path) -> None:
    path = tmp_path / "delivered"
    marks = Delivered(path)
    assert not marks.belongs_to(JOURNAL, 10)
    marks.set_mark(3, 99)
    assert [marks.next_refusal(), marks.next_refusal()] == [1, 2]
    again = Delivered(path)  # the first was never closed, as after a kill
    assert again.belongs_to(JOURNAL, 20)
    assert (again.mark(3), again.mark(4)) == (99, report_key(10))
    assert again.next_refusal() == 3


def test_refusals_go_on_behind_what_a_power_cut_may_have_taken(tmp_path: Path) -> None:
    path = tmp_path / "delivered"
    marks = Delivered(path, durable=True)
    marks.flush()
    kept = path.read_bytes()
    given = [marks.next_refusal() for _ in range(3)]
    path.write_bytes(kept)
    assert Delivered(path, durable=True).next_refusal() > max(given)


def test_with_another_journal_the_marks_start_anew(tmp_path: Path) -> None:
    marks = Delivered(tmp_path / "delivered")
    marks.belongs_to(JOURNAL, 10)
    marks.set_mark(0, report_key(5000))
    assert not marks.belongs_to(JOURNAL + 1, 20)
    assert marks.mark(0) == report_key(20)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "delivered"
    for content in (b"something else", b"x" * 2072):
        path.write_bytes(content)
        with pytest.raises(SessionError, match="delivered"):
            Delivered(path)
