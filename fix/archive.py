"""What is over and must still be known: every ClOrdID ever used, and how each dead order ended.

Rows of two tables, a request's and an order's, in arrays that double when they are full: 73 bytes
a request and 73 an order, and 8 to 16 for the index that finds a request by session and ClOrdID
(open addressing, the number of a row plus one in each slot). No Python object is kept for a row.
The caller guards it: one thread at a time.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

NAME_BYTES = 64  # of a ClOrdID
NO_ORDER = 0xFFFFFFFF
REQUEST = np.dtype(
    [
        ("name", f"S{NAME_BYTES}"),
        ("order", "<u4"),  # row of the order it entered, changed or named; NO_ORDER
        ("session", "<u2"),
        ("state", "u1"),
        ("msg_type", "u1"),
    ]
)
ORDER = np.dtype(
    [
        ("order_id", "<u8"),
        ("price", "<i8"),
        ("order_qty", "<i8"),
        ("leaves_qty", "<i8"),
        ("cum_qty", "<i8"),
        ("notional", "<i8"),
        ("account", "<u4"),
        ("request", "<u4"),  # row of the latest accepted request, whose ClOrdID the order has
        ("instrument", "<u2"),
        ("session", "<u2"),
        ("side", "u1"),
        ("ord_type", "u1"),
        ("time_in_force", "u1"),
        ("ord_status", "u1"),
        ("replaced", "u1"),
    ]
)
_FIRST_ROWS = 1024
_AT_ONCE = 1 << 16
_MULTIPLIER = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_WORDS = struct.Struct("<8Q")
Rows = NDArray[np.void]


class Table:
    """Rows of one dtype, added at the end."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._rows = np.zeros(_FIRST_ROWS, dtype)
        self.count = 0

    @property
    def rows(self) -> Rows:
        """The rows so far, shape (count,); a view to read and change, until rows are added."""
        return self._rows[: self.count]

    def add(self, rows: Rows) -> int:
        """Put rows at the end; the number of the first."""
        first, count = self.count, self.count + len(rows)
        if count > len(self._rows):
            grown = np.zeros(max(count, 2 * len(self._rows)), self._rows.dtype)
            grown[:first] = self._rows[:first]
            self._rows = grown
        self._rows[first:count] = rows
        self.count = count
        return first


class Archive:
    """Requests by session and ClOrdID, and the orders they were for."""

    def __init__(self) -> None:
        self._requests = Table(REQUEST)
        self._orders = Table(ORDER)
        self._slots = np.zeros(4 * _FIRST_ROWS, np.uint32)

    @property
    def requests(self) -> Rows:
        """All requests, in the order added."""
        return self._requests.rows

    @property
    def orders(self) -> Rows:
        """All orders, in the order added."""
        return self._orders.rows

    def add_orders(self, rows: Rows) -> int:
        """Add orders; the number of the first row."""
        return self._orders.add(rows)

    def add_requests(self, rows: Rows) -> int:
        """Add requests so that `find` knows them; the number of the first row."""
        first = self._requests.add(rows)
        if 2 * self._requests.count > len(self._slots):
            self._slots = np.zeros(_power_of_two(4 * self._requests.count), np.uint32)
            self._index_from(0)
        else:
            self._index_from(first)
        return first

    def find(self, session: int, name: bytes) -> int | None:
        """The row of the request of that ClOrdID; of several, the last."""
        found, mask = None, len(self._slots) - 1
        at = _hash(session, name) & mask
        while row := int(self._slots[at]):
            request = self._requests.rows[row - 1]
            if request["session"] == session and request["name"] == name:
                found = row - 1 if found is None else max(found, row - 1)
            at = (at + 1) & mask
        return found

    def _index_from(self, first: int) -> None:
        for start in range(first, self._requests.count, _AT_ONCE):
            self._index(start, min(start + _AT_ONCE, self._requests.count))

    def _index(self, first: int, last: int) -> None:
        """Enter these rows; those that meet an occupied slot try the next one."""
        rows = np.arange(first, last, dtype=np.uint32)
        mask = np.uint64(len(self._slots) - 1)
        at = _hashes(self._requests.rows[first:last]) & mask
        while len(rows):
            free = self._slots[at] == 0
            self._slots[at[free]] = rows[free] + np.uint32(1)
            left = self._slots[at] != rows + np.uint32(1)
            rows, at = rows[left], (at[left] + np.uint64(1)) & mask


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _hash(session: int, name: bytes) -> int:
    value = session
    for word in _WORDS.unpack(name.ljust(_WORDS.size, b"\0")):
        value = ((value ^ word) * _MULTIPLIER) & _MASK
        value ^= value >> 29
    return value


def _hashes(requests: Rows) -> NDArray[np.uint64]:
    """The same for many, from the bytes as they lie in the rows."""
    padded = np.zeros((len(requests), _WORDS.size), np.uint8)
    names = np.ascontiguousarray(requests["name"])
    padded[:, :NAME_BYTES] = names.view(np.uint8).reshape(-1, NAME_BYTES)
    value: NDArray[np.uint64] = requests["session"].astype(np.uint64)
    for word in padded.view(np.uint64).T:
        value = (value ^ word) * np.uint64(_MULTIPLIER)
        value ^= value >> np.uint64(29)
    return value
