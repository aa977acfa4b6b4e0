# cython: language_level=3, boundscheck=False, wraparound=False
"""The FIX acceptor for Python: set up, told what to do, asked how it is. It runs without the GIL.

A FixServer's loop is one thread's, in run(); everything else may be called by others meanwhile
unless it says "before run()". Both types belong to the process that made them.
"""

import errno
import os

import numpy as np

cimport numpy as cnp
from libc.stdint cimport INT64_MAX
from libc.string cimport memcpy, memset, strlen
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

from touchline.core.arguments cimport natural, path_bytes, seconds_in_ns, whole
from touchline.marketdata.mirror cimport Mirror, tl_mirror, tl_mirror_close, tl_mirror_open
from touchline.runtime.bus cimport tl_bus_error_text

from touchline.core.messages import COMMAND, COMMAND_TEXT, EVENT
from touchline.wire.fix_facts import Marks, Question, ServerStatus, SessionStatus

cnp.import_array()

STATES = ("away", "on", "leaving", "over")
CLIENTS = ("any", "asked", "required")
CANCEL_ON = ("off", "logout", "disconnect", "both")
BOOKS_STATES = ("none", "coming", "kept")
CL_ORD_ID_SCOPES = ("ever", "day", "open")  # TL_FIX_SCOPE_...
PERMISSIONS = ("orders", "market-data", "drop-copy", "trade-capture", "news")  # TL_FIX_MAY_...
USUAL_PERMISSIONS = ("orders", "market-data", "trade-capture")
cdef int64_t LOG_FLUSH_NS = 200_000_000  # a line of the message log waits at most so long


cdef class Tls(Owned):
    """TLS for listeners: PEM files of the venue's chain and key, and of whom clients are signed by.

    `client`: "any" asks for no client's certificate, "asked" believes one that comes, "required"
    turns away who has none. TLS 1.3; with `tls_1_2` also that. Raises OSError: ELIBACC when
    OpenSSL 3 is missing, EINVAL for a file that is not what it should be.
    """

    def __cinit__(self, certificate, key, *, client_ca=None, client="any", bint tls_1_2=False):
        cdef tl_tls_config config
        cdef char[TL_TLS_FAULT_BYTES] fault
        cdef bytes chain = path_bytes(certificate, "certificate")
        cdef bytes secret = path_bytes(key, "key")
        cdef bytes signers = b"" if client_ca is None else path_bytes(client_ca, "client_ca")
        self.certificate = os.fsdecode(chain)
        memset(&config, 0, sizeof(config))
        if client not in CLIENTS:
            raise ValueError(f"client is {client!r}; allowed are {', '.join(CLIENTS)}")
        config.certificate_file = chain
        config.key_file = secret
        if client_ca is not None:
            config.ca_file = signers
        config.client = <tl_tls_client><int>CLIENTS.index(client)
        config.tls_1_2 = tls_1_2
        cdef int code = tl_tls_open(&self.tls, &config, fault)
        if code != 0:
            self.tls = NULL
            raise OSError(-code, fault[:strlen(fault)].decode(errors="replace"))

    def __dealloc__(self):
        tl_tls_close(self.tls)

    cdef void abandon(self) noexcept:
        self.tls = NULL

    cdef int check_open(self) except -1:
        self.check_here()
        return 0

    def reload(self):
        """Read the files anew, for connections to come. Raises OSError; then nothing changed."""
        cdef char[TL_TLS_FAULT_BYTES] fault
        self.check_open()
        cdef int code = tl_tls_reload(self.tls, fault)
        if code != 0:
            raise OSError(-code, fault[:strlen(fault)].decode(errors="replace"))


cdef class FixServer(Owned):
    """The acceptor over a bus and the lane that only it sends on.

    Settings, all by name: `sessions_max`; `segment_bytes`, `keep_bytes` (0: everything), `durable`
    of the store; `instruments_max`, `accounts_max`, `orders_max` of the engine; `books`, the
    EngineCapacities of the books for market data (None: none yet); `message_max`, `logon_max`
    in bytes; `newcomers_max`; `logon_s`, `answer_s` in seconds; `spin`; `log_dir` (None: no message
    log), `log_rotate_bytes`, `log_keep`. With `relay_to`, an abstract unix address, the sessions
    are another engine's, and so is the store in `store_dir`, which is synced where `durable`; the
    engine's capacities do not matter then, and names(), replay(), reset(), marks() are not for it.
    Raises OSError: EBUSY while another server has the store, EBADMSG for damage, EINVAL.
    """

    def __cinit__(self, store_dir, Bus bus not None, Lane lane not None, *, sessions_max,
                  message_max, logon_max, newcomers_max, logon_s, segment_bytes=16777216,
                  keep_bytes=0, durable=False, instruments_max=1, accounts_max=1, orders_max=1,
                  books=None, answer_s=0.5, spin=False, log_dir=None, log_rotate_bytes=67108864,
                  log_keep=8, relay_to=None):
        cdef tl_fix_server_config config
        cdef bytes directory = path_bytes(store_dir, "store_dir")
        cdef int code
        bus.check_open()
        lane.check_open()
        self.bus = bus
        self.lane = lane
        self.store_dir = os.fsdecode(directory)
        self.kept = []
        cdef bytes log = b""
        cdef bytes relay = b""
        memset(&config, 0, sizeof(config))
        self.sessions_max = <uint32_t>whole(sessions_max, "sessions_max", 1, 65535)
        config.store.sessions_max = config.desk.sessions_max = self.sessions_max
        config.store.segment_bytes = <uint32_t>whole(
            segment_bytes, "segment_bytes", 1 << 20, 1 << 30)
        config.store.keep_bytes = <uint64_t>whole(keep_bytes, "keep_bytes", 0, INT64_MAX)
        config.store.durable = bool(durable)
        config.desk.instruments_max = <uint32_t>whole(
            instruments_max, "instruments_max", 1, 0xFFFFFFFF)
        config.desk.accounts_max = <uint32_t>whole(accounts_max, "accounts_max", 1, 0xFFFFFFFF)
        config.desk.orders_max = <uint32_t>whole(orders_max, "orders_max", 1, 0xFFFFFFFF)
        if books is not None:
            config.market.instruments_max = <uint32_t>books.instruments_max
            config.market.orders_max = <uint32_t>books.orders_max
            config.market.price_blocks_max = <uint32_t>books.price_blocks_max
        config.message_max = <uint32_t>whole(message_max, "message_max", 0, 65536)
        config.logon_max = <uint32_t>whole(logon_max, "logon_max", 0, 8192)
        config.newcomers_max = <uint32_t>whole(newcomers_max, "newcomers_max", 1, 65536)
        config.logon_ns = seconds_in_ns(logon_s, "logon_s", 3600)
        config.answer_ns = seconds_in_ns(answer_s, "answer_s", 3600)
        config.spin = bool(spin)
        config.log.sessions_max = self.sessions_max
        config.log.rotate_bytes = <uint64_t>whole(
            log_rotate_bytes, "log_rotate_bytes", 1 << 16, INT64_MAX)
        config.log.keep = <uint32_t>whole(log_keep, "log_keep", 1, 10_000)
        config.log.flush_ns = LOG_FLUSH_NS
        if log_dir is not None:
            log = path_bytes(log_dir, "log_dir")
            config.log_directory = log
        if relay_to is not None:
            relay = bytes(relay_to)
            config.relay_to = relay
            config.relay_bytes = <uint32_t>len(relay)
        cdef const char *path = directory
        with nogil:
            code = tl_fix_server_open(&self.server, path, &config, bus.bus, &lane.lane)
        if code != 0:
            error = self.error(code, self.store_dir)
            tl_fix_server_close(self.server)
            self.server = NULL
            raise error

    def __dealloc__(self):
        tl_fix_server_close(self.server)

    cdef void abandon(self) noexcept:
        self.server = NULL  # its threads and locks are the parent's

    cdef int check_open(self) except -1:
        self.check_here()
        if self.server == NULL:
            raise ValueError("the server is closed")
        return 0

    cdef int check_idle(self) except -1:
        self.check_open()
        if self.running:
            raise RuntimeError("the server is running")
        return 0

    cdef object error(self, int code, str what):
        """The exception for -errno: what the server says of it, else the bus, else the system."""
        if code == -errno.ENOMEM:
            return MemoryError(what)
        cdef const char *text = NULL
        if self.server != NULL:
            text = tl_fix_server_fault(self.server)
        if text == NULL or text[0] == 0:
            text = tl_bus_error_text(-code)
        said = os.strerror(-code) if text == NULL else (<bytes>text).decode(errors="replace")
        return OSError(-code, said, what)

    cdef int check(self, int code, str what) except -1:
        if code != 0:
            raise self.error(code, what)
        return 0

    def marks(self, session):
        """What the session of that number goes on from, as its store says. Before run()."""
        cdef uint32_t number = <uint32_t>whole(session, "session", 0, self.sessions_max - 1)
        self.check_idle()
        if tl_fix_server_store(self.server) == NULL:
            raise ValueError("a relay has no marks")
        cdef const tl_fix_marks *found = tl_fix_store_marks(
            tl_fix_server_store(self.server), number)
        return Marks(found.next_out, found.next_in, found.answered, found.lane_sent, found.key,
                     found.created_ns)

    def bus_lost(self):
        """The bus is not the one that commands were sent on before: what was not answered yet is
        expected from the peers once more. Before any session() and run()."""
        self.check_idle()
        tl_fix_server_bus_lost(self.server)

    def session(self, number, comp_id, begin_string, venue_comp_id, accounts, *,
                bint enabled=True, heartbeat_max_s=30, tolerance_s=120, decimals=3, mark=None,
                permissions=USUAL_PERMISSIONS, cancel_on="off", cancel_grace_s=0, throttle=0,
                bint pending_reports=False, cl_ord_id_scope="ever"):
        """Add a session, or change what is agreed: at once what accounts it may use, shape (n,),
        `permissions` (PERMISSIONS), `throttle` in messages a second (0: none), `pending_reports`
        (it is told of requests that are with the engine), `cl_ord_id_scope` (CL_ORD_ID_SCOPES) and
        what its peer's leaving ends (CANCEL_ON); the rest when it is away. `mark`: the key of the
        last event a new one was told of; None: as its store says. Raises ValueError, OSError."""
        cdef tl_fix_terms terms
        cdef uint32_t[::1] taken = np.ascontiguousarray(accounts, dtype=np.uint32)
        cdef bytes name = comp_id.encode()
        cdef bytes venue = venue_comp_id.encode()
        cdef bytes version = begin_string.encode()
        cdef uint64_t key = TL_FIX_MARK_STORED if mark is None else natural(mark, "mark")
        self.check_open()
        memset(&terms, 0, sizeof(terms))
        if not (0 < len(name) <= TL_FIX_NAME_MAX and 0 < len(venue) <= TL_FIX_NAME_MAX):
            raise ValueError(f"a CompID has 1 to {TL_FIX_NAME_MAX} bytes")
        terms.number = <uint32_t>whole(number, "number", 0, self.sessions_max - 1)
        terms.dialect = tl_fix_dialect_find(version, b"9")
        if terms.dialect == NULL:
            raise ValueError(f"{begin_string!r} is not spoken here")
        memcpy(terms.comp_id, <const char *>name, len(name))
        memcpy(terms.venue_comp_id, <const char *>venue, len(venue))
        terms.heartbeat_max_s = <uint32_t>whole(heartbeat_max_s, "heartbeat_max_s", 1, 86400)
        terms.sending_time_tolerance_s = <uint32_t>whole(tolerance_s, "tolerance_s", 1, 1 << 30)
        terms.time_decimals = <uint8_t>whole(decimals, "decimals", 0, 9)
        for permission in permissions:
            if permission not in PERMISSIONS:
                raise ValueError(f"{permission!r} is none of {', '.join(PERMISSIONS)}")
            terms.permissions |= <uint8_t>(1 << PERMISSIONS.index(permission))
        terms.cancel_on = <uint8_t>CANCEL_ON.index(cancel_on)
        terms.cancel_grace_s = <uint32_t>whole(cancel_grace_s, "cancel_grace_s", 0, 86400)
        terms.pending_reports = pending_reports
        terms.cl_ord_id_scope = <uint8_t>CL_ORD_ID_SCOPES.index(cl_ord_id_scope)
        terms.throttle = <uint32_t>whole(throttle, "throttle", 0, 1_000_000)
        cdef const uint32_t *first = &taken[0] if len(taken) else NULL
        cdef int code = tl_fix_server_session(self.server, &terms, first, <uint32_t>len(taken),
                                              enabled, key)
        self.check(code, comp_id)

    def names(self, texts, *, bint complete):
        """TEXT commands of the journal that name instruments, accounts and sizes, shape (n,), dtype
        COMMAND or COMMAND_TEXT. `complete`: they are all that is there now."""
        self.check_open()
        if texts.dtype != COMMAND_TEXT and texts.dtype != COMMAND:
            raise TypeError("texts are of dtype COMMAND or COMMAND_TEXT")
        cdef cnp.ndarray taken = np.ascontiguousarray(texts)
        cdef int code = tl_fix_server_names(
            self.server, <const tl_command *>cnp.PyArray_DATA(taken), len(taken), complete)
        self.check(code, "names")

    def replay(self, commands, events):
        """A batch of the journal's commands, shape (n,), dtype COMMAND, and their events, shape
        (m,), dtype EVENT: what sessions were not told of goes into the store. Before run()."""
        cdef int code
        self.check_idle()
        if commands.dtype != COMMAND or events.dtype != EVENT:
            raise TypeError("commands and events are of dtype COMMAND and EVENT")
        cdef cnp.ndarray some = np.ascontiguousarray(commands)
        cdef cnp.ndarray caused = np.ascontiguousarray(events)
        cdef const tl_command *first = <const tl_command *>cnp.PyArray_DATA(some)
        cdef const tl_event *first_event = <const tl_event *>cnp.PyArray_DATA(caused)
        cdef size_t count = len(some), events_count = len(caused)
        if tl_fix_server_desk(self.server) == NULL:
            raise ValueError("a relay has no desk")
        with nogil:
            code = tl_fix_server_replay(self.server, first, count, first_event, events_count)
        self.check(code, "replay")

    def listen(self, fd, Tls tls=None):
        """Listen with a bound socket's descriptor, the server's from now on. Before run().

        Raises OSError: EADDRINUSE, EMFILE for a ninth."""
        self.check_idle()
        if tls is not None:
            tls.check_open()
            self.kept.append(tls)
        cdef int code = tl_fix_server_listen(self.server, <int>whole(fd, "fd", 0, 1 << 30),
                                             NULL if tls is None else tls.tls)
        self.check(code, "listen")

    def run(self, next_event):
        """Serve in the calling thread, without the GIL, until stop(): peers are logged out then.

        `next_event`: the first event not replayed. Raises OSError when the world fails: ESTALE for
        a bus that was replaced, ENOSPC and others of the store.
        """
        cdef int code
        cdef uint64_t first = natural(next_event, "next_event")
        self.check_idle()
        self.running = True
        with nogil:
            code = tl_fix_server_run(self.server, first)
        self.running = False
        self.check(code, self.store_dir)

    def stop(self):
        """Let run() end."""
        self.check_open()
        tl_fix_server_stop(self.server)

    def wake(self):
        """Let run() go round now: what session_status() tells is new a moment later."""
        self.check_open()
        tl_fix_server_wake(self.server)

    def reset(self, session, next_out, next_in):
        """An operator's change of a session's numbers; nothing happens while its peer is here."""
        cdef uint32_t number = <uint32_t>whole(session, "session", 0, self.sessions_max - 1)
        self.check_open()
        cdef int code = tl_fix_server_reset(self.server, number, natural(next_out, "next_out"),
                                            natural(next_in, "next_in"))
        self.check(code, f"session {number}")

    def news(self, session, text, *, bint urgent=False):
        """News(B) for a session: headline, and lines below it. In the store once the loop went
        round. Raises ValueError for more than can be said."""
        cdef uint32_t number = <uint32_t>whole(session, "session", 0, self.sessions_max - 1)
        cdef bytes said = text.encode()
        self.check_open()
        if not 0 < len(said) <= TL_FIX_NEWS_BYTES:
            raise ValueError(f"news of {len(said)} bytes; allowed are 1 to {TL_FIX_NEWS_BYTES}")
        cdef int code = tl_fix_server_news(self.server, number, said, len(said), urgent)
        self.check(code, f"session {number}")

    def question(self, timeout_s=0.1):
        """The next Question; None after timeout_s, or when names are wanted or it was lapped."""
        cdef tl_fix_question asked
        cdef int found
        cdef int64_t timeout_ns = seconds_in_ns(timeout_s, "timeout_s", 3600)
        self.check_open()
        with nogil:
            found = tl_fix_server_question(self.server, &asked, timeout_ns)
        if not found:
            return None
        question = Question(
            asked.ticket, asked.session, _text(asked.address), asked.port, _text(asked.username),
            _text(asked.password), _text(asked.certificate), asked.heartbeat_s, bool(asked.reset),
            asked.mono_ns / 1e9)
        memset(&asked, 0, sizeof(asked))
        return question

    def verdict(self, ticket, refusal=None):
        """Answer a question: None: come in; "": close without a word; else Text(58) of a Logout."""
        cdef uint64_t number = natural(ticket, "ticket")
        cdef bytes text = b"" if refusal is None else refusal.encode()
        self.check_open()
        tl_fix_server_verdict(self.server, number, NULL if refusal is None else <char *>text)

    @property
    def wants_names(self):
        """True while an event named something that names() has not told of."""
        self.check_open()
        return bool(tl_fix_server_wants_names(self.server))

    def available(self, bint available):
        """Is the engine there? Requests are refused while it is not."""
        self.check_open()
        tl_fix_server_available(self.server, available)

    def take_books(self, Mirror books not None):
        """Books for market data, of events up to status().events at most; `books` is empty then.
        Raises OSError EALREADY: there are some."""
        cdef tl_mirror *small
        self.check_open()
        self.check(tl_mirror_open(&small, 1, 1, 1), "books")
        cdef int code = tl_fix_server_books(self.server, books.mirror)
        if code == 0:
            books.mirror, small = small, NULL
        tl_mirror_close(small)
        self.check(code, "books")

    @property
    def books_state(self):
        """Of market data, one of BOOKS_STATES; "none" also where books came too late."""
        self.check_open()
        return BOOKS_STATES[<int>tl_fix_server_books_state(self.server)]

    @property
    def market_fault(self):
        """Why there is no market data any more, or None: an event did not fit those before it."""
        self.check_open()
        cdef const char *text = tl_fix_server_market_fault(self.server)
        return None if text == NULL else (<bytes>text).decode()

    @property
    def lapped(self):
        """Number of the event it wants that the ring no longer holds; 0: the ring has it."""
        self.check_open()
        return tl_fix_server_lapped(self.server)

    def supply(self, events):
        """Events from number `lapped` on, shape (n,), n up to 4096, dtype EVENT; False: not now."""
        self.check_open()
        if events.dtype != EVENT:
            raise TypeError("events are of dtype EVENT")
        cdef cnp.ndarray taken = np.ascontiguousarray(events)
        cdef int code = tl_fix_server_supply(
            self.server, <const tl_event *>cnp.PyArray_DATA(taken), len(taken))
        if code == -errno.EAGAIN:
            return False
        self.check(code, "supply")
        return True

    @staticmethod
    def utc_s():
        """The host's clock, in seconds since 1970."""
        return _seconds(CLOCK_REALTIME)

    @staticmethod
    def monotonic_s():
        """The clock of Question.asked_s, in seconds; no step of the host's clock moves it."""
        return _seconds(CLOCK_MONOTONIC)

    def status(self):
        """How the loop does, as a ServerStatus."""
        cdef tl_fix_server_status status
        self.check_open()
        tl_fix_server_status_read(self.server, &status)
        return ServerStatus(status.rounds, status.events, status.newcomers, status.accepted,
                            status.refused, status.evicted, status.received, status.sent)

    def session_status(self, session):
        """How a session stood within the last moments; None when it is not known (yet)."""
        cdef tl_fix_session_status status
        cdef char[64] address
        cdef uint32_t number = <uint32_t>whole(session, "session", 0, self.sessions_max - 1)
        self.check_open()
        if tl_fix_server_session_status(self.server, number, &status, address) != 0:
            return None
        return SessionStatus(
            STATES[<int>status.state], _text(address), status.since_ns, status.next_in,
            status.next_out, status.unwritten, status.unwritten_bytes, status.held,
            status.pending, status.heartbeat_s, status.last_in_ns, status.last_out_ns,
            status.resends, status.resets)

    def close(self):
        """Close sockets, store and desk. Harmless when repeated; not while running."""
        if self.server != NULL:
            self.check_idle()
            with nogil:
                tl_fix_server_close(self.server)
            self.server = NULL

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def renumber(store_dir, session, sessions_max, segment_bytes, next_out=None, next_in=None):
    """Set the numbers of a session in the store of a gateway that does not run, None: not this one;
    both as they are then, (next_out, next_in). Raises OSError: EBUSY, EBADMSG for damage."""
    cdef bytes directory = path_bytes(store_dir, "store_dir")
    cdef uint32_t number = <uint32_t>whole(session, "session", 0, 65534)
    cdef tl_fix_store *store = NULL
    cdef tl_fix_store_config config
    cdef const tl_fix_marks *marks
    memset(&config, 0, sizeof(config))
    config.sessions_max = <uint32_t>whole(sessions_max, "sessions_max", number + 1, 65535)
    config.segment_bytes = <uint32_t>whole(segment_bytes, "segment_bytes", 1 << 20, 1 << 30)
    config.durable = True
    cdef int code = tl_fix_store_open(&store, directory, &config)
    try:
        if code == 0:
            marks = tl_fix_store_marks(store, number)
            out = marks.next_out if next_out is None else natural(next_out, "next_out")
            come = marks.next_in if next_in is None else natural(next_in, "next_in")
            code = tl_fix_store_reset(
                store, number, out, come, <int64_t>(_seconds(CLOCK_REALTIME) * 1e9))
        if code == 0:
            code = tl_fix_store_sync(store)
        if code != 0:
            fault = b"" if store == NULL else <bytes>tl_fix_store_fault(store)
            said = fault.decode(errors="replace") or os.strerror(-code)
            raise OSError(-code, said, os.fsdecode(directory))
        marks = tl_fix_store_marks(store, number)
        return marks.next_out, marks.next_in
    finally:
        tl_fix_store_close(store)


cdef double _seconds(int clock):
    cdef timespec now
    clock_gettime(clock, &now)
    return now.tv_sec + now.tv_nsec / 1e9


cdef str _text(const char *text):
    return (<bytes>text).decode("utf-8", "replace")
