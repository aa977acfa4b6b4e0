"""The FIX acceptor for Cython: the C interface of fix_server.h and tls.h, and the types over it."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from touchline.core.messages cimport tl_command, tl_event
from touchline.marketdata.mirror cimport tl_mirror
from touchline.runtime.bus cimport Bus, Lane, tl_bus, tl_lane
from touchline.runtime.owned cimport Owned


cdef extern from "touchline/wire/tls.h" nogil:
    enum: TL_TLS_FAULT_BYTES
    ctypedef struct tl_tls:
        pass
    ctypedef enum tl_tls_client:
        TL_TLS_CLIENT_ANY
        TL_TLS_CLIENT_ASKED
        TL_TLS_CLIENT_REQUIRED
    ctypedef struct tl_tls_config:
        const char *certificate_file
        const char *key_file
        const char *ca_file
        tl_tls_client client
        bint tls_1_2

    int tl_tls_open(tl_tls **out, const tl_tls_config *config, char *fault)
    int tl_tls_reload(tl_tls *tls, char *fault)
    void tl_tls_close(tl_tls *tls)


cdef extern from "touchline/wire/fix_server.h" nogil:
    enum: TL_FIX_NAME_MAX
    enum: TL_FIX_NEWS_BYTES
    uint64_t TL_FIX_MARK_STORED

    ctypedef struct tl_fix_dialect:
        pass
    const tl_fix_dialect *tl_fix_dialect_find(const char *begin_string, const char *appl_ver_id)

    ctypedef struct tl_fix_store:
        pass
    ctypedef struct tl_fix_store_config:
        uint32_t sessions_max
        uint32_t segment_bytes
        uint64_t keep_bytes
        bint durable
    ctypedef struct tl_fix_marks:
        uint64_t next_out
        uint64_t next_in
        uint64_t answered
        uint64_t lane_sent
        uint64_t key
        int64_t created_ns
    const tl_fix_marks *tl_fix_store_marks(const tl_fix_store *store, uint32_t session)
    int tl_fix_store_open(tl_fix_store **out, const char *directory,
                          const tl_fix_store_config *config)
    void tl_fix_store_close(tl_fix_store *store)
    const char *tl_fix_store_fault(const tl_fix_store *store)
    int tl_fix_store_reset(tl_fix_store *store, uint32_t session, uint64_t next_out,
                           uint64_t next_in, int64_t now_ns)
    int tl_fix_store_sync(tl_fix_store *store)

    ctypedef struct tl_fix_desk:
        pass
    ctypedef struct tl_fix_desk_config:
        uint32_t instruments_max
        uint32_t accounts_max
        uint32_t orders_max
        uint32_t sessions_max
    int tl_fix_desk_error(const tl_fix_desk *desk)

    ctypedef struct tl_fix_market_config:
        uint32_t instruments_max
        uint32_t orders_max
        uint32_t price_blocks_max

    ctypedef struct tl_fix_terms:
        uint32_t number
        const tl_fix_dialect *dialect
        char comp_id[65]
        char venue_comp_id[65]
        uint32_t heartbeat_max_s
        uint32_t sending_time_tolerance_s
        uint8_t time_decimals
        uint8_t permissions
        uint8_t cancel_on
        uint32_t cancel_grace_s
        bint pending_reports
        uint8_t cl_ord_id_scope
        uint32_t throttle
    ctypedef enum tl_fix_session_state:
        TL_FIX_AWAY
        TL_FIX_ON
        TL_FIX_LEAVING
        TL_FIX_OVER
    ctypedef struct tl_fix_session_status:
        tl_fix_session_state state
        int64_t since_ns
        uint64_t next_in
        uint64_t next_out
        uint64_t unwritten
        uint64_t unwritten_bytes
        uint64_t held
        uint64_t pending
        uint32_t heartbeat_s
        int64_t last_in_ns
        int64_t last_out_ns
        uint64_t resends
        uint64_t resets

    ctypedef struct tl_fix_server:
        pass
    ctypedef struct tl_fix_log_config:
        uint32_t sessions_max
        uint64_t rotate_bytes
        uint32_t keep
        int64_t flush_ns
    ctypedef struct tl_fix_server_config:
        tl_fix_store_config store
        tl_fix_desk_config desk
        tl_fix_market_config market
        uint32_t message_max
        uint32_t logon_max
        uint32_t newcomers_max
        int64_t logon_ns
        int64_t answer_ns
        bint spin
        const char *log_directory
        tl_fix_log_config log
        const char *relay_to
        uint32_t relay_bytes
    ctypedef struct tl_fix_question:
        uint64_t ticket
        uint32_t session
        char address[64]
        uint16_t port
        char username[256]
        char password[256]
        char certificate[256]
        uint32_t heartbeat_s
        bint reset
        int64_t mono_ns
    ctypedef struct tl_fix_server_status:
        uint64_t rounds
        uint64_t events
        uint64_t newcomers
        uint64_t accepted
        uint64_t refused
        uint64_t evicted
        uint64_t received
        uint64_t sent

    int tl_fix_server_open(tl_fix_server **out, const char *store_directory,
                           const tl_fix_server_config *config, const tl_bus *bus, tl_lane *lane)
    void tl_fix_server_close(tl_fix_server *server)
    tl_fix_desk *tl_fix_server_desk(tl_fix_server *server)
    tl_fix_store *tl_fix_server_store(tl_fix_server *server)
    const char *tl_fix_server_fault(const tl_fix_server *server)
    int tl_fix_server_replay(tl_fix_server *server, const tl_command *commands,
                             size_t commands_count, const tl_event *events, size_t events_count)
    int tl_fix_server_books(tl_fix_server *server, tl_mirror *books)
    int tl_fix_server_books_state(const tl_fix_server *server)
    const char *tl_fix_server_market_fault(const tl_fix_server *server)
    void tl_fix_server_bus_lost(tl_fix_server *server)
    int tl_fix_server_listen(tl_fix_server *server, int fd, tl_tls *tls)
    int tl_fix_server_run(tl_fix_server *server, uint64_t next_event)
    void tl_fix_server_stop(tl_fix_server *server)
    void tl_fix_server_wake(tl_fix_server *server)
    int tl_fix_server_session(tl_fix_server *server, const tl_fix_terms *terms,
                              const uint32_t *accounts, uint32_t accounts_count, bint enabled,
                              uint64_t mark)
    int tl_fix_server_reset(tl_fix_server *server, uint32_t session, uint64_t next_out,
                            uint64_t next_in)
    int tl_fix_server_news(tl_fix_server *server, uint32_t session, const char *text, size_t size,
                           bint urgent)
    int tl_fix_server_question(tl_fix_server *server, tl_fix_question *out, int64_t timeout_ns)
    void tl_fix_server_verdict(tl_fix_server *server, uint64_t ticket, const char *refusal)
    int tl_fix_server_names(tl_fix_server *server, const tl_command *texts, size_t count,
                            bint complete)
    bint tl_fix_server_wants_names(const tl_fix_server *server)
    void tl_fix_server_available(tl_fix_server *server, bint available)
    uint64_t tl_fix_server_lapped(const tl_fix_server *server)
    int tl_fix_server_supply(tl_fix_server *server, const tl_event *events, size_t count)
    void tl_fix_server_status_read(const tl_fix_server *server, tl_fix_server_status *out)
    int tl_fix_server_session_status(const tl_fix_server *server, uint32_t session,
                                     tl_fix_session_status *out, char *address)


cdef class Tls(Owned):
    cdef tl_tls *tls
    cdef readonly str certificate

    cdef int check_open(self) except -1


cdef class FixServer(Owned):
    cdef tl_fix_server *server
    cdef readonly Bus bus
    cdef readonly Lane lane
    cdef readonly str store_dir
    cdef readonly uint32_t sessions_max
    cdef list kept     # contexts of TLS that listeners use
    cdef bint running

    cdef int check_open(self) except -1
    cdef int check_idle(self) except -1
    cdef object error(self, int code, str what)
    cdef int check(self, int code, str what) except -1
