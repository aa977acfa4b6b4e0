"""Timetables: which phase comes when, and the part that sees to it on a venue that runs."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.commands import commands, new_order
from harness.venue import WholeVenue, outcome, whole_venue, write_config
from harness.waiting import until
from touchline.config import load
from touchline.config.timetable import PhaseSection, TimetableSection, read_at
from touchline.control.operate.cli import main
from touchline.control.schedule.calendars import Calendar, CalendarEnds
from touchline.control.schedule.record import DONE, HELD
from touchline.control.schedule.timetable import Plan, changes_of
from touchline.control.supervisor.admin import Admin
from touchline.core.messages import ExecType, MsgType, Side, TimeInForce, TradingStatus
from touchline.errors import ConfigError
from touchline.runtime.replay import replay

THANKSGIVING = date(2026, 11, 26)
SECOND_NS = 1_000_000_000
EXPIRING = 'phase = "closed", expire_day_orders = true,'


def phases(*pairs: tuple[str, str]) -> tuple[PhaseSection, ...]:
    return tuple(PhaseSection(at=at, phase=phase) for at, phase in pairs)  # type: ignore[arg-type]


def day_of(name: str, day: date, *pairs: tuple[str, str]) -> list[str]:
    """Each change of a day as "HH:MM:SS PHASE", UTC."""
    table = TimetableSection(calendar=name, phases=phases(*pairs))
    found = Calendar(name, day).day(day)
    assert found is not None
    return [f"{change.time:%H:%M:%S} {change.status.name}" for change in changes_of(table, found)]


def test_the_usual_day_of_an_exchange() -> None:
    assert day_of("XNYS", date(2026, 11, 25)) == [
        "14:00:00 PRE_OPEN",
        "14:20:00 OPENING_AUCTION",
        "14:30:00 READY_TO_TRADE",
        "21:00:00 CLOSING_AUCTION",
        "21:05:00 CLOSED",
    ]
    assert day_of("24/7", date(2026, 11, 28)) == ["00:00:00 READY_TO_TRADE"]


@pytest.mark.parametrize(
    ("name", "day", "first", "last"),
    [
        ("XIST", date(2026, 11, 27), "06:30:00 PRE_OPEN", "15:05:00 CLOSED"),
        ("XLON", date(2026, 12, 23), "07:30:00 PRE_OPEN", "16:35:00 CLOSED"),
        ("XLON", date(2026, 7, 1), "06:30:00 PRE_OPEN", "15:35:00 CLOSED"),
        ("XBOM", date(2026, 11, 25), "03:15:00 PRE_OPEN", "10:05:00 CLOSED"),
    ],
)
def test_exchanges_have_their_own_hours(name: str, day: date, first: str, last: str) -> None:
    found = day_of(name, day)
    assert (found[0], found[-1]) == (first, last)


def test_a_half_day_ends_sooner() -> None:
    assert day_of("XNYS", date(2026, 11, 27))[-2:] == [
        "18:00:00 CLOSING_AUCTION",
        "18:05:00 CLOSED",
    ]


def test_a_time_of_day_opens_nothing_behind_a_half_day() -> None:
    """15:50 is after the close of 13:00: the auction is left out, the end comes at the close."""
    times = (("open", "ready-to-trade"), ("15:50", "closing-auction"), ("16:10", "closed"))
    assert day_of("XNYS", date(2026, 11, 25), *times)[1:] == [
        "20:50:00 CLOSING_AUCTION", "21:10:00 CLOSED",
    ]  # fmt: skip
    assert day_of("XNYS", date(2026, 11, 27), *times)[1:] == ["18:00:00 CLOSED"]
    early = (("08:00", "ready-to-trade"), ("09:00", "pre-open"))
    assert day_of("XNYS", date(2026, 11, 25), *early) == [
        "13:00:00 READY_TO_TRADE", "14:00:00 PRE_OPEN",
    ]  # fmt: skip


def test_a_day_that_begins_late_opens_at_its_open() -> None:
    """XHKG-like: an auction at 09:20 stays, trading at 09:30 begins with the day at 13:00."""
    usual = Calendar("XNYS", THANKSGIVING).day(date(2026, 11, 25))
    assert usual is not None
    late = replace(usual, open=usual.open + timedelta(hours=3), shorter=True)
    table = TimetableSection(
        calendar="XNYS",
        phases=phases(("09:20", "opening-auction"), ("09:30", "ready-to-trade")),
    )
    assert [(f"{one.time:%H:%M}", one.status.name) for one in changes_of(table, late)] == [
        ("14:20", "OPENING_AUCTION"), ("17:30", "READY_TO_TRADE"),
    ]  # fmt: skip


def test_a_lunch_break_closes_and_opens() -> None:
    found = day_of("XHKG", date(2026, 11, 25))
    assert found[3:5] == ["04:00:00 CLOSED", "05:00:00 READY_TO_TRADE"]


def test_holidays_and_weekends_have_no_changes() -> None:
    calendar = Calendar("XNYS", THANKSGIVING)
    assert calendar.day(THANKSGIVING) is None
    assert calendar.reason(THANKSGIVING) == "Thanksgiving"
    assert calendar.day(date(2026, 11, 28)) is None
    assert calendar.reason(date(2026, 11, 28)) == "weekend"
    with pytest.raises(CalendarEnds, match=r"knows .* not 2050-01-03"):
        calendar.day(date(2050, 1, 3))


def test_what_is_due_on_a_closed_day_is_the_end_of_the_last_open_one() -> None:
    plan = Plan(TimetableSection(calendar="XNYS"), ["AAA"], THANKSGIVING)
    noon = int(datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()) * SECOND_NS
    past, later = plan.around(noon)
    due = past[-1]
    assert (due.time, due.status) == (
        datetime(2026, 11, 25, 21, 5, tzinfo=UTC),
        TradingStatus.CLOSED,
    )
    assert due.expire_day_orders
    assert later[0].time == datetime(2026, 11, 27, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "opens", "open+", "open-5", "open+25h", "Mon 09:15", "25:00", "close+99999h"]
)
def test_what_is_no_time_of_a_trading_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"trading day|24 hours"):
        read_at(text)


TABLE = '[[timetables]]\ncalendar = "{}"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TABLE.format("24/7") + 'instruments = ["ZZZ"]', "'ZZZ' is no instrument"),
        (TABLE.format("24/7") + 'instruments = ["AAA", "AAA"]', "has a timetable already"),
        (TABLE.format("24/7") * 2, "timetables[1] is for all the others"),
        (
            TABLE.format("24/7") + 'phases = [{at = "open", phase = "closed"},'
            ' {at = "open", phase = "halted"}]',
            "open stands there twice",
        ),
        (TABLE.format("24/7") + 'phases = [{at = "noon", phase = "closed"}]', "trading day"),
        (TABLE.format("24/7") + 'phases = [{at = "open", phase = "lunch"}]', "phase = 'lunch'"),
        (
            TABLE.format("24/7") + 'phases = [{at = "open", phase = "closed", window_s = 5}]',
            "is for auctions, not for closed",
        ),
        (TABLE.format("NONE"), "'NONE' is no calendar of exchange-calendars; there are"),
    ],
)
def test_a_wrong_timetable_is_refused_before_the_venue_opens(
    tmp_path: Path, text: str, why: str
) -> None:
    path = write_config(tmp_path, engine_alone=True)
    path.write_text(path.read_text() + text)
    code, errors = outcome(path)
    assert code == 2
    assert why in errors
    assert "Traceback" not in errors


def call(path: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(path), *words])


def test_the_days_ahead_are_shown(tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    assert "none is configured" in call(path, "schedule").output
    path.write_text(path.read_text() + TABLE.format("XNYS"))
    shown = call(path, "schedule", "--date", "2026-11-26", "--days", "2")
    assert shown.exit_code == 0
    assert "XNYS (America/New_York): AAA, BBB" in shown.output
    assert "Thu 2026-11-26  Thanksgiving" in shown.output
    assert "18:05:00 UTC  13:05:00  closed" in shown.output
    facts = json.loads(
        call(path, "schedule", "--date", "2026-11-26", "--days", "2", "--json").stdout
    )
    told = facts["timetables"][0]["days"]
    assert [len(day["changes"]) for day in told] == [0, 5]
    assert told[1]["shorter"] is True
    assert call(path, "schedule", "--date", "tomorrow").exit_code == 2
    far = call(path, "schedule", "--date", "2090-01-02")
    assert far.exit_code == 5
    assert "calendar XNYS" in far.output
    assert "a newer exchange-calendars may" in far.output


def statuses(venue: WholeVenue) -> list[TradingStatus]:
    events = venue.events()
    of_aaa = events["instrument"] == 0
    moved = events[of_aaa & (events["exec_type"] == ExecType.SECURITY_STATUS)]
    return [TradingStatus(int(status)) for status in moved["qty"]]


class Soon:
    """Times that come when a new part is up for certain: twice as long as one took before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lead_s = 4.0

    @contextmanager
    def venue(self) -> Iterator[WholeVenue]:
        began = time.monotonic()
        with whole_venue(self._path) as venue:
            self.lead_s = max(self.lead_s, 2 * (time.monotonic() - began))
            yield venue

    def at(self, later_s: float = 0) -> tuple[int, str]:
        """The time, and how a timetable has it."""
        when = datetime.now(UTC) + timedelta(seconds=self.lead_s + later_s)
        return int(when.timestamp()), f"{when:%H:%M:%S}"


def day_order(venue: WholeVenue) -> None:
    """Rest an order for the day."""
    rows = commands([new_order(account=0, side=Side.BUY, price=991, qty=5,
                               time_in_force=TimeInForce.DAY)])  # fmt: skip
    venue.send(rows)


def with_phases(path: Path, text: str, *pairs: tuple[str, str]) -> None:
    """A timetable of (when, phase); "PHASE/N" has an end drawn from N seconds."""
    rows = [(at, *phase.partition("/")[::2]) for at, phase in pairs]
    listed = ", ".join(
        f'{{at = "{at}", phase = "{phase}", window_s = {window or 0}}}'
        for at, phase, window in rows
    )
    path.write_text(text + TABLE.format("24/7") + f"phases = [{listed}]\n")


@pytest.fixture
def retold(tmp_path: Path) -> tuple[Path, Callable[..., None]]:
    path = write_config(tmp_path, engine_alone=True)
    text = path.read_text()

    def change(*pairs: tuple[str, str], venue: WholeVenue | None = None) -> None:
        with_phases(path, text, *pairs)
        if venue is not None:
            before = venue.part("schedule")["pid"]
            venue.popen.send_signal(signal.SIGUSR1)
            until(
                lambda: (part := venue.part("schedule")).get("ready") and part["pid"] != before,
                "a new part follows the new timetable",
            )

    return path, change


def test_the_venue_goes_by_its_timetable(retold: Any) -> None:
    path, change = retold
    soon_at = Soon(path)
    hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%H:%M:%S}"
    change((hour_ago, "pre-open"))
    with soon_at.venue() as venue:
        # What was due stands in the journal before the venue was open.
        assert statuses(venue) == [TradingStatus.PRE_OPEN]
        _, soon = soon_at.at()
        change((hour_ago, "pre-open"), (soon, "ready-to-trade"), venue=venue)
        until(lambda: statuses(venue)[-1] == TradingStatus.READY_TO_TRADE, "the phase comes")
        assert statuses(venue) == [TradingStatus.PRE_OPEN, TradingStatus.READY_TO_TRADE]
        # An operator's command holds until the next change, and a restart does not undo it.
        with Admin(venue.config, words="test") as admin:
            admin.phase("AAA", TradingStatus.CLOSED)
        venue.stop()
    with whole_venue(path) as venue:
        time.sleep(1)
        assert statuses(venue)[-1] == TradingStatus.CLOSED
        assert len(statuses(venue)) == 3
        venue.stop()


def test_an_auction_ends_within_its_window_and_a_killed_part_goes_on(retold: Any) -> None:
    path, change = retold
    soon_at = Soon(path)
    hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%H:%M:%S}"
    change((hour_ago, "pre-open"))
    with soon_at.venue() as venue:
        begins, soon = soon_at.at()
        ends, then = soon_at.at(6)
        change(
            (hour_ago, "pre-open"), (soon, "opening-auction/2"), (then, "ready-to-trade"),
            venue=venue,
        )  # fmt: skip
        until(lambda: statuses(venue)[-1] == TradingStatus.OPENING_AUCTION, "the auction")
        before = venue.part("schedule")["pid"]
        os.kill(before, signal.SIGKILL)
        until(lambda: statuses(venue)[-1] == TradingStatus.READY_TO_TRADE, "its end")
        assert venue.part("schedule")["pid"] != before
        assert statuses(venue)[-3:] == [
            TradingStatus.PRE_OPEN, TradingStatus.OPENING_AUCTION, TradingStatus.READY_TO_TRADE,
        ]  # fmt: skip
        events = venue.events()
        moved = events[
            (events["instrument"] == 0) & (events["exec_type"] == ExecType.SECURITY_STATUS)
        ]
        assert moved["ts_ns"][-2] >= begins * SECOND_NS
        assert moved["ts_ns"][-1] >= ends * SECOND_NS
        sent = np.concatenate([batch.copy() for batch, _ in replay(venue.journal)])
        of_aaa = (sent["type"] == MsgType.SECURITY_STATUS) & (sent["instrument"] == 0)
        auction = sent[of_aaa & (sent["field"] == TradingStatus.OPENING_AUCTION)][0]
        assert auction["qty"] == 2 * SECOND_NS
        assert abs(int(auction["price"]) - ends * SECOND_NS) < SECOND_NS
        venue.stop()


def test_who_is_held_or_halted_stays(retold: Any) -> None:
    path, change = retold
    soon_at = Soon(path)
    hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%H:%M:%S}"
    change((hour_ago, "pre-open"))
    with soon_at.venue() as venue:
        assert call(path, "schedule", "hold", "ZZZ").exit_code == 1
        assert call(path, "schedule", "hold", "AAA").output == "AAA: held\n"
        assert "held: AAA" in call(path, "schedule").output
        when, soon = soon_at.at()
        change((hour_ago, "pre-open"), (soon, "ready-to-trade"), venue=venue)
        until(lambda: time.time() > when + 1, "the time is past")
        assert statuses(venue) == [TradingStatus.PRE_OPEN]
        assert call(path, "schedule", "release", "AAA").output == "AAA: released\n"
        until(lambda: statuses(venue)[-1] == TradingStatus.READY_TO_TRADE, "it catches up")
        with Admin(venue.config, words="test") as admin:
            admin.halt("AAA")
        _, soon = soon_at.at()
        change((hour_ago, "pre-open"), (soon, "closing-auction"), venue=venue)
        until(lambda: venue.facts("halted: stays so"), "the halt is noticed")
        _, soon = soon_at.at()
        change((hour_ago, "pre-open"), (soon, "closed"), venue=venue)
        until(lambda: statuses(venue)[-1] == TradingStatus.CLOSED, "the end of the day")
        assert statuses(venue)[-2] == TradingStatus.HALTED
        venue.stop()


def test_a_record_of_a_time_to_come_is_not_believed_and_missed_ends_of_days_are_made_up(
    retold: Any,
) -> None:
    """The clock was wrong once; and the venue was down when Day orders were to expire."""
    path, change = retold
    now = datetime.now(UTC)
    hours = [f"{now - timedelta(hours=back):%H:%M:%S}" for back in (2, 1)]
    change((hours[0], "closed"), (hours[1], "ready-to-trade"))
    path.write_text(path.read_text().replace('phase = "closed",', EXPIRING))
    with whole_venue(path) as venue:
        until(lambda: statuses(venue)[-1] == TradingStatus.READY_TO_TRADE, "it trades")
        day_order(venue)
        venue.stop()
    done = venue.config.venue.data_dir / DONE
    yesterday = int((now - timedelta(hours=25)).timestamp()) * SECOND_NS
    for time_ns, expired in ((yesterday + 10**9 * 86400 * 400, 0), (yesterday, 1)):
        done.write_text(json.dumps({"AAA": time_ns}))
        with whole_venue(path) as venue:
            assert json.loads(done.read_text())["AAA"] < time.time_ns()
            ends = venue.events()["exec_type"]
            assert int((ends == ExecType.EXPIRED).sum()) == expired
            venue.stop()


def test_a_reload_with_a_calendar_there_is_not_changes_nothing(retold: Any) -> None:
    path, change = retold
    hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%H:%M:%S}"
    change((hour_ago, "pre-open"))
    with whole_venue(path) as venue:
        before = venue.part("schedule")["pid"]
        path.write_text(path.read_text().replace('"24/7"', '"NONE"'))
        venue.popen.send_signal(signal.SIGUSR1)
        until(lambda: venue.facts("configuration not taken up"), "it is refused")
        assert venue.part("schedule")["pid"] == before
        venue.stop()


@pytest.mark.parametrize("name", [DONE, HELD])
def test_a_damaged_record_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = write_config(tmp_path, engine_alone=True)
    path.write_text(path.read_text() + TABLE.format("24/7") + "[supervisor]\ntries_max = 1\n")
    config = load(path)
    config.venue.data_dir.mkdir(parents=True)
    (config.venue.data_dir / name).write_text("[1" if name == DONE else '{"AAA": 1}')
    code, errors = outcome(path)
    assert code == 5
    assert name in errors
    assert "remove it" in errors
    assert "Traceback" not in errors


def test_a_calendar_there_is_not_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="no calendar"):
        Calendar("NOPE", date(2026, 11, 25))
