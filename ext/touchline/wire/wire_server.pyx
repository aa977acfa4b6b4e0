# cython: language_level=3, boundscheck=False, wraparound=False
"""The binary protocols for Python: set up, told what to do, asked how they are.

A WireServer has up to three loops, each one thread's, in run_orders(), run_feed() and
run_recovery(), without the GIL. Everything else may be called by others meanwhile unless it says
"before the loops run". It belongs to the process that made it.
"""

import errno
import os
import secrets
from typing import NamedTuple

import numpy as np

cimport numpy as cnp
from libc.string cimport memcpy, memset, strlen

from touchline.core.arguments cimport natural, path_bytes, seconds_in_ns, whole
from touchline.runtime.bus cimport tl_bus_error_text

from touchline.core.messages import COMMAND, EVENT, LANE_WIRE

cnp.import_array()

CANCEL_ON = ("off", "logout", "disconnect", "both")  # two bits
LOOPS = ("orders", "feed", "recovery")
STAMPS = ("off", "software", "hardware")
SUPPLY_MAX = TL_WIRE_SUPPLY_MAX
cdef uint32_t PENDING_MAX = 1 << 17
cdef uint32_t GLIMPSE_MAX = 64


class WireQuestion(NamedTuple):
    """A login: who is it? `loop` and `conn` are given back with the verdict."""

    loop: int
    conn: int
    username: str
    password: str
    address: str
    port: int


class WireSession(NamedTuple):
    """`length`: messages of its stream; `next`: the one that its peer is sent next."""

    on: bool
    length: int
    next: int
    received: int


cdef class WireServer(Owned):
    """Order entry over a bus and the lane that only it sends on; with open_feed() the feed, too.

    Settings, all by name: `ouch`, where to listen, "127.0.0.1:9900"; `session`, the streams' name,
    10 letters and digits; `directory` of the spools; the engine's `instruments_max`,
    `accounts_max`, `orders_max`; `sessions_max` of the journal; `connections_max`,
    `newcomers_max`; `login_s`; `spool_bytes` of one session; `busy_poll_us`; `spin`; `stamps`, one
    of STAMPS, and of the card of which `interface`.
    Raises OSError: EADDRINUSE, EINVAL.
    """

    def __cinit__(self, Bus bus not None, Lane lane not None, *, ouch, session, directory,
                  instruments_max, accounts_max, orders_max, sessions_max, connections_max,
                  newcomers_max=64, login_s=5.0, spool_bytes=1 << 32, busy_poll_us=0,
                  spin=False, stamps="off", interface=None):
        cdef tl_wire_orders_config config
        cdef tl_port_fault fault
        cdef bytes name = session.encode()
        bus.check_open()
        lane.check_open()
        self.bus = bus
        self.lane = lane
        self.kept = []
        memset(&config, 0, sizeof(config))
        memset(&fault, 0, sizeof(fault))
        if len(name) != 10:
            raise ValueError(f"session is {session!r}; 10 letters and digits are wanted")
        memcpy(config.session, <const char *>name, 10)
        config.local = self.keep(ouch)
        config.directory = self.keep(path_bytes(directory, "directory"))
        config.desk.instruments_max = <uint32_t>whole(
            instruments_max, "instruments_max", 1, 0xFFFFFFFF)
        config.desk.accounts_max = <uint32_t>whole(accounts_max, "accounts_max", 1, 0xFFFFFFFF)
        config.desk.orders_max = <uint32_t>whole(orders_max, "orders_max", 1, 0xFFFFFFFF)
        config.desk.sessions_max = <uint32_t>whole(sessions_max, "sessions_max", 1, 8192)
        config.desk.lane = <uint32_t>LANE_WIRE
        config.desk.pending_max = PENDING_MAX
        config.desk.key = <uint64_t>secrets.randbits(64)
        config.connections_max = <uint32_t>whole(connections_max, "connections_max", 1, 8192)
        config.newcomers_max = <uint32_t>whole(newcomers_max, "newcomers_max", 1, 4096)
        config.login_ns = seconds_in_ns(login_s, "login_s", 3600)
        config.spool_bytes_max = <uint64_t>whole(spool_bytes, "spool_bytes", 1 << 16, 1 << 42)
        config.tuning.busy_poll_us = <uint32_t>whole(busy_poll_us, "busy_poll_us", 0, 1_000_000)
        config.spin = bool(spin)
        config.tuning.stamps = <uint8_t>STAMPS.index(stamps)
        config.interface = self.keep(interface)
        cdef int code = tl_wire_door_open(&self.door)
        self.door_made = code == 0
        if code == 0:
            code = tl_wire_orders_open(&self.orders, &config, bus.bus, &lane.lane, &self.door,
                                       &fault)
        if code != 0:
            raise self.error(code, fault.text, str(ouch))

    def __dealloc__(self):
        self.release()

    cdef void release(self) noexcept:
        """Let go of all of it. Harmless when repeated."""
        tl_wire_recovery_close(self.recovery)
        tl_wire_feed_close(self.feed)
        tl_wire_orders_close(self.orders)
        self.recovery = NULL
        self.feed = NULL
        self.orders = NULL
        if self.door_made:
            tl_wire_door_close(&self.door)
        self.door_made = False

    cdef void abandon(self) noexcept:
        # Threads and locks are the parent's.
        self.recovery = NULL
        self.feed = NULL
        self.orders = NULL
        self.door_made = False

    cdef int check_open(self) except -1:
        self.check_here()
        if self.orders == NULL:
            raise ValueError("the server is closed")
        return 0

    cdef int check_idle(self) except -1:
        self.check_open()
        if self.running:
            raise RuntimeError("the server is running")
        return 0

    cdef object error(self, int code, const char *text, str what):
        """The exception for -errno: what the loop says of it, else the bus, else the system."""
        if code == -errno.ENOMEM:
            return MemoryError(what)
        if text == NULL or text[0] == 0:
            text = tl_bus_error_text(-code)
        said = os.strerror(-code) if text == NULL else (<bytes>text).decode(errors="replace")
        return OSError(-code, said, what)

    cdef const char *keep(self, object text) except? NULL:
        """The text for C, for as long as this lives."""
        if text is None:
            return NULL
        cdef bytes taken = text if isinstance(text, bytes) else str(text).encode()
        self.kept.append(taken)
        return taken

    def open_feed(self, *, session, directory, lines, instruments_max, orders_max,
                  price_blocks_max, interface=None, ttl=1, packet_max=1472, spool_bytes=1 << 36,
                  spin=False):
        """Have the feed too, sent to one or two `lines`, "239.192.0.1:26400". The engine's sizes;
        `packet_max` in bytes of UDP payload. Before the loops run. Raises OSError."""
        cdef tl_wire_feed_config config
        cdef tl_port_fault fault
        cdef bytes name = session.encode()
        self.check_idle()
        memset(&config, 0, sizeof(config))
        memset(&fault, 0, sizeof(fault))
        if len(name) != 10 or not 1 <= len(lines) <= TL_WIRE_LINES_MAX:
            raise ValueError("session has 10 characters, and there are one or two lines")
        memcpy(config.session, <const char *>name, 10)
        config.itch.instruments_max = <uint32_t>whole(
            instruments_max, "instruments_max", 1, 0xFFFFFFFF)
        config.itch.orders_max = <uint32_t>whole(orders_max, "orders_max", 1, 0xFFFFFFFF)
        config.itch.price_blocks_max = <uint32_t>whole(
            price_blocks_max, "price_blocks_max", 1, 0xFFFFFFFF)
        config.directory = self.keep(path_bytes(directory, "directory"))
        config.spool_bytes_max = <uint64_t>whole(spool_bytes, "spool_bytes", 1 << 16, 1 << 42)
        config.lines = <uint32_t>len(lines)
        for i, line in enumerate(lines):
            config.line[<int>i].to = self.keep(line)
            config.line[<int>i].interface = self.keep(interface)
            config.line[<int>i].ttl = <uint8_t>whole(ttl, "ttl", 0, 255)
            config.line[<int>i].loop = True
            config.line[<int>i].segments = True
        config.packet_max = <uint32_t>whole(packet_max, "packet_max", 72, 9000)
        config.spin = bool(spin)
        cdef int code = tl_wire_feed_open(&self.feed, &config, self.bus.bus, &self.door, &fault)
        if code != 0:
            raise self.error(code, fault.text, ", ".join(lines))

    def open_recovery(self, *, directory, stocks_max, orders_max, requests=None, glimpse=None,
                      requests_per_s=1000, packet_max=1472, login_s=5.0, stay_s=60.0,
                      spool_bytes=1 << 32):
        """Have requests answered and snapshots told, where these addresses are given; who has not
        read his in `stay_s` is sent off. After open_feed() and before the loops run. Raises
        OSError."""
        cdef tl_wire_recovery_config config
        cdef tl_port_fault fault
        self.check_idle()
        memset(&config, 0, sizeof(config))
        memset(&fault, 0, sizeof(fault))
        if self.feed == NULL:
            raise ValueError("there is no feed")
        config.request_local = self.keep(requests)
        config.glimpse_local = self.keep(glimpse)
        config.requests_per_s = <uint32_t>whole(
            requests_per_s, "requests_per_s", 1, 1_000_000)
        config.packet_max = <uint32_t>whole(packet_max, "packet_max", 72, 9000)
        config.glimpse_max = GLIMPSE_MAX
        config.stocks_max = <uint32_t>whole(stocks_max, "stocks_max", 1, 65535)
        config.orders_max = <uint32_t>whole(orders_max, "orders_max", 1, 1 << 26)
        config.login_ns = seconds_in_ns(login_s, "login_s", 3600)
        config.stay_ns = seconds_in_ns(stay_s, "stay_s", 86400)
        config.directory = self.keep(path_bytes(directory, "directory"))
        config.spool_bytes_max = <uint64_t>whole(spool_bytes, "spool_bytes", 1 << 16, 1 << 42)
        cdef int code = tl_wire_recovery_open(&self.recovery, &config, self.feed, &self.door,
                                              &fault)
        if code != 0:
            raise self.error(code, fault.text, f"{requests}, {glimpse}")

    def session(self, number, firms, *, throttle=0, cancel_on="off", cancel_grace_s=0):
        """A session: its number in the journal, its `firms`, pairs of an MPID of up to four
        characters and an account's number, of which the first is the usual one; messages a second
        (0: any number) and what its leaving ends (CANCEL_ON). Before replay(). Raises OSError."""
        cdef tl_wire_terms terms
        cdef tl_ouch_firm[16] made
        cdef bytes name
        self.check_idle()
        memset(&terms, 0, sizeof(terms))
        if not 1 <= len(firms) <= 16:
            raise ValueError("a session has 1 to 16 firms")
        for i, (mpid, account) in enumerate(firms):
            name = mpid.encode("ascii").ljust(4)
            if len(name) != 4:
                raise ValueError(f"{mpid!r} has more than four characters")
            memcpy(made[<int>i].name, <const char *>name, 4)
            made[<int>i].account = <uint32_t>whole(account, "account", 0, 0xFFFFFFFF)
        terms.session = <uint32_t>whole(number, "number", 0, 8191)
        terms.firms = made
        terms.firms_count = <uint32_t>len(firms)
        terms.throttle = <uint32_t>whole(throttle, "throttle", 0, 1_000_000_000)
        terms.cancel_on = <uint8_t>CANCEL_ON.index(cancel_on)
        terms.cancel_grace_ns = seconds_in_ns(cancel_grace_s, "cancel_grace_s", 86400)
        cdef int code = tl_wire_orders_session(self.orders, &terms)
        if code != 0:
            raise self.error(code, NULL, f"session {number}")

    def replay(self, commands, events):
        """A batch of the journal's commands, shape (n,), dtype COMMAND, and the events they caused,
        shape (m,), dtype EVENT, from the first on. Before the loops run. Raises OSError."""
        cdef int code
        self.check_idle()
        if commands.dtype != COMMAND or events.dtype != EVENT:
            raise TypeError("commands and events are of dtype COMMAND and EVENT")
        cdef cnp.ndarray some = np.ascontiguousarray(commands)
        cdef cnp.ndarray caused = np.ascontiguousarray(events)
        cdef const tl_command *first = <const tl_command *>cnp.PyArray_DATA(some)
        cdef const tl_event *first_event = <const tl_event *>cnp.PyArray_DATA(caused)
        cdef size_t count = len(some), events_count = len(caused)
        with nogil:
            code = tl_wire_orders_replay(self.orders, first, count, first_event, events_count)
        if code != 0:
            raise self.error(code, tl_wire_orders_fault(self.orders), "replay of orders")
        if self.feed == NULL:
            return
        with nogil:
            code = tl_wire_feed_replay(self.feed, first, count, first_event, events_count)
        if code != 0:
            raise self.error(code, tl_wire_feed_fault(self.feed), "replay of the feed")

    def stock_fault(self, instrument):
        """Why ITCH can not tell this instrument; None: it can, or there is no feed or no such
        instrument. Before the loops run."""
        cdef tl_stock_fault fault = TL_STOCK_FAULT_NONE
        self.check_idle()
        cdef uint16_t number = <uint16_t>whole(instrument, "instrument", 0, 65535)
        if self.feed == NULL or tl_wire_feed_stock(self.feed, number, &fault) == NULL:
            return None
        if fault == TL_STOCK_FAULT_NONE:
            return None
        return (<bytes>tl_stock_fault_text(fault)).decode()

    cdef int run_loop(self, int which, uint64_t first) except -1:
        cdef int code = 0
        cdef const char *text = NULL
        self.check_open()
        if (which == 1 and self.feed == NULL) or (which == 2 and self.recovery == NULL):
            raise ValueError("that loop was not opened")
        self.running += 1
        with nogil:
            if which == 0:
                code = tl_wire_orders_run(self.orders, first)
                text = tl_wire_orders_fault(self.orders)
            elif which == 1:
                code = tl_wire_feed_run(self.feed, first)
                text = tl_wire_feed_fault(self.feed)
            else:
                code = tl_wire_recovery_run(self.recovery)
        self.running -= 1
        if code != 0:
            raise self.error(code, text, LOOPS[which])
        return 0

    def run_orders(self, next_event):
        """Serve orders in the calling thread until stop(). `next_event`: the first event that was
        not replayed. Raises OSError when the world fails: ESTALE for a bus that was replaced."""
        self.run_loop(0, natural(next_event, "next_event"))

    def run_feed(self, next_event):
        """Tell the feed in the calling thread until stop(). As run_orders()."""
        self.run_loop(1, natural(next_event, "next_event"))

    def run_recovery(self):
        """Answer what the feed's listeners ask in the calling thread until stop()."""
        self.run_loop(2, 0)

    def stop(self):
        """Let the loops end."""
        self.check_open()
        if self.recovery != NULL:
            tl_wire_recovery_stop(self.recovery)
        if self.feed != NULL:
            tl_wire_feed_stop(self.feed)
        tl_wire_orders_stop(self.orders)

    def question(self, timeout_s=0.1):
        """The next WireQuestion, or None after timeout_s, and sooner when a loop wants names or
        events."""
        cdef tl_wire_question asked
        cdef int found
        cdef int64_t timeout_ns = seconds_in_ns(timeout_s, "timeout_s", 3600)
        self.check_open()
        with nogil:
            found = tl_wire_door_question(&self.door, &asked, timeout_ns)
        if not found:
            return None
        question = WireQuestion(asked.loop, asked.conn, _text(asked.username),
                                _text(asked.password), _text(asked.address), asked.port)
        memset(&asked, 0, sizeof(asked))
        return question

    def verdict(self, question, session=None):
        """Answer a question: it is this session, or, with None, nobody who may come in."""
        self.check_open()
        cdef uint32_t number = TL_WIRE_NOBODY
        if session is not None:
            number = <uint32_t>whole(session, "session", 0, 8191)
        tl_wire_door_answer(&self.door, <uint32_t>whole(question.loop, "loop", 0, 1),
                            <uint32_t>whole(question.conn, "conn", 0, 0xFFFFFFFF), number)

    @property
    def wants_names(self):
        """True while a loop waits for commands of the journal that name an instrument."""
        self.check_open()
        if self.feed != NULL and tl_wire_feed_wants_names(self.feed):
            return True
        return bool(tl_wire_orders_wants_names(self.orders))

    def names(self, commands):
        """The journal's TEXT and SECURITY_DEFINITION commands since those given before, shape (n,),
        dtype COMMAND. Raises OSError."""
        cdef int code
        self.check_open()
        if commands.dtype != COMMAND:
            raise TypeError("commands are of dtype COMMAND")
        cdef cnp.ndarray taken = np.ascontiguousarray(commands)
        cdef const tl_command *first = <const tl_command *>cnp.PyArray_DATA(taken)
        cdef size_t count = len(taken)
        with nogil:
            code = tl_wire_orders_names(self.orders, first, count)
            if code == 0 and self.feed != NULL:
                code = tl_wire_feed_names(self.feed, first, count)
        if code != 0:
            raise self.error(code, NULL, "names")

    cdef tl_wire_events *events_of(self, str loop) except NULL:
        self.check_open()
        if loop == "orders":
            return tl_wire_orders_events(self.orders)
        if loop == "feed" and self.feed != NULL:
            return tl_wire_feed_events(self.feed)
        raise ValueError(f"{loop!r} is no loop here that reads events")

    def lapped(self, loop):
        """Number of the event that this loop wants and the ring no longer holds; 0: it holds it."""
        return tl_wire_events_lapped(self.events_of(loop))

    def supply(self, loop, events):
        """Events from number lapped(loop) on, shape (n,), n up to SUPPLY_MAX, dtype EVENT; False:
        not now. Raises OSError for others."""
        if events.dtype != EVENT:
            raise TypeError("events are of dtype EVENT")
        cdef cnp.ndarray taken = np.ascontiguousarray(events)
        cdef int code = tl_wire_events_supply(
            self.events_of(loop), <const tl_event *>cnp.PyArray_DATA(taken), len(taken))
        if code == -errno.EAGAIN:
            return False
        if code != 0:
            raise self.error(code, NULL, "supply")
        return True

    @property
    def address(self):
        """Where orders are taken, as text."""
        cdef char[TL_PORT_ADDRESS_BYTES] text
        self.check_open()
        return _text(tl_port_address_text(tl_wire_orders_address(self.orders), text))

    def session_status(self, number):
        """How a session stands, as a WireSession; None when there is no such session."""
        cdef tl_wire_session_status status
        self.check_open()
        if not tl_wire_orders_session_status(
                self.orders, <uint32_t>whole(number, "number", 0, 8191), &status):
            return None
        return WireSession(bool(status.on), status.count, status.next, status.received)

    def status(self):
        """Counters by loop: {"orders": {"rounds": 1, ...}, ...}."""
        cdef tl_wire_orders_status orders
        cdef tl_wire_feed_status feed
        cdef tl_wire_recovery_status recovery
        self.check_open()
        tl_wire_orders_status_read(self.orders, &orders)
        told = {"orders": dict(orders)}
        if self.feed != NULL:
            tl_wire_feed_status_read(self.feed, &feed)
            told["feed"] = {"rounds": feed.rounds, "event": feed.event,
                            "messages": feed.messages, "packets": feed.packets,
                            "unshown": feed.unshown, "lost_a": feed.lost[0],
                            "lost_b": feed.lost[1]}
        if self.recovery != NULL:
            tl_wire_recovery_status_read(self.recovery, &recovery)
            told["recovery"] = dict(recovery)
        return told

    def latency(self):
        """By time stamps of orders' connections, once one was stamped: {"stamps": "software",
        "received": {"count": 1, "p50_ns": ..., "p99_ns": ..., "p999_ns": ..., "max_ns": ...},
        "answered": {...}}: how long bytes waited to be read, and how long requests took from the
        network to the network. Empty where there are none."""
        cdef tl_latency_told received, answered
        self.check_open()
        cdef int64_t got = tl_wire_orders_latency(self.orders, &received, &answered)
        if got == 0:
            return {}
        return {"stamps": STAMPS[got], "received": dict(received), "answered": dict(answered)}

    def close(self):
        """Close sockets and spools. Harmless when repeated; not while a loop runs."""
        if self.orders != NULL:
            self.check_idle()
            self.release()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


cdef str _text(const char *text):
    return (<bytes>text).decode("utf-8", "replace")
