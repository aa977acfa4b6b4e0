"""Orders with terms by name and decimal, and what their reports say."""

from decimal import Decimal

import pytest

from touchline import ContingencyType, Market, Side
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


def test_a_bracket_gets_out_of_what_its_entry_got_into(market: Market) -> None:
    market.sell("AAA", 5, "10.05", account="ACC1")
    entry = market.buy("AAA", 5, account="ACC2", cl_ord_id=1, contingency=ContingencyType.OTO)
    profit = market.sell("AAA", 5, "10.20", account="ACC2", cl_ord_id=2,
                         contingency=ContingencyType.OTO, cl_ord_link_id=1)  # fmt: skip
    loss = market.sell("AAA", 5, account="ACC2", stop_price="9.90", cl_ord_id=3,
                       contingency=ContingencyType.OUO_ABSOLUTE, cl_ord_link_id=2)  # fmt: skip
    assert entry.ord_status == OrdStatus.FILLED
    assert shown(market, Side.SELL) == [("10.20", "5")]
    market.buy("AAA", 2, "10.20", account="ACC1")
    assert [int(qty) for qty in (profit.cum_qty, loss.order_qty, loss.leaves_qty)] == [2, 3, 3]
    market.buy("AAA", 3, "10.20", account="ACC1")
    assert loss.leaves_qty == 0
    with pytest.raises(LookupError):
        market.open_order(loss)


def test_a_stop_price_trails_by_a_price_or_by_percent(market: Market) -> None:
    by_price = market.sell("AAA", 1, account="ACC1", stop_price="9.00", trail="0.10")
    by_percent = market.sell("AAA", 1, account="ACC1", stop_price="9.00", trail_percent="1.5")
    standing = [market.engine.order(order.order_id) for order in (by_price, by_percent)]
    assert [None if one is None else int(one["stop_price"]) for one in standing] == [990, 985]
    with pytest.raises(ValueError, match="not by both"):
        market.sell("AAA", 1, account="ACC1", stop_price="9.00", trail=1, trail_percent=1)
    with pytest.raises(ValueError, match="two decimals"):
        market.sell("AAA", 1, account="ACC1", stop_price="9.00", trail_percent="1.555")
