"""The book on its own equals a plain list of orders, and says no to what it cannot hold."""

from __future__ import annotations

import random

import pytest

from touchline import Side
from touchline.core.book import Book

BUY, SELL = Side.BUY, Side.SELL


class PlainBook:
    """Orders as (price, age, order_id, leaves_qty) in lists: what a Book must look like."""

    def __init__(self) -> None:
        self.orders: dict[int, list[int]] = {}
        self.sides: dict[int, Side] = {}

    def queue(self, side: Side) -> list[tuple[int, int, int]]:
        """(price, order_id, leaves_qty), best price first, oldest first."""
        sign = -1 if side == BUY else 1
        of_side = [(p, i, q) for i, (p, q) in self.orders.items() if self.sides[i] == side]
        return sorted(of_side, key=lambda order: sign * order[0])

    def depth(self, side: Side) -> list[tuple[int, int, int]]:
        levels: dict[int, list[int]] = {}
        for price, _, qty in self.queue(side):
            levels.setdefault(price, []).append(qty)
        return [(price, sum(qtys), len(qtys)) for price, qtys in levels.items()]


def test_any_sequence_leaves_the_queues_a_plain_list_has(seed: int) -> None:
    numbers = random.Random(seed)
    book, plain = Book(orders_max=200, price_blocks_max=12), PlainBook()
    for _ in range(5000):
        if plain.orders and numbers.random() < 0.45:
            order_id = numbers.choice(list(plain.orders))
            order = plain.orders[order_id]
            qty = numbers.choice([order[1], numbers.randint(1, order[1])])
            order[1] -= qty
            assert book.reduce(order_id, qty) == order[1]
            if order[1] == 0:
                del plain.orders[order_id]
        elif len(plain.orders) < 200:
            side = numbers.choice([BUY, SELL])
            price = numbers.randint(700, 860) + (100 if side == SELL else -100)
            qty = numbers.randint(1, 50)
            order_id = book.enter(side, price, qty)
            assert order_id not in plain.orders
            plain.orders[order_id], plain.sides[order_id] = [price, qty], side
        for side in (BUY, SELL):
            queue = plain.queue(side)
            assert book.oldest(side) == (queue[0][1] if queue else 0)
            assert book.best(side) == (queue[0][0] if queue else 0)
    assert len(book) == len(plain.orders)
    for side in (BUY, SELL):
        depth = book.depth(side, 1000)
        assert [tuple(row) for row in depth[["price", "qty", "orders"]].tolist()] == plain.depth(
            side
        )
        ahead: dict[int, int] = {}
        for price, order_id, qty in plain.queue(side):
            assert book.ahead(order_id) == ahead.get(price, 0)
            ahead[price] = ahead.get(price, 0) + qty


def test_a_canceled_order_is_unknown_and_its_place_is_used_again() -> None:
    book = Book(orders_max=1)
    first = book.enter(BUY, 10, 5)
    assert book.cancel(first) == 5
    second = book.enter(BUY, 10, 5)
    assert second != first
    with pytest.raises(ValueError, match=f"no order {first}"):
        book.cancel(first)
    assert book.cancel(second) == 5
    assert len(book) == 0


@pytest.mark.parametrize(
    ("side", "price", "qty", "why"),
    [
        (ord("3"), 10, 1, "side 51 is neither"),
        (BUY, 0, 1, "price 0 is outside 1 to 1073741823 ticks"),
        (BUY, 1 << 30, 1, "price 1073741824 is outside"),
        (BUY, 10, 0, "qty 0 is outside 1 to 2147483647 lots"),
        (BUY, 10, 1 << 31, "qty 2147483648 is outside"),
        (BUY, 20, 1, "price 20 crosses the other side's best, 20"),
        (SELL, 9, 1, "price 9 crosses the other side's best, 9"),
        (BUY, 8, 1, "all 2 places for orders are taken"),
    ],
)
def test_an_order_the_book_cannot_hold_is_refused(
    side: int, price: int, qty: int, why: str
) -> None:
    book = Book(orders_max=2)
    book.enter(BUY, 9, 1)
    book.enter(SELL, 20, 1)
    with pytest.raises(ValueError, match=why):
        book.enter(side, price, qty)
    assert (book.best(BUY), book.best(SELL), len(book)) == (9, 20, 2)


def test_a_block_of_prices_too_many_is_refused() -> None:
    book = Book(price_blocks_max=1)
    book.enter(BUY, 31, 1)
    with pytest.raises(ValueError, match="all 1 blocks of price levels are taken"):
        book.enter(SELL, 32, 1)


def test_more_than_an_order_has_is_not_taken_off() -> None:
    book = Book()
    order_id = book.enter(BUY, 9, 5)
    with pytest.raises(ValueError, match="qty 6 is outside 1 to 5 lots"):
        book.reduce(order_id, 6)
    assert book.reduce(order_id, 2) == 3


@pytest.mark.parametrize(
    "capacities", [{"orders_max": 0}, {"price_blocks_max": 0}, {"orders_max": 1 << 27}]
)
def test_a_book_of_no_size_is_refused(capacities: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="is outside 1 to"):
        Book(**capacities)
