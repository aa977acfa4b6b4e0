"""The binary protocols' loops for Cython: the C interface of wire_orders.h, wire_feed.h and
wire_recovery.h, and the type over them."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from touchline.core.messages cimport tl_command, tl_event
from touchline.runtime.bus cimport Bus, Lane, tl_bus, tl_lane
from touchline.runtime.owned cimport Owned


cdef extern from "touchline/wire/port.h" nogil:
    enum: TL_PORT_ADDRESS_BYTES
    enum: TL_PORT_FAULT_BYTES
    ctypedef struct tl_port_address:
        uint16_t port
    ctypedef struct tl_port_fault:
        int error
        char text[TL_PORT_FAULT_BYTES]
    ctypedef struct tl_port_tuning:
        uint32_t busy_poll_us
        bint prefer_busy_poll
        uint8_t stamps
        uint32_t send_bytes
    ctypedef struct tl_port_options:
        const char *to
        const char *interface
        uint8_t ttl
        bint loop
        bint segments
        tl_port_tuning tuning
    const char *tl_port_address_text(const tl_port_address *address, char *text)


cdef extern from "touchline/wire/wire_door.h" nogil:
    enum: TL_WIRE_NOBODY
    ctypedef struct tl_wire_question:
        uint32_t loop
        uint32_t conn
        char username[7]
        char password[11]
        char address[64]
        uint16_t port
    ctypedef struct tl_wire_door:
        pass
    int tl_wire_door_open(tl_wire_door *door)
    void tl_wire_door_close(tl_wire_door *door)
    int tl_wire_door_question(tl_wire_door *door, tl_wire_question *out, int64_t timeout_ns)
    void tl_wire_door_answer(tl_wire_door *door, uint32_t loop, uint32_t conn, uint32_t session)


cdef extern from "touchline/wire/wire_events.h" nogil:
    enum: TL_WIRE_SUPPLY_MAX
    ctypedef struct tl_wire_events:
        pass
    uint64_t tl_wire_events_lapped(tl_wire_events *events)
    int tl_wire_events_supply(tl_wire_events *events, const tl_event *supplied, size_t count)


cdef extern from "touchline/wire/wire_orders.h" nogil:
    ctypedef struct tl_ouch_desk_config:
        uint32_t instruments_max
        uint32_t accounts_max
        uint32_t orders_max
        uint32_t sessions_max
        uint32_t lane
        uint32_t pending_max
        uint64_t key
    ctypedef struct tl_ouch_firm:
        char name[4]
        uint32_t account
    ctypedef struct tl_wire_orders_config:
        const char *local
        char session[11]
        tl_ouch_desk_config desk
        uint32_t connections_max
        uint32_t newcomers_max
        int64_t login_ns
        const char *directory
        uint64_t spool_bytes_max
        tl_port_tuning tuning
        const char *interface
        bint spin
    ctypedef struct tl_latency_told:
        uint64_t count
        int64_t p50_ns
        int64_t p99_ns
        int64_t p999_ns
        int64_t max_ns
    ctypedef struct tl_wire_terms:
        uint32_t session
        const tl_ouch_firm *firms
        uint32_t firms_count
        uint32_t throttle
        uint8_t cancel_on
        int64_t cancel_grace_ns
    ctypedef struct tl_wire_orders:
        pass
    ctypedef struct tl_wire_orders_status:
        uint64_t rounds
        uint64_t event
        uint64_t seated
        uint64_t logins
        uint64_t refused
        uint64_t faults
        uint64_t received
        uint64_t passed
        uint64_t sent
    ctypedef struct tl_wire_session_status:
        bint on
        uint64_t count
        uint64_t next
        uint64_t received
    int tl_wire_orders_open(tl_wire_orders **out, const tl_wire_orders_config *config,
                            const tl_bus *bus, tl_lane *lane, tl_wire_door *door,
                            tl_port_fault *fault)
    void tl_wire_orders_close(tl_wire_orders *orders)
    int tl_wire_orders_session(tl_wire_orders *orders, const tl_wire_terms *terms)
    int tl_wire_orders_replay(tl_wire_orders *orders, const tl_command *commands,
                              size_t commands_count, const tl_event *events,
                              size_t events_count)
    int tl_wire_orders_run(tl_wire_orders *orders, uint64_t next)
    void tl_wire_orders_stop(tl_wire_orders *orders)
    bint tl_wire_orders_wants_names(const tl_wire_orders *orders)
    int tl_wire_orders_names(tl_wire_orders *orders, const tl_command *commands, size_t count)
    tl_wire_events *tl_wire_orders_events(tl_wire_orders *orders)
    const tl_port_address *tl_wire_orders_address(const tl_wire_orders *orders)
    const char *tl_wire_orders_fault(const tl_wire_orders *orders)
    void tl_wire_orders_status_read(const tl_wire_orders *orders, tl_wire_orders_status *out)
    int64_t tl_wire_orders_latency(const tl_wire_orders *orders, tl_latency_told *received,
                                   tl_latency_told *answered)
    bint tl_wire_orders_session_status(const tl_wire_orders *orders, uint32_t session,
                                       tl_wire_session_status *out)


cdef extern from "touchline/wire/wire_feed.h" nogil:
    enum: TL_WIRE_LINES_MAX
    ctypedef struct tl_itch_feed_config:
        uint32_t instruments_max
        uint32_t orders_max
        uint32_t price_blocks_max
    ctypedef enum tl_stock_fault:
        TL_STOCK_FAULT_NONE
    ctypedef struct tl_stock:
        pass
    const char *tl_stock_fault_text(tl_stock_fault fault)
    ctypedef struct tl_wire_feed_config:
        tl_itch_feed_config itch
        const char *directory
        uint64_t spool_bytes_max
        char session[10]
        uint32_t lines
        tl_port_options line[2]
        uint32_t packet_max
        bint spin
    ctypedef struct tl_wire_feed:
        pass
    ctypedef struct tl_wire_feed_status:
        uint64_t rounds
        uint64_t event
        uint64_t messages
        uint64_t packets
        uint64_t unshown
        uint64_t lost[2]
    int tl_wire_feed_open(tl_wire_feed **out, const tl_wire_feed_config *config,
                          const tl_bus *bus, tl_wire_door *door, tl_port_fault *fault)
    void tl_wire_feed_close(tl_wire_feed *feed)
    int tl_wire_feed_replay(tl_wire_feed *feed, const tl_command *commands,
                            size_t commands_count, const tl_event *events, size_t events_count)
    int tl_wire_feed_run(tl_wire_feed *feed, uint64_t next)
    void tl_wire_feed_stop(tl_wire_feed *feed)
    bint tl_wire_feed_wants_names(const tl_wire_feed *feed)
    int tl_wire_feed_names(tl_wire_feed *feed, const tl_command *commands, size_t count)
    tl_wire_events *tl_wire_feed_events(tl_wire_feed *feed)
    const tl_stock *tl_wire_feed_stock(tl_wire_feed *feed, uint16_t instrument,
                                       tl_stock_fault *fault)
    const char *tl_wire_feed_fault(const tl_wire_feed *feed)
    void tl_wire_feed_status_read(const tl_wire_feed *feed, tl_wire_feed_status *out)


cdef extern from "touchline/wire/wire_recovery.h" nogil:
    ctypedef struct tl_wire_recovery_config:
        const char *request_local
        const char *glimpse_local
        uint32_t requests_per_s
        uint32_t packet_max
        uint32_t glimpse_max
        uint32_t stocks_max
        uint32_t orders_max
        int64_t login_ns
        int64_t stay_ns
        const char *directory
        uint64_t spool_bytes_max
    ctypedef struct tl_wire_recovery:
        pass
    ctypedef struct tl_wire_recovery_status:
        uint64_t rounds
        uint64_t requests
        uint64_t answered
        uint64_t too_fast
        uint64_t malformed
        uint64_t snapshots
        uint64_t steps
        uint64_t logins
        uint64_t refused
    int tl_wire_recovery_open(tl_wire_recovery **out, const tl_wire_recovery_config *config,
                              const tl_wire_feed *feed, tl_wire_door *door,
                              tl_port_fault *fault)
    void tl_wire_recovery_close(tl_wire_recovery *recovery)
    int tl_wire_recovery_run(tl_wire_recovery *recovery)
    void tl_wire_recovery_stop(tl_wire_recovery *recovery)
    void tl_wire_recovery_status_read(const tl_wire_recovery *recovery,
                                      tl_wire_recovery_status *out)


cdef class WireServer(Owned):
    cdef tl_wire_door door
    cdef tl_wire_orders *orders
    cdef tl_wire_feed *feed
    cdef tl_wire_recovery *recovery
    cdef readonly Bus bus
    cdef readonly Lane lane
    cdef list kept     # texts that the loops go on using
    cdef bint door_made
    cdef int running

    cdef int check_open(self) except -1
    cdef int check_idle(self) except -1
    cdef void release(self) noexcept
    cdef object error(self, int code, const char *text, str what)
    cdef const char *keep(self, object text) except? NULL
    cdef tl_wire_events *events_of(self, str loop) except NULL
    cdef int run_loop(self, int which, uint64_t first) except -1
