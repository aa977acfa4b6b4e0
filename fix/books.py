"""Books of market data for a gateway that was started without any.

When a session is allowed market data while the gateway runs, a thread builds the books from the
journal. The acceptor goes on meanwhile; it takes them when they are nearly where it is, reads the
rest in the ring, and gives market data from then on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from touchline.core.capacities import EngineCapacities
from touchline.fix.settings import GatewaySettings
from touchline.marketdata.mirror import Mirror
from touchline.runtime.feed import EventFeed
from touchline.wire.fix_server import FixServer

LOG = logging.getLogger("touchline.fix")
AT_ONCE = 16_384
NEAR = 2048  # events that the acceptor may have to read itself
PAUSE_S = 0.001


class LateBooks:
    """Sees to it that there are books once they are wanted. close() ends what is under way."""

    def __init__(
        self, settings: GatewaySettings, server: FixServer, sizes: Callable[[], EngineCapacities]
    ) -> None:
        self._settings = settings
        self._server = server
        self._sizes = sizes
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed = False

    def look(self) -> None:
        """They are wanted: begin to build them, if there are none and none are on the way."""
        building = self._thread is not None and self._thread.is_alive()
        if building or self._failed or self._server.books_state != "none":
            return
        LOG.info("market data is wanted: its books are built from the journal")
        self._thread = threading.Thread(target=self._guarded, name="fix-books", daemon=True)
        self._thread.start()

    def try_again(self) -> None:
        """What failed may go well with what is configured now."""
        self._failed = False

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _guarded(self) -> None:
        try:
            self._build()
        except Exception:
            self._failed = True  # orders go on
            LOG.exception("there is no market data over FIX: its books could not be built")

    def _build(self) -> None:
        settings, sizes, in_ring = self._settings, self._sizes(), False
        books = Mirror(
            instruments_max=sizes.instruments_max,
            orders_max=sizes.orders_max,
            price_blocks_max=sizes.price_blocks_max,
        )
        with EventFeed(settings.bus_path, settings.journal_dir, 1) as feed:
            while not self._stop.is_set():
                missing = self._server.status().events - books.event_seq
                if missing == 0 or (in_ring and missing <= NEAR):
                    self._server.take_books(books)
                    return
                events = feed.read(min(missing, AT_ONCE))
                in_ring = not feed.behind
                if not len(events):
                    self._stop.wait(PAUSE_S)
                while len(events):
                    events = events[books.apply(events) :]
