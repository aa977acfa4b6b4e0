"""Risk for Cython: limits, positions and verdicts, as risk.h has them.

The table of positions belongs to an engine; this is for looking at verdicts and for calling a
check on an order described by hand.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef extern from "touchline/core/risk.h" nogil:
    ctypedef struct tl_instrument:
        int64_t price_collar
        int64_t reference_price
        int64_t price_min
        int64_t price_max
        int64_t qty_max
        uint8_t trading_status

    ctypedef struct tl_position:
        uint32_t account
        uint32_t instrument
        int64_t net
        int64_t open[2]
        int64_t order_qty_max
        int64_t order_value_max
        int64_t position_max

    ctypedef struct tl_verdict:
        uint8_t reason
        int64_t value
        int64_t limit

    ctypedef struct tl_risk_order:
        const tl_instrument *instrument
        const tl_position *position
        int64_t price
        int64_t qty
        int64_t open_qty
        int64_t given_up
        int64_t best_bid
        bint buy
        bint market

    void tl_position_init(tl_position *position, uint32_t account, uint32_t instrument)
    int64_t tl_risk_protection_price(const tl_instrument *instrument, bint buy)
    bint tl_risk_in_range(const tl_risk_order *order, tl_verdict *verdict)
    bint tl_risk_within_limits(const tl_risk_order *order, tl_verdict *verdict)
