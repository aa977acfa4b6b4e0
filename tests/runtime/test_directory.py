"""Names as everybody has them: known as soon as they are journaled, the journal read once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.commands import ACCOUNTS, SYMBOLS, commands, listing, text
from harness.flows import order_flow
from harness.venue import ThreadVenue
from touchline.control.capture.naming import NamesFollower
from touchline.control.publish.listing import Listing
from touchline.control.supervisor.admin import Admin
from touchline.core.messages import LANE_ADMIN, Text
from touchline.fix.names import JournalNames
from touchline.fix.orders import Orders
from touchline.instruments import Instrument
from touchline.runtime import directory
from touchline.runtime.directory import Directory, JournalDirectory
from touchline.runtime.journal import JournalReader

NEW = len(SYMBOLS)
Ask = Callable[[NDArray[np.void]], Instrument]


class CountingReader(JournalReader):
    """Tells how many were opened and how many commands they went over."""

    opened = 0
    commands = 0

    def __init__(self, _journal_dir: Path) -> None:
        type(self).opened += 1

    def read_texts(self, max: int = 4096) -> NDArray[np.void]:
        before = self.next_seq
        texts = super().read_texts(max)
        type(self).commands += self.next_seq - before
        return texts


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        venue.send(order_flow(1, 500))
        yield venue


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> type[CountingReader]:
    counting = type("Counting", (CountingReader,), {})
    monkeypatch.setattr(directory, "JournalReader", counting)
    return counting


def of_the_capture(venue: ThreadVenue) -> tuple[NamesFollower, Ask]:
    names = NamesFollower(venue.config.journal_dir)

    def ask(events: NDArray[np.void]) -> Instrument:
        names.learn(events)
        return names.names.instruments()[int(events["instrument"][-1])]

    return names, ask


def of_the_publisher(venue: ThreadVenue) -> tuple[Listing, Ask]:
    names = Listing(venue.config.journal_dir)
    return names, lambda events: names.instrument(int(events["instrument"][-1]))


def of_the_gateway(venue: ThreadVenue) -> tuple[JournalNames, Ask]:
    orders = Orders()
    names = JournalNames(venue.config.journal_dir, orders)

    def ask(events: NDArray[np.void]) -> Instrument:
        orders.names_changed = True  # as it is when the listing's event has come
        found = names.instrument(int(events["instrument"][-1]))
        assert names.instrument_named(found.symbol) == found
        return found

    return names, ask


def of_an_operator(venue: ThreadVenue) -> tuple[ExitStack, Ask]:
    admin = Admin(venue.config)
    stack = ExitStack()
    stack.push(admin)

    def ask(events: NDArray[np.void]) -> Instrument:
        symbols = admin.names.symbols
        return admin.instrument(symbols[int(events["instrument"][-1])])

    return stack, ask


@pytest.mark.parametrize(
    "whose", [of_the_capture, of_the_publisher, of_the_gateway, of_an_operator]
)
def test_a_listing_is_known_at_once_and_no_command_is_read_twice(
    venue: ThreadVenue,
    reader: type[CountingReader],
    whose: Callable[[ThreadVenue], tuple[Any, Ask]],
) -> None:
    names, ask = whose(venue)
    try:
        assert ask(venue.events()[-1:]).symbol in SYMBOLS
        for number in range(3):
            venue.send(commands(listing(NEW + number, f"NEW{number}", "0.5")), LANE_ADMIN)
            found = ask(venue.events()[-1:])
            assert found == Instrument(NEW + number, f"NEW{number}", "0.5", "1", "USD")
    finally:
        names.close()
    assert reader.opened == 1
    assert reader.commands == venue.bus.status()["commands"]


def test_a_known_name_reads_nothing(venue: ThreadVenue, reader: type[CountingReader]) -> None:
    with closing(Listing(venue.config.journal_dir)) as listed:
        listed.learn(range(NEW))
        before = reader.commands
        venue.send(order_flow(2, 100))
        listed.learn(range(NEW))
        assert reader.commands == before
    with JournalDirectory(venue.config.journal_dir) as source:
        assert source.read_on().count == 4 * NEW + len(ACCOUNTS)


def test_names_are_found_both_ways_and_keep_what_they_were_given_first() -> None:
    names = Directory(symbols={0: "AAA"}, ticks={0: "0.01"})
    names.update(
        commands(
            [
                text(Text.SYMBOL, 0, "renamed"),
                text(Text.SYMBOL, 1, "AAA"),
                text(Text.SYMBOL, 1, "BBB"),
                text(Text.ACCOUNT, 7, "AAA"),
            ]
        )
    )
    assert names.numbers(Text.SYMBOL) == {"AAA": 0, "BBB": 1}
    assert [names.number(Text.ACCOUNT, name) for name in ("AAA", "BBB")] == [7, None]
    assert names == Directory(symbols={0: "AAA", 1: "BBB"}, ticks={0: "0.01"}, accounts={7: "AAA"})
    assert names.count == 4


def test_an_instrument_is_what_the_names_say_so_far() -> None:
    names = Directory()
    assert names.instrument(3) == Instrument(3, "3", "1", "1", "")
    names.update(commands([text(Text.SYMBOL, 3, "CCC")]))
    assert names.instruments() == {3: Instrument(3, "CCC", "1", "1", "")}
    names.update(commands([text(Text.TICK_SIZE, 3, "0.25"), text(Text.CURRENCY, 3, "EUR")]))
    assert names.instrument(3) == Instrument(3, "CCC", "0.25", "1", "EUR")
