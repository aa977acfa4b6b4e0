"""The journal's past, taken in by the batch: what every order came to, without a report.

For the part of the journal that all sessions have been told of, which at a start is nearly all of
it. `take` refuses the first batch with an event that somebody still has to be told of, and from
there on `Orders` goes through the events one by one. Both lead to the same tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from touchline.config import SESSIONS_MAX
from touchline.core.messages import (
    LANE_FIX,
    TEXT_LANES,
    ExecType,
    MsgType,
    Text,
    text_commands,
)
from touchline.fix.archive import NAME_BYTES, NO_ORDER, ORDER, REQUEST, Archive, Rows

PENDING, ACCEPTED, REFUSED = range(3)
LANE_BITS = 32
_TOLD_ALL = np.iinfo(np.uint64).max
_ENDED = (ExecType.CANCELED, ExecType.EXPIRED)
_STATUS_NEW, _STATUS_PARTLY, _STATUS_FILLED, _STATUS_REFUSED = (ord(c) for c in "0128")
_NAMED = np.dtype([("number", "<u8"), ("session", "<u2"), ("name", f"S{NAME_BYTES}")])
CL_ORD_ID = 11  # the tag of what a ClOrdID longer than a text goes on with
Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Numbers in order, and what belongs to each."""

    keys: Numbers
    values: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Numbers, values: NDArray[np.int64]) -> _Lookup:
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], values[order])

    def find(self, wanted: Numbers) -> NDArray[np.int64]:
        """The value of each, of equal keys the last; -1 where there is none."""
        if not len(self.keys):
            return np.full(len(wanted), -1)
        at = np.searchsorted(self.keys, wanted, side="right") - 1
        return np.where((at >= 0) & (self.keys[at] == wanted), self.values[at], -1)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The requests among a batch of commands, not added to the archive yet."""

    numbers: _Lookup  # cl_ord_id to the place in `requests`
    requests: Rows
    orders: Rows
    owner: _Lookup  # order_id to the row of its order, those of this batch included


class Past:
    """Fills an archive. `open_orders` maps the OrderIDs of open orders to their rows."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._open = _Lookup.of(np.zeros(0, np.uint64), np.zeros(0, np.int64))
        self._texts = np.zeros(0, _NAMED)
        self._unknown: list[tuple[int, int]] = []  # a refused change's row, the OrderID it named

    @property
    def open_orders(self) -> dict[int, int]:
        return dict(zip(self._open.keys.tolist(), self._open.values.tolist(), strict=True))

    @property
    def names(self) -> dict[int, tuple[int, str]]:
        """ClOrdIDs whose command comes in the next batch."""
        return {
            int(text["number"]): (int(text["session"]), bytes(text["name"]).decode())
            for text in self._texts
        }

    def take(self, commands: Rows, events: Rows, marks: Mapping[int, int]) -> bool:
        """Take a batch in, unless one of its events is beyond the mark of the session it is for.

        A session without a mark is told nothing. False: nothing was taken.
        """
        batch, left = self._read(commands, events)
        if self._owed(batch, events, marks):
            return False
        self._texts = left
        self._add(batch, events)
        return True

    def finish(self) -> None:
        """Find the orders that refused changes named when these were over already."""
        if not self._unknown:
            return
        rows, ids = np.array(self._unknown, np.uint64).T
        orders = self._archive.orders
        dead = _Lookup.of(orders["order_id"].astype(np.uint64), np.arange(len(orders)))
        found = dead.find(ids)
        self._archive.requests["order"][rows[found >= 0].astype(np.int64)] = found[found >= 0]
        self._unknown.clear()

    def _read(self, commands: Rows, events: Rows) -> tuple[_Batch, Rows]:
        named = self._named(commands)
        asked = commands[
            np.isin(commands["type"], (MsgType.NEW_ORDER, MsgType.CANCEL, MsgType.REPLACE))
            & (commands["cl_ord_id"] >> LANE_BITS == LANE_FIX)
        ]
        at = _Lookup.of(named["number"], np.arange(len(named))).find(asked["cl_ord_id"])
        asked, at = asked[at >= 0], at[at >= 0]
        requests = np.zeros(len(asked), REQUEST)
        requests["name"], requests["session"] = named["name"][at], named["session"][at]
        requests["msg_type"], requests["state"] = asked["type"], REFUSED
        numbers = _Lookup.of(asked["cl_ord_id"], np.arange(len(asked)))
        new = np.flatnonzero(asked["type"] == MsgType.NEW_ORDER)
        first = len(self._archive.orders)
        requests["order"] = NO_ORDER
        requests["order"][new] = first + np.arange(len(new))
        orders = _orders(asked[new], requests[new])
        orders["request"] = len(self._archive.requests) + new
        accepted = events[events["exec_type"] == ExecType.NEW]
        place = numbers.find(accepted["cl_ord_id"])
        ids, rows = accepted["order_id"][place >= 0], requests["order"][place[place >= 0]]
        orders["order_id"][rows - np.uint32(first)] = ids
        owner = _Lookup.of(
            np.concatenate((self._open.keys, ids)),
            np.concatenate((self._open.values, rows.astype(np.int64))),
        )
        left = np.delete(named, at)
        return _Batch(numbers, requests, orders, owner), left

    def _named(self, commands: Rows) -> Rows:
        """The ClOrdIDs that texts give: number, session and name."""
        texts = text_commands(commands)
        texts = texts[texts["side"] % TEXT_LANES == LANE_FIX]
        rest = texts[(texts["field"] == Text.REQUEST_FIELD) & (texts["flags"] == CL_ORD_ID)]
        texts = texts[texts["field"] == Text.CL_ORD_ID]
        texts = texts[_are_names(texts["text"])]
        named = np.zeros(len(self._texts) + len(texts), self._texts.dtype)
        fresh = named[len(self._texts) :]
        named[: len(self._texts)] = self._texts
        fresh["number"] = texts["key"].astype(np.uint64) | np.uint64(LANE_FIX << LANE_BITS)
        fresh["session"] = texts["flags"] | texts["side"].astype("u2") // TEXT_LANES << 8
        fresh["name"] = texts["text"]
        numbers = rest["key"].astype(np.uint64) | np.uint64(LANE_FIX << LANE_BITS)
        at = _Lookup.of(named["number"], np.arange(len(named))).find(numbers)
        for row, text in zip(at[at >= 0].tolist(), rest["text"][at >= 0].tolist(), strict=True):
            named["name"][row] += text
        return named

    def _owed(self, batch: _Batch, events: Rows, marks: Mapping[int, int]) -> bool:
        told = np.full(SESSIONS_MAX, _TOLD_ALL, np.uint64)
        for session, mark in marks.items():
            told[session] = mark
        of_order = np.concatenate((self._archive.orders["session"], batch.orders["session"]))
        key = events["seq"] * np.uint64(4)
        kinds = events["exec_type"]
        answer = np.isin(kinds, (ExecType.NEW, ExecType.REJECTED, ExecType.CANCEL_REJECTED))
        place = batch.numbers.find(events["cl_ord_id"])
        mine = answer & (place >= 0)
        if np.any(key[mine] > told[batch.requests["session"][place[mine]]]):
            return True
        change = np.isin(kinds, (*_ENDED, ExecType.REPLACED))
        trade = np.isin(kinds, (ExecType.TRADE, ExecType.DECREMENTED))
        digit = (events["side"] - np.uint8(ord("0"))).astype(np.uint64)
        for chosen, ids, extra in (
            (change, "order_id", np.zeros(len(events), np.uint64)),
            (trade, "order_id", digit),
            (trade, "contra_order_id", np.uint64(3) - digit),
        ):
            row = batch.owner.find(events[ids][chosen])
            held = row >= 0
            if np.any((key + extra)[chosen][held] > told[of_order[row[held]]]):
                return True
        return False

    def _add(self, batch: _Batch, events: Rows) -> None:
        self._archive.add_orders(batch.orders)
        first = self._archive.add_requests(batch.requests)
        orders = self._archive.orders
        kinds = events["exec_type"]
        place = batch.numbers.find(events["cl_ord_id"])
        self._answered(events, place, first, batch)
        touched = [batch.owner.find(events["order_id"][kinds == ExecType.NEW])]
        trades = events[kinds == ExecType.TRADE]
        for name in ("order_id", "contra_order_id"):
            row = batch.owner.find(trades[name])
            held = row >= 0
            qty, price = trades["qty"][held].astype(np.int64), trades["price"][held]
            np.add.at(orders["cum_qty"], row[held], qty)
            np.add.at(orders["notional"], row[held], qty * price)
            touched.append(row)
        replaced = events[kinds == ExecType.REPLACED]
        row = batch.owner.find(replaced["order_id"])
        held = row >= 0
        orders["price"][row[held]] = replaced["price"][held]
        orders["order_qty"][row[held]] = replaced["qty"][held]
        orders["replaced"][row[held]] = 1
        touched.append(row)
        since = np.zeros(len(orders), np.uint64)
        since[row[held]] = replaced["seq"][held]
        lessened = self._lessened(batch, events, since)
        touched.append(lessened)
        self._restate(np.unique(np.concatenate(touched)))
        gone = lessened[orders["leaves_qty"][lessened] == 0]
        orders["ord_status"][gone] = int(ExecType.CANCELED)
        ended = events[np.isin(kinds, _ENDED)]
        row = batch.owner.find(ended["order_id"])
        orders["leaves_qty"][row[row >= 0]] = 0
        orders["ord_status"][row[row >= 0]] = ended["exec_type"][row >= 0]
        still = orders["leaves_qty"][batch.owner.values] > 0
        self._open = _Lookup(batch.owner.keys[still], batch.owner.values[still])

    def _answered(self, events: Rows, place: NDArray[np.int64], first: int, batch: _Batch) -> None:
        """What became of the requests: the order a change was for, and its new ClOrdID."""
        orders, requests = self._archive.orders, self._archive.requests
        kinds, mine = events["exec_type"], place >= 0
        request = first + place
        requests["state"][request[mine & (kinds == ExecType.NEW)]] = ACCEPTED
        refused = request[mine & (kinds == ExecType.REJECTED)]
        orders["ord_status"][requests["order"][refused]] = _STATUS_REFUSED
        row = batch.owner.find(events["order_id"])
        change = mine.copy()
        change[mine] = requests["msg_type"][request[mine]] != MsgType.NEW_ORDER
        taken = change & np.isin(kinds, (*_ENDED, ExecType.REPLACED))
        requests["state"][request[taken]] = ACCEPTED
        taken &= row >= 0
        orders["request"][row[taken]] = request[taken]
        denied = mine & (kinds == ExecType.CANCEL_REJECTED)
        for chosen in (taken, denied & (row >= 0)):
            requests["order"][request[chosen]] = row[chosen]
        lost = denied & (row < 0) & (events["order_id"] > 0)
        ids = events["order_id"][lost].tolist()
        self._unknown += zip(request[lost].tolist(), ids, strict=True)

    def _lessened(
        self, batch: _Batch, events: Rows, since: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        """The orders that are less by what was not traded (rule 10.5), and less they are; a replace
        after it, as of the number in `since`, has said their quantity anew."""
        found = [np.empty(0, np.int64)]
        chosen = events[events["exec_type"] == ExecType.DECREMENTED]
        for name in ("order_id", "contra_order_id"):
            row = batch.owner.find(chosen[name])
            held = row >= 0
            found.append(row[held])
            held[held] = chosen["seq"][held] > since[row[held]]
            lots = chosen["qty"][held].astype(np.int64)
            np.subtract.at(self._archive.orders["order_qty"], row[held], lots)
        return np.concatenate(found)

    def _restate(self, rows: NDArray[np.int64]) -> None:
        """Open quantity and status of orders that were entered, traded or replaced."""
        rows = rows[rows >= 0]
        orders = self._archive.orders
        leaves = np.maximum(orders["order_qty"][rows] - orders["cum_qty"][rows], 0)
        orders["leaves_qty"][rows] = leaves
        partly = np.where(orders["cum_qty"][rows] > 0, _STATUS_PARTLY, _STATUS_NEW)
        orders["ord_status"][rows] = np.where(leaves == 0, _STATUS_FILLED, partly)


def _are_names(texts: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which are UTF-8: the engine refuses what is not, an older journal may hold it."""
    letters = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.itemsize)
    are: NDArray[np.bool_] = ~np.any(letters >= 0x80, axis=1)
    for at in np.flatnonzero(~are):
        with contextlib.suppress(UnicodeDecodeError):
            bytes(texts[at]).decode("utf-8")
            are[at] = True
    return are


def _orders(commands: Rows, requests: Rows) -> Rows:
    """The orders that NewOrderSingles asked for, before any answer."""
    orders = np.zeros(len(commands), ORDER)
    for name in ("price", "account", "instrument", "side", "ord_type", "time_in_force"):
        orders[name] = commands[name]
    orders["order_qty"] = commands["qty"]
    orders["session"] = requests["session"]
    orders["ord_status"] = ord("A")
    return orders
