"""Every conformance script on every engine of the gateway, and what the engines said compared.

`python -m harness.fix_conformance [--engine E] [--only WORDS]`, in tests/, prints a line for each
failure and at the end how many passed; the exit code is 1 when one failed. A script is played in
both versions. Both engines' messages must be the same, in the same order, but for times
and checksum, and for OrderID and ExecID, which count what happened before.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.fix_client import VENUE, Message
from harness.fix_operator import operate
from harness.fix_venue import PartsVenue, running_venue
from touchline.config import FixSection
from touchline.fix.script import Broker, Script, Stage, scripts

SCRIPTS = scripts()
VERSIONS = ("FIX.4.4", "FIX.4.2")
_LOCKED, _OLD2 = (Broker(comp_id, ("554=secret",)) for comp_id in ("LOCKED", "OLD2"))
BROKERS = {
    "FIX.4.4": (
        Broker("BROKER1"),
        Broker("BROKER2"),
        _LOCKED,
        Broker("BROKER1"),
        Broker("WATCHER"),
        Broker("TOLD1"),
        Broker("OPEN1"),
        Broker("DAY1"),
    ),
    "FIX.4.2": (
        Broker("OLD1"),
        _OLD2,
        _OLD2,
        Broker("OLD1"),
        Broker("OLD3"),
        Broker("TOLD2"),
        Broker("OPEN2"),
        Broker("DAY2"),
    ),
    "FIXT.1.1": (
        Broker("NEW1"),
        Broker("NEW2"),
        Broker("NEW3", ("554=secret",)),
        Broker("NEW1"),
        Broker("NEW4"),
        Broker("NEW5"),
        Broker("NEW6"),
        Broker("NEW7"),
    ),
}
TIMES = frozenset(("42", "52", "60", "122", "9", "10"))
NUMBERED = ("37", "17")
# What QuickFIX's gateway has not.
MARKET = (
    "a_market_data_request_has_a_name_of_its_own",
    "a_market_data_request_is_answered_by_a_snapshot",
    "a_security_definition_is_given",
    "a_security_status_is_given",
    "a_security_status_says_the_phase",
    "a_trading_session_status_is_given",
    "market_data_can_be_full_each_time",
    "market_data_ends_when_it_is_asked_to",
    "market_data_ends_with_the_connection",
    "market_data_goes_on_with_what_is_new",
    "market_data_goes_the_way_of_its_request",
    "market_data_is_not_sent_again",
    "market_data_needs_its_permission",
    "market_data_that_is_not_offered_is_refused",
    "security_definitions_of_all_instruments_are_given",
    "trades_are_told_as_market_data",
)
NO_MASS = "its gateway takes single orders alone"
NO_TRADES = "its gateway has no trade capture"
NO_LISTS = "its gateway lists no instruments"
NO_COPY = "its gateway sends no copies"
MATTER_OF_TIME = "answers a Logout at once: what comes first is a matter of time"
NO_PENDING = "its gateway has no pending states"
NO_SPECIAL = "its gateway has no special orders"
NO_SCOPE = "there a ClOrdID is used up for good"
SPECIAL = (
    "a_hidden_order_shows_nothing",
    "a_market_to_limit_order_rests_at_its_price",
    "a_minimum_quantity_trades_at_once_or_nothing_does",
    "a_post_only_order_does_not_trade",
    "a_replace_keeps_the_terms_of_a_special_order",
    "a_status_says_the_terms_of_a_special_order",
    "a_stop_order_is_triggered_by_a_trade",
    "a_stop_order_that_finds_nothing_is_canceled",
    "an_all_or_none_order_trades_whole",
    "an_expire_time_that_can_not_be_is_refused",
    "an_iceberg_shows_its_next_part",
    "an_order_past_its_expire_time_is_expired",
    "an_order_to_be_touched_waits_below_the_market",
    "copies_say_what_special_orders_are",
    "orders_for_an_auction_are_collected",
    "terms_that_do_not_go_together_are_refused",
)
PENDING = (
    "a_cancel_that_a_fill_overtakes_is_rejected",
    "a_fill_that_overtakes_a_cancel_says_it_is_pending",
    "a_fill_that_overtakes_a_replace_says_it_is_pending",
    "a_pending_cancel_goes_before_a_pending_replace",
    "pending_states_come_before_what_is_decided",
)
# Where QuickFIX does other than the standard, and than its scripts: rule by rule, and why.
KNOWN: dict[str, dict[str, str]] = {
    "native": {},
    "quickfix": {
        "a_clordid_can_be_agreed_to_be_used_again": NO_SCOPE,
        "a_clordid_can_be_agreed_to_be_used_the_next_day": NO_SCOPE,
        "a_halt_is_told_by_news": "its sessions are for orders alone",
        "a_mass_cancel_is_carried_out_once": NO_MASS,
        "a_mass_cancel_leaves_others_alone": NO_MASS,
        "a_mass_cancel_takes_off_what_it_names": NO_MASS,
        "a_mass_cancel_that_can_not_be_said_is_refused": NO_MASS,
        "a_mass_status_request_reports_each_open_order": NO_MASS,
        "a_mass_status_request_waits_for_orders_before_it": NO_MASS,
        "a_mass_status_request_with_nothing_to_report_is_answered": NO_MASS,
        "a_message_without_a_number_ends_the_session": "ignores it",
        "a_request_without_permission_is_refused": "its sessions are for orders alone",
        "a_route_that_has_no_room_is_refused": "the gateway does not reverse it",
        "a_security_list_names_all_instruments": NO_LISTS,
        "a_security_list_names_an_instrument": NO_LISTS,
        "a_tag_with_leading_zeros_is_rejected": "reads tags as numbers",
        "a_trade_capture_request_has_criteria": NO_TRADES,
        "a_trade_capture_request_reports_trades": NO_TRADES,
        "a_trade_capture_request_that_can_not_be_said_is_refused": NO_TRADES,
        "a_trade_capture_subscription_goes_on": NO_TRADES,
        "an_answer_goes_back_the_way_its_request_came": "the gateway does not reverse routes",
        "answers_about_many_go_the_way_of_their_request": NO_MASS,
        "copies_that_were_missed_are_sent_again": NO_COPY,
        "each_report_is_copied_to_who_watches": NO_COPY,
        "numbers_above_2_to_the_31_are_numbers": "numbers are an int in places",
        "phases_are_told_by_news": "its sessions are for orders alone",
        "reports_go_the_way_of_the_latest_request": "the gateway does not reverse routes",
        "reports_that_come_after_a_logout_wait_for_the_next_logon": MATTER_OF_TIME,
        "requests_under_way_are_answered_before_a_logout": MATTER_OF_TIME,
        "sub_ids_come_back_the_other_way_round": "the gateway does not reverse them",
        "who_watches_is_told_of_refusals_by_the_engine": NO_COPY,
    }
    | dict.fromkeys(MARKET, "the gateway has no market data and no reference data")
    | dict.fromkeys(PENDING, NO_PENDING)
    | dict.fromkeys(SPECIAL, NO_SPECIAL),
}


@dataclass
class Played:
    """How a script went in one version: `fault` is "" when it passed."""

    fault: str = ""
    streams: dict[str, list[Message]] = field(default_factory=dict)


Key = tuple[str, str]


def stage(venue: PartsVenue, begin_string: str, symbol: str) -> Stage:
    """A venue of the tests, and the brokers it knows."""
    brokers = {str(number): who for number, who in enumerate(BROKERS[begin_string], start=1)}
    return Stage(
        ("127.0.0.1", venue.port),
        VENUE,
        brokers,
        symbol,
        source="127.0.0.1",
        operate=partial(operate, venue),
    )


def engines() -> tuple[str, ...]:
    """The engines a venue can be configured with; the second is compared with the first."""
    known = "engine" in FixSection.model_fields
    return ("native", "quickfix") if known else ("quickfix",)


def known_fault(engine: str, script: str, begin_string: str = "FIX.4.4") -> str:
    """Why a script is known to fail on an engine, or ""; FIX 4.2 has no such requests at all."""
    reason = KNOWN.get(engine, {}).get(script, "")
    return "" if begin_string == "FIX.4.2" and reason in (NO_MASS, NO_TRADES, NO_LISTS) else reason


def play(engine: str, scripts: list[Path], directory: Path) -> Iterator[tuple[Key, Played]]:
    """Play scripts against a venue, each with an instrument of its own."""
    chosen = {"engine": engine} if len(engines()) > 1 else {}
    plays = [(script, version) for script in scripts for version in VERSIONS]
    with running_venue(directory, **chosen) as venue:
        for number, (script, version) in enumerate(plays):
            played = Script(script, stage(venue, version, f"S{number:02d}"), version)
            fault = ""
            try:
                played.run()
            except AssertionError as error:
                fault = str(error)
            yield (script.stem, version), Played(fault, played.streams)


def comparable(stream: list[Message]) -> list[Message]:
    """Messages without their times, and with OrderIDs and ExecIDs numbered as they come."""
    seen: dict[str, str] = {}
    found = []
    for message in stream:
        kept = {tag: value for tag, value in message.items() if tag not in TIMES}
        for tag in NUMBERED:
            if number := re.search(r"[1-9]\d*", kept.get(tag, "")):
                name = seen.setdefault(number[0], f"#{len(seen)}")
                kept[tag] = kept[tag].replace(number[0], name, 1)
        found.append(kept)
    return found


def difference(one: Played, other: Played) -> str:
    """The first message in which two plays differ, or ""."""
    for broker in sorted(one.streams.keys() | other.streams.keys()):
        both = [comparable(played.streams.get(broker, [])) for played in (one, other)]
        for number in range(max(map(len, both))):
            left, right = (side[number] if number < len(side) else {} for side in both)
            tags = sorted(
                {tag for tag in left.keys() | right.keys() if left.get(tag) != right.get(tag)},
                key=int,
            )
            if tags:
                told = ", ".join(f"{t}={left.get(t)!r} and {t}={right.get(t)!r}" for t in tags)
                return f"broker {broker}, message {number + 1}: {told}"
    return ""


class Tally:
    """What is printed, and counted."""

    def __init__(self) -> None:
        self.passed = self.failed = self.known = 0

    def count(self, what: str, fault: str, reason: str) -> None:
        """One result; with a reason a fault is expected, and its absence is one, but where either
        is a matter of time."""
        if reason == MATTER_OF_TIME or (fault and reason):
            self.known += 1
            print(f"known  {what}: {reason}")
            return
        if reason:
            fault = f"is known to fail, but does not: {reason}"
        self.passed, self.failed = self.passed + (not fault), self.failed + bool(fault)
        if fault:
            print(f"FAIL   {what}: {fault}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="fix_conformance", description=__doc__)
    parser.add_argument("--engine", choices=engines())
    parser.add_argument("--only", default="", help="scripts whose names hold these words")
    chosen = parser.parse_args()
    scripts = [path for path in SCRIPTS if chosen.only in path.stem]
    tally, plays = Tally(), []
    for engine in [chosen.engine] if chosen.engine else engines():
        directory = Path(tempfile.mkdtemp(prefix="touchline-conformance-"))
        try:
            plays.append(dict(play(engine, scripts, directory / "venue")))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        for (script, version), played in plays[-1].items():
            reason = known_fault(engine, script, version)
            tally.count(f"{engine} {version} {script}", played.fault, reason)
    for key in plays[0] if len(plays) == 2 else ():
        if not any(known_fault(engine, key[0]) for engine in engines()):
            tally.count(f"same   {key[1]} {key[0]}", difference(plays[0][key], plays[1][key]), "")
    print(f"{tally.known} known to fail on QuickFIX")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
