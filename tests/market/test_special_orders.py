"""Orders with terms by name and decimal, and what their reports say."""

from decimal import Decimal

import pytest

from touchline import Market, Side
from touchline.market import OrdStatus


@pytest.fixture
def market() -> Market:
    made = Market()
    made.list_instrument("AAA", "0.01")
    made.open_account("ACC1")
    made.open_account("ACC2")
    made.sell("AAA", 1, "10.00", account="ACC1")
    made.buy("AAA", 1, "10.00", account="ACC2")
    return made


def shown(market: Market, side: Side) -> list[tuple[str, str]]:
    return [(str(level.price), str(level.qty)) for level in market.depth("AAA", side)]


def test_an_iceberg_shows_a_part_and_its_report_knows_the_whole(market: Market) -> None:
    iceberg = market.sell("AAA", 10, "10.10", account="ACC1", display_qty=3)
    assert shown(market, Side.SELL) == [("10.10", "3")]
    taken = market.buy("AAA", 5, "10.10", account="ACC2")
    assert [str(fill.last_qty) for fill in taken.fills] == ["3", "2"]
    assert taken.ord_status == OrdStatus.FILLED
    assert iceberg.cum_qty == iceberg.leaves_qty == 5
    assert shown(market, Side.SELL) == [("10.10", "1")]


def test_a_hidden_order_is_not_in_the_book_and_trades(market: Market) -> None:
    hidden = market.buy("AAA", 5, "9.90", account="ACC1", hidden=True)
    assert shown(market, Side.BUY) == []
    assert market.sell("AAA", 2, "9.90", account="ACC2").avg_px == Decimal("9.90")
    assert hidden.leaves_qty == 3


def test_what_a_request_triggers_is_not_its_own(market: Market) -> None:
    market.sell("AAA", 1, "10.10", account="ACC1")
    market.sell("AAA", 9, "10.20", account="ACC1")
    stop = market.buy("AAA", 4, account="ACC2", stop_price="10.10")
    assert stop.ord_status == OrdStatus.NEW
    trigger = market.buy("AAA", 1, "10.10", account="ACC2")
    assert trigger.cum_qty == 1
    assert trigger.leaves_qty == 0
    assert len(trigger.fills) == 1
    assert trigger.ord_status == OrdStatus.FILLED
    assert trigger.text == ""
    assert stop.cum_qty == 4
    assert stop.avg_px == Decimal("10.20")
    assert stop.ord_status is not OrdStatus.NEW


def test_post_only_is_refused_or_slides(market: Market) -> None:
    market.sell("AAA", 1, "10.10", account="ACC1")
    refused = market.buy("AAA", 1, "10.10", account="ACC2", post_only=True)
    assert "would trade" in refused.text
    market.buy("AAA", 1, "10.20", account="ACC2", slide=True)
    assert shown(market, Side.BUY) == [("10.09", "1")]


def test_market_to_limit_rests_at_the_price_it_traded_at(market: Market) -> None:
    market.sell("AAA", 1, "10.10", account="ACC1")
    market.sell("AAA", 1, "10.11", account="ACC1")
    report = market.buy("AAA", 3, account="ACC2", to_limit=True)
    assert report.cum_qty == 1
    assert report.leaves_qty == 2
    assert shown(market, Side.BUY) == [("10.10", "2")]


def test_terms_that_contradict_each_other_are_errors(market: Market) -> None:
    with pytest.raises(ValueError, match="not for both"):
        market.buy("AAA", 1, account="ACC1", stop_price="10.10", touched_price="9.90")
    with pytest.raises(ValueError, match="no price of its own"):
        market.buy("AAA", 1, "10.00", account="ACC1", to_limit=True)
    assert "do not go together" in market.buy("AAA", 1, account="ACC1", hidden=True).text
