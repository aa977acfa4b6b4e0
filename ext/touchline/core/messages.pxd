"""The vocabulary for Cython: records and constants of messages.h."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "touchline/core/messages.h" nogil:
    ctypedef struct tl_command:
        uint64_t seq
        int64_t ts_ns
        uint64_t order_id
        uint32_t stop_price
        uint32_t display_qty
        uint32_t min_qty
        uint32_t trail
        uint64_t cl_ord_link_id
        uint64_t cl_ord_id
        int64_t price
        int64_t expire_ns
        int64_t qty
        uint32_t account
        uint32_t checksum
        uint16_t instrument
        uint8_t ord_type
        uint8_t time_in_force
        uint32_t key
        uint8_t type
        uint8_t side
        uint8_t field
        uint8_t flags

    ctypedef struct tl_event:
        uint64_t seq
        int64_t ts_ns
        uint64_t order_id
        uint64_t cl_ord_id
        uint64_t contra_order_id
        int64_t price
        int64_t value
        uint32_t qty
        uint32_t leaves_qty
        int64_t limit
        uint32_t account
        uint32_t contra_account
        uint16_t instrument
        uint8_t ord_type
        uint8_t time_in_force
        uint8_t exec_type
        uint8_t side
        uint8_t reason
        uint8_t flags

    ctypedef struct tl_level_view:
        int64_t price
        uint64_t qty
        uint32_t orders

    ctypedef struct tl_order_view:
        uint64_t order_id
        int64_t price
        uint32_t leaves_qty
        uint32_t order_qty
        uint32_t account
        uint16_t instrument
        uint8_t side
        uint8_t time_in_force
        uint32_t shown_qty
        uint32_t display_qty
        uint32_t stop_price
        uint8_t ord_type
        uint8_t flags
        uint8_t waiting
        uint8_t all_or_none
        int64_t expire_ns

    ctypedef struct tl_orders_filter:
        uint32_t account
        uint16_t instrument
        uint8_t side
        uint8_t time_in_force

    ctypedef struct tl_constant:
        const char *set
        const char *name
        int value

    ctypedef struct tl_limit_range:
        int limit
        const char *owner
        const char *unit
        int64_t lowest
        int64_t highest
        bint unset

    ctypedef struct tl_reason_text:
        int reason
        int ord_rej_reason
        int cxl_rej_reason
        const char *text

    const tl_constant tl_constants[]
    const int tl_constants_count
    const tl_limit_range tl_limit_ranges[]
    const int tl_limit_ranges_count
    const tl_reason_text tl_reason_texts[]
    const int tl_reason_texts_count

    int64_t TL_PRICE_MAX
    int64_t TL_QTY_MAX
    int64_t TL_LIMIT_UNSET
    uint16_t TL_INSTRUMENT_ALL
    uint32_t TL_ACCOUNT_ALL
    enum: TL_GROUP_MAX
    enum: TL_ALLOCATION_STEPS_MAX
    enum: TL_TEXT_BYTES
    enum: TL_SESSIONS_MAX
    enum: TL_TEXT_LANES
    enum: TL_BLOCK_LEVELS
    enum: TL_DISPLAY_PARTS_MAX
    enum: TL_ALL_OR_NONE_MAX
    enum: TL_TRAILING_MAX
    enum: TL_TRAIL_BASIS_POINTS_MAX
    enum: TL_LANE_ADMIN
    enum: TL_LANE_FIX
    enum: TL_LANE_API
    enum: TL_LANE_WIRE

    enum: TL_MSG_TYPE_NEW_ORDER
    enum: TL_MSG_TYPE_CANCEL
    enum: TL_MSG_TYPE_REPLACE
    enum: TL_MSG_TYPE_TERMS
    enum: TL_MORE_TERMS
    enum: TL_TERMS_FLAG_ALL_OR_NONE
    enum: TL_TERMS_FLAG_TRAIL_BASIS_POINTS
    enum: TL_CONTINGENCY_NONE
    enum: TL_CONTINGENCY_OCO
    enum: TL_CONTINGENCY_OTO
    enum: TL_CONTINGENCY_OUO_ABSOLUTE
    enum: TL_CONTINGENCY_OUO_PROPORTIONAL
    enum: TL_SIDE_BUY
    enum: TL_SIDE_SELL
    enum: TL_ORD_TYPE_MARKET
    enum: TL_ORD_TYPE_LIMIT
    enum: TL_ORD_TYPE_STOP
    enum: TL_ORD_TYPE_STOP_LIMIT
    enum: TL_ORD_TYPE_MARKET_IF_TOUCHED
    enum: TL_ORD_TYPE_MARKET_TO_LIMIT
    enum: TL_ORD_TYPE_LIMIT_IF_TOUCHED
    enum: TL_TIME_IN_FORCE_DAY
    enum: TL_TIME_IN_FORCE_GTC
    enum: TL_TIME_IN_FORCE_IOC
    enum: TL_TIME_IN_FORCE_FOK
    enum: TL_TIME_IN_FORCE_GTD
    enum: TL_FLAG_POST_ONLY
    enum: TL_FLAG_SLIDE
    enum: TL_FLAG_HIDDEN
    enum: TL_FLAG_SPECIAL
    enum: TL_EXEC_TYPE_NEW
    enum: TL_EXEC_TYPE_TRADE
    enum: TL_EXEC_TYPE_DECREMENTED
    enum: TL_EXEC_TYPE_CANCELED
    enum: TL_EXEC_TYPE_EXPIRED
    enum: TL_EXEC_TYPE_REPLACED
    enum: TL_EXEC_TYPE_REJECTED
    enum: TL_EXEC_TYPE_CANCEL_REJECTED

    uint32_t tl_command_checksum(const tl_command *cmd)

cdef int terms_before(tl_command *cmd, tl_command *terms, contingency, cl_ord_link_id, trail,
                      flags) except -1
