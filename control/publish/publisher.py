"""The publisher: market data from events to ZeroMQ, and snapshots for whoever asks.

   event ring ──► EventFeed ──► Mirror ──► PUB     one topic per instrument and kind
                                   └─────► ROUTER  a snapshot per request

At its start it rebuilds the mirror from the journal's first event, in silence, and then publishes
what is new. One thread owns the mirror and the sockets; each socket's context has an input thread
of its own. A slow subscriber loses messages and finds out by their numbers; nobody who connects
holds up the publisher. `publish.json` in the data directory tells how it fares.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import zmq

from touchline.config import Config
from touchline.control.publish.doorman import Doorman
from touchline.control.publish.gatekeeper import Gatekeeper
from touchline.control.publish.listing import Listing
from touchline.control.publish.snapshots import Snapshots
from touchline.control.publish.sockets import (
    IPC,
    LINGER_MS,
    TICKS_A_SECOND,
    Context,
    endpoint_of,
    open_outlet,
    open_pub,
    open_router,
)
from touchline.control.publish.state import FILE_NAME, PublisherState, write_state
from touchline.control.supervisor.mirrors import mirror_of
from touchline.control.supervisor.ticker import Ticker, wait_for_events
from touchline.errors import describe
from touchline.marketdata.address import tcp_address
from touchline.marketdata.keys import ALLOWED, VENUE, AllowedKeys, Pair, load_pair
from touchline.marketdata.layout import HEARTBEAT_TOPIC
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed

EVENTS_MAX = 4096  # in one batch
BATCHES_A_TURN = 8  # before requests and strangers are looked at
WAIT_S = 0.02  # how long a snapshot request may wait while nothing trades
STATE_S = 1.0  # between two writings of publish.json
PUB_PEER_BYTES_MAX = 1 << 20  # of subscriptions on one connection
SNAPSHOT_PEER_BYTES_MAX = 2 << 20  # of requests on one connection

log = logging.getLogger(__name__)


class Publisher:
    """Mirror, sockets and the numbers of the topics. Use as a context manager.

    `publish`, `snapshot`: the addresses of the two ports; `keys`: the venue's pair and who is
    allowed, None for everybody; `history`: where and in how many bytes it is kept for those who
    ask, None for nowhere; `state_path`: where publish.json goes, None for nowhere. Raises
    OSError when an address cannot be bound, JournalCorrupt for a journal that is damaged.
    """

    def __init__(
        self, feed: EventFeed, journal_dir: Path, *,
        publish: Sequence[str], snapshot: Sequence[str],
        keys: tuple[Pair, AllowedKeys] | None = None, history: tuple[Path, int] | None = None,
        heartbeat_s: float = 1.0,
        state_path: Path | None = None,
    ) -> None:  # fmt: skip
        self.mirror = mirror_of(journal_dir)
        self.state = PublisherState()
        self._feed = feed
        self._listing = Listing(journal_dir)
        self._heartbeat_s = heartbeat_s
        self._state_path = state_path
        self._contexts: list[Context] = [zmq.Context(), zmq.Context()]
        self._heartbeat_wanted = False
        self._local: list[Path] = []  # sockets in files, ours to remove
        try:
            pair, allowed = keys or (None, None)
            self._gate = Gatekeeper(self._contexts, allowed) if allowed is not None else None
            self._pub = open_pub(self._contexts[0], publish, pair)
            router = open_router(self._contexts[1], snapshot, pair)
            self._outlet = open_outlet(self._pub, self.mirror, self._listing)
            self._snapshots = Snapshots(router, self.mirror, self._listing)
            self._snapshots.has_history = history is not None and self._keep(*history)
            self._doormen = (
                Doorman(self._contexts[0], self._pub, PUB_PEER_BYTES_MAX, False, keys is not None),
                Doorman(self._contexts[1], router, SNAPSHOT_PEER_BYTES_MAX, True, keys is not None),
            )
        except BaseException as error:
            self.state.error = describe(error)
            self._write()
            self.close()
            raise
        self._local = [
            Path(one.removeprefix(IPC)) for one in (*publish, *snapshot) if one.startswith(IPC)
        ]
        self.publish_endpoint = endpoint_of(self._pub)
        self.snapshot_endpoint = endpoint_of(router)

    def _keep(self, directory: Path, bytes_max: int) -> bool:
        """Keep what is published for those who ask; a disk that cannot holds nothing up."""
        try:
            self.mirror.keep(directory, bytes_max)
        except OSError as error:
            facts = {"directory": directory, "error": describe(error)}
            log.warning("no history of market data is kept", extra={"facts": facts})
            return False
        return True

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if error is not None:
            self.state.error = describe(error)
            self.tell()
        self.close()

    def close(self) -> None:
        """Close the sockets, with some time for what subscribers have not got yet."""
        self._listing.close()
        for path in self._local:
            path.unlink(missing_ok=True)
        published, asked = self._contexts
        asked.destroy(linger=0)
        published.destroy(linger=LINGER_MS)

    def serve(self, stop: threading.Event, head: int) -> None:
        """Catch up with event `head` in silence, then publish until told to stop, to the end."""
        self.state.head = head
        with (
            Ticker(self._heartbeat_s) as heartbeats,
            Ticker(1 / TICKS_A_SECOND) as ticks,
            Ticker(STATE_S) as telling,
        ):
            self.tell()
            self._catch_up(stop, head, telling)
            if self.mirror.event_seq < head:
                return
            while not stop.is_set():
                if not self.step() and not self._snapshots.busy:
                    wait_for_events(self._feed, stop, WAIT_S)
                self._attend(heartbeats, ticks, telling)
            while self.step():
                pass
            self._send_heartbeat()
            self.tell()

    def _catch_up(self, stop: threading.Event, head: int, telling: Ticker) -> None:
        while self.mirror.event_seq < head and not stop.is_set():
            if not self.step(silent=True):
                wait_for_events(self._feed, stop, WAIT_S)
            if telling.due():
                self.tell()
                facts = {"event": self.mirror.event_seq, "of": head}
                log.info("publisher is catching up", extra={"facts": facts})
        self._listing.learn(self.mirror.numbers())

    def _attend(self, heartbeats: Ticker, ticks: Ticker, telling: Ticker) -> None:
        """What comes up between two batches: requests, heartbeats, strangers, publish.json."""
        # Whoever has just joined is told soon that it has everything.
        if self._snapshots.turn():
            self._heartbeat_wanted = True
        ticked = ticks.due()
        if heartbeats.due() or (ticked and self._heartbeat_wanted):
            self._send_heartbeat()
        if self._gate is not None:
            self._gate.turn()
        if ticked:
            self._snapshots.tick()
            self._look_at_strangers()
        if telling.due():
            self._look_at_keys()
            self.tell()

    def _look_at_strangers(self) -> None:
        for doorman in self._doormen:
            doorman.look()
        if self._gate is not None:
            self._gate.tick()

    def _look_at_keys(self) -> None:
        """Whoever has lost its permission is cut off, and for a moment so is everybody."""
        if self._gate is not None and self._gate.refresh():
            for doorman in self._doormen:
                doorman.cut_all()

    def step(self, silent: bool = False) -> int:
        """Publish the next events; returns how many there were. What the ring holds goes the whole
        way in C; what comes from the journal, and what is only to be known, batch by batch."""
        ring = self._feed.ring()
        if ring is not None:
            count = self._outlet.follow(ring, EVENTS_MAX, BATCHES_A_TURN, silent)
            self._feed.moved()
            if count:
                return count
        events = self._feed.read(EVENTS_MAX)
        done, count = 0, len(events)
        while done < count:
            done += self.mirror.apply(events[done:])
            if silent:
                self.mirror.discard()
                continue
            self._outlet.publish()
        return count

    def _send_heartbeat(self) -> None:
        self._heartbeat_wanted = False
        self._outlet.send(HEARTBEAT_TOPIC, self.mirror.heartbeat())

    def tell(self) -> None:
        """Write publish.json; a disk that is full or read-only holds nothing up."""
        state = self.state
        state.seq, state.ts_ns = self.mirror.event_seq, self.mirror.ts_ns
        state.dropped = self._outlet.dropped
        state.snapshots, state.refused = self._snapshots.answered, self._snapshots.dropped
        state.cut = sum(doorman.cut for doorman in self._doormen)
        state.turned_away = self._gate.refused if self._gate is not None else 0
        self._write()

    def _write(self) -> None:
        if self._state_path is None:
            return
        try:
            write_state(self._state_path, self.state)
        except OSError as error:
            facts = {"file": self._state_path, "error": describe(error)}
            log.warning("the publisher's state is not written", extra={"facts": facts})


def addresses(config: Config, port: str, number: int) -> list[str]:
    """Where a port is to be had: on a local socket if there is a directory for it, and on TCP."""
    settings = config.publish
    local = settings.ipc_path(config.venue.name, port)
    if local is not None:
        local.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    found = [] if local is None else [f"ipc://{local}"]
    return [*found, tcp_address(settings.host, number)]


def keys_of(config: Config) -> tuple[Pair, AllowedKeys]:
    """The venue's pair and who is allowed; TouchlineError naming the file that is not as it
    should be."""
    pair = load_pair(config.keys_dir / f"{VENUE}.key_secret")
    return pair, AllowedKeys(config.keys_dir / ALLOWED, pair.public)


def run(config: Config, stop: threading.Event) -> int:
    """Publish until told to stop. Raises OSError when the venue or an address is not there."""
    with Bus.attach(config.bus_path) as bus:
        head = int(bus.status()["events"])
    settings = config.publish
    with (
        EventFeed(config.bus_path, config.journal_dir) as feed,
        Publisher(
            feed,
            config.journal_dir,
            publish=addresses(config, "pub", settings.pub_port),
            snapshot=addresses(config, "snapshot", settings.snapshot_port),
            keys=keys_of(config) if settings.curve else None,
            history=(config.venue.data_dir, settings.history_mb << 20)
            if settings.history_mb
            else None,
            state_path=config.venue.data_dir / FILE_NAME,
        ) as publisher,
    ):
        publisher.serve(stop, head)
    return 0
