/* The vocabulary: every constant and the two records that cross every boundary.
 *
 * A Command goes in, Events come out; both are 64 bytes, little-endian, and are the same bytes in
 * the rings, the journal, numpy, C and Cython. Constants carry FIX's wire values; where FIX has no
 * word the value is a lower-case letter that FIX does not use. Each list stands here once, as an
 * X-macro, and the enum, the name table and Python's IntEnum expand from it.
 * docs/messages.md explains every field. This header needs libc's headers alone.
 */
#ifndef TOUCHLINE_MESSAGES_H
#define TOUCHLINE_MESSAGES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a command asks for: MsgType(35) where FIX has one character for it. */
#define TL_MSG_TYPES(X)                                                                            \
    X(MSG_TYPE, NEW_ORDER, 'D')          /* NewOrderSingle */                                      \
    X(MSG_TYPE, CANCEL, 'F')             /* OrderCancelRequest */                                  \
    X(MSG_TYPE, REPLACE, 'G')            /* OrderCancelReplaceRequest */                           \
    X(MSG_TYPE, MASS_CANCEL, 'q')        /* OrderMassCancelRequest */                              \
    X(MSG_TYPE, SECURITY_DEFINITION, 'd') /* list an instrument */                                 \
    X(MSG_TYPE, SECURITY_STATUS, 'f')    /* into another trading phase: section 9 */               \
    X(MSG_TYPE, ACCOUNT, 'a')            /* open an account */                                     \
    X(MSG_TYPE, ACCOUNT_STATUS, 'b')     /* block or unblock an account */                         \
    X(MSG_TYPE, SELF_TRADE, 's')         /* how an account's trades with itself are prevented */   \
    X(MSG_TYPE, ALLOCATION, 'p')         /* a step of how an instrument shares out its trades */   \
    X(MSG_TYPE, LIMIT, 'l')              /* set one limit or reference */                          \
    X(MSG_TYPE, VENUE_STATUS, 'k')       /* the venue kill switch */                               \
    X(MSG_TYPE, CHECKPOINT, 'h')         /* publish the state hash */                              \
    X(MSG_TYPE, CLOCK, 't')              /* take the host's clock as it is */                      \
    X(MSG_TYPE, EXPIRE, 'y')             /* take off what is past its time */                   \
    X(MSG_TYPE, TERMS, 'm')              /* what does not fit in the order after it: rule 8.9 */ \
    X(MSG_TYPE, TEXT, 'x')               /* a name for the record; changes no state */          \
    X(MSG_TYPE, TRESPASS, 'z')           /* what its lane may not send, as the runner marks it */

#define TL_SIDES(X)                                                                                \
    X(SIDE, BUY, '1')                                                                              \
    X(SIDE, SELL, '2')

#define TL_ORD_TYPES(X)                                                                            \
    X(ORD_TYPE, MARKET, '1')                                                                       \
    X(ORD_TYPE, LIMIT, '2')                                                                        \
    X(ORD_TYPE, STOP, '3')               /* these need TL_FLAG_SPECIAL: section 8 */               \
    X(ORD_TYPE, STOP_LIMIT, '4')                                                                   \
    X(ORD_TYPE, MARKET_IF_TOUCHED, 'J')                                                            \
    X(ORD_TYPE, MARKET_TO_LIMIT, 'K')                                                              \
    X(ORD_TYPE, LIMIT_IF_TOUCHED, 'l')

#define TL_TIMES_IN_FORCE(X)                                                                       \
    X(TIME_IN_FORCE, DAY, '0')                                                                     \
    X(TIME_IN_FORCE, GTC, '1')                                                                     \
    X(TIME_IN_FORCE, AT_OPEN, '2')       /* these three for an auction alone: section 9 */         \
    X(TIME_IN_FORCE, IOC, '3')                                                                     \
    X(TIME_IN_FORCE, FOK, '4')                                                                     \
    X(TIME_IN_FORCE, GTD, '6')           /* needs TERMS: rule 8.10 */                              \
    X(TIME_IN_FORCE, AT_CLOSE, '7')                                                                \
    X(TIME_IN_FORCE, AUCTION, 'A')       /* good for this auction */

/* What an event reports: ExecType(150); an administrative command is answered by its own letter. */
#define TL_EXEC_TYPES(X)                                                                           \
    X(EXEC_TYPE, NEW, '0')                                                                         \
    X(EXEC_TYPE, CANCELED, '4')                                                                    \
    X(EXEC_TYPE, REPLACED, '5')                                                                    \
    X(EXEC_TYPE, REJECTED, '8')                                                                    \
    X(EXEC_TYPE, EXPIRED, 'C')                                                                     \
    X(EXEC_TYPE, RESTATED, 'D')          /* where a special order stands in the book from now on */\
    X(EXEC_TYPE, TRIGGERED, 'L')         /* a waiting order's stop price has been met */           \
    X(EXEC_TYPE, TRADE, 'F')                                                                       \
    X(EXEC_TYPE, DECREMENTED, 'e')       /* less of both orders of what would be a self-trade */   \
    X(EXEC_TYPE, CANCEL_REJECTED, 'r')   /* OrderCancelReject, MsgType 9 */                        \
    X(EXEC_TYPE, MASS_CANCELED, 'q')                                                               \
    X(EXEC_TYPE, SECURITY_DEFINITION, 'd')                                                         \
    X(EXEC_TYPE, SECURITY_STATUS, 'f')                                                             \
    X(EXEC_TYPE, ACCOUNT, 'a')                                                                     \
    X(EXEC_TYPE, ACCOUNT_STATUS, 'b')                                                              \
    X(EXEC_TYPE, SELF_TRADE, 's')                                                                  \
    X(EXEC_TYPE, ALLOCATION, 'p')                                                                  \
    X(EXEC_TYPE, LIMIT, 'l')                                                                       \
    X(EXEC_TYPE, VENUE_STATUS, 'k')                                                                \
    X(EXEC_TYPE, CHECKPOINT, 'h')                                                                  \
    X(EXEC_TYPE, EXPIRE, 'y')                                                                      \
    X(EXEC_TYPE, CLOCK, 't')                                                                       \
    X(EXEC_TYPE, INDICATIVE, 'i')        /* what an auction would come to now */                   \
    X(EXEC_TYPE, UNCROSSED, 'u')         /* what it has come to: its trades follow */

/* SecurityTradingStatus(326), which is the trading phase; FIX leaves those above 100 to us. What
 * each takes is in section 9 of docs/rules.md. */
#define TL_TRADING_STATUSES(X)                                                                     \
    X(TRADING_STATUS, HALTED, 2)                                                                   \
    X(TRADING_STATUS, READY_TO_TRADE, 17)    /* continuous */                                      \
    X(TRADING_STATUS, CLOSED, 18)                                                                  \
    X(TRADING_STATUS, PRE_OPEN, 21)                                                                \
    X(TRADING_STATUS, OPENING_AUCTION, 22)                                                         \
    X(TRADING_STATUS, CLOSING_PRICE, 26)     /* trading at the closing price */                    \
    X(TRADING_STATUS, VOLATILITY_AUCTION, 101)                                                     \
    X(TRADING_STATUS, CLOSING_AUCTION, 102)

/* Of an account, and of the venue as a whole: may it enter orders? */
#define TL_ENTRY_STATUSES(X)                                                                       \
    X(ENTRY_STATUS, OPEN, 1)                                                                       \
    X(ENTRY_STATUS, BLOCKED, 2)

/* What becomes of two orders of one account, or of accounts of one group, that would trade with
 * each other; the account of the order that comes says it. Section 10. */
#define TL_SELF_TRADES(X)                                                                          \
    X(SELF_TRADE, ALLOWED, 0)                                                                      \
    X(SELF_TRADE, CANCEL_RESTING, 1)                                                               \
    X(SELF_TRADE, CANCEL_AGGRESSOR, 2)                                                             \
    X(SELF_TRADE, CANCEL_BOTH, 3)                                                                  \
    X(SELF_TRADE, DECREMENT_BOTH, 4)                                                               \
    X(SELF_TRADE, CANCEL_SMALLER, 5)

/* A step in which an order that comes is shared out among those at one price. Section 11. */
#define TL_ALLOCATIONS(X)                                                                          \
    X(ALLOCATION, FIFO, 1)                                                                         \
    X(ALLOCATION, TOP, 2)                                                                          \
    X(ALLOCATION, MARKET_MAKER, 3)                                                                 \
    X(ALLOCATION, PRO_RATA, 4)                                                                     \
    X(ALLOCATION, LEVELLING, 5)

/* What Command.field names in a LIMIT command: whose it is (an instrument's, or an account's
 * position in one), its unit (value: ticks x lots), the member of tl_instrument or tl_position that
 * holds it, the least and the most it may be, and whether it may be unset. Rule 6.3. */
#define TL_LIMITS(X)                                                                               \
    X(LIMIT, PRICE_MIN, 1, instrument, ticks, price_min, 1, TL_PRICE_MAX, 0)                       \
    X(LIMIT, PRICE_MAX, 2, instrument, ticks, price_max, 1, TL_PRICE_MAX, 0)                       \
    X(LIMIT, QTY_MAX, 3, instrument, lots, qty_max, 1, TL_QTY_MAX, 0)                              \
    X(LIMIT, PRICE_COLLAR, 4, instrument, ticks, price_collar, 0, TL_PRICE_MAX, 1)                 \
    X(LIMIT, REFERENCE_PRICE, 5, instrument, ticks, reference_price, 0, TL_PRICE_MAX, 0)           \
    X(LIMIT, ORDER_QTY_MAX, 6, position, lots, order_qty_max, 0, TL_LIMIT_UNSET, 1)                \
    X(LIMIT, ORDER_VALUE_MAX, 7, position, value, order_value_max, 0, TL_LIMIT_UNSET, 1)           \
    X(LIMIT, POSITION_MAX, 8, position, lots, position_max, 0, TL_LIMIT_UNSET, 1)

/* What Command.field names in a TEXT command, and what `key` then holds. */
#define TL_TEXTS(X)                                                                                \
    X(TEXT, CL_ORD_ID, 1)    /* key: low 32 bits of cl_ord_id; side, flags: lane and session */    \
    X(TEXT, SYMBOL, 2)       /* key: instrument */                                                 \
    X(TEXT, TICK_SIZE, 3)    /* key: instrument; a decimal number */                               \
    X(TEXT, LOT_SIZE, 4)     /* key: instrument; a decimal number */                               \
    X(TEXT, CURRENCY, 5)     /* key: instrument */                                                 \
    X(TEXT, ACCOUNT, 6)      /* key: account */                                                    \
    X(TEXT, SESSION, 7)      /* key: session; its CompID */                                        \
    X(TEXT, OPERATOR, 8)     /* key: low 32 bits of a cl_ord_id; who, and the words of a command */\
    X(TEXT, REQUEST_FIELD, 9) /* key, side as of CL_ORD_ID; flags: the tag of what it said, too */

/* Texts that belong to one request and name it for its sender, not for the venue. */
#define TL_TEXT_OF_REQUEST(field)                                                                  \
    ((field) == TL_TEXT_CL_ORD_ID || (field) == TL_TEXT_REQUEST_FIELD)

/* Bits of Event.flags, and of Command.flags where it says so. The upper four are a NEW_ORDER's too,
 * which has the others only with SPECIAL; its events repeat them. */
#define TL_FLAGS(X)                                                                                \
    X(FLAG, MAKER_DONE, 1)      /* TRADE: the maker's order is completely filled */                \
    X(FLAG, PRIORITY_KEPT, 2)   /* REPLACED: the order kept its place in the queue */              \
    X(FLAG, REPLACE, 4)         /* CANCEL_REJECTED: the request was a replace */                   \
    X(FLAG, EXPIRE, 8)          /* MASS_CANCEL: report the orders as EXPIRED */                    \
    X(FLAG, POST_ONLY, 16)      /* does not trade when it comes: refused, or */                    \
    X(FLAG, SLIDE, 32)          /* moved to the next price that does not trade */                  \
    X(FLAG, HIDDEN, 64)         /* not shown; TRADE: the maker's order is not */                   \
    X(FLAG, SPECIAL, 128)       /* NEW_ORDER: it has terms; its events: see rule 8.2 */

/* What Command.field of a NEW_ORDER with the flag SPECIAL says: rule 8.9. */
#define TL_MORE(X)                                                                                 \
    X(MORE, NONE, 0)                                                                               \
    X(MORE, TERMS, 1) /* the lane's last TERMS belongs to it */

/* Bits of Command.flags in a TERMS. */
#define TL_TERMS_FLAGS(X)                                                                          \
    X(TERMS_FLAG, ALL_OR_NONE, 1) /* ExecInst(18) G: rule 8.12 */                                  \
    X(TERMS_FLAG, TRAIL_BASIS_POINTS, 2) /* PegOffsetType(836) 1: rule 8.13 */

/* How an order is linked with another: ContingencyType(1385), in Command.field of a TERMS.
 * Section 12. */
#define TL_CONTINGENCIES(X)                                                                        \
    X(CONTINGENCY, NONE, 0)                                                                        \
    X(CONTINGENCY, OCO, 1) /* one cancels the other */                                             \
    X(CONTINGENCY, OTO, 2) /* one triggers the other */                                            \
    X(CONTINGENCY, OUO_ABSOLUTE, 3)     /* one updates the other: by as many lots */               \
    X(CONTINGENCY, OUO_PROPORTIONAL, 4) /* by as large a part of it */

/* Why the answer is no: name, value, OrdRejReason(103), CxlRejReason(102), text. The text says what
 * Event.value and Event.limit hold. 103 values above 15 exist from FIX 5.0 on. */
#define TL_REASONS(X)                                                                              \
    X(REASON, NONE, 0, 0, 0, "")                                                                   \
    X(REASON, INVALID_MSG_TYPE, 1, 99, 99, "unknown command type {value}")                         \
    X(REASON, UNKNOWN_SYMBOL, 2, 1, 99, "unknown instrument {value}")                              \
    X(REASON, UNKNOWN_ACCOUNT, 3, 15, 99, "unknown account {value}")                               \
    X(REASON, INVALID_SIDE, 4, 11, 99, "Side is neither Buy nor Sell")                             \
    X(REASON, INVALID_ORD_TYPE, 5, 11, 99,                                                         \
      "no such OrdType, or one that needs terms: rules 2.1 and 8.1")                               \
    X(REASON, INVALID_TIME_IN_FORCE, 6, 11, 99, "TimeInForce is none that the venue knows")        \
    X(REASON, VENUE_KILLED, 7, 2, 99, "the venue's kill switch is on")                             \
    X(REASON, HALTED, 8, 2, 99, "the instrument is halted")                                        \
    X(REASON, ACCOUNT_BLOCKED, 9, 0, 99, "the account is blocked")                                 \
    X(REASON, INVALID_QTY, 10, 13, 99, "quantity {value} is outside 1 to {limit} lots")            \
    X(REASON, PRICE_BELOW_MIN, 11, 99, 99, "price {value} is below the lowest, {limit} ticks")     \
    X(REASON, PRICE_ABOVE_MAX, 12, 99, 99, "price {value} is above the highest, {limit} ticks")    \
    X(REASON, MARKET_WITH_PRICE, 13, 11, 99, "a market order carries price {value}")               \
    X(REASON, ORDER_QTY_MAX, 14, 3, 99,                                                            \
      "order quantity {value} is over the limit of {limit} lots")                                  \
    X(REASON, ORDER_VALUE_MAX, 15, 3, 99, "order value {value} is over the limit of {limit}")      \
    X(REASON, PRICE_COLLAR, 16, 16, 99, "price {value} is past the collar's bound, {limit} ticks") \
    X(REASON, NO_REFERENCE_PRICE, 17, 99, 99,                                                      \
      "there is no reference price; the collar is {limit} ticks")                                  \
    X(REASON, POSITION_MAX, 18, 3, 99, "position with open orders {value} is over {limit} lots")   \
    X(REASON, ORDERS_FULL, 19, 99, 99, "all {limit} places for orders are taken")                  \
    X(REASON, POSITIONS_FULL, 20, 99, 99, "all {limit} places for positions are taken")            \
    X(REASON, LEVELS_FULL, 21, 99, 99, "all {limit} blocks of price levels are taken")             \
    X(REASON, UNKNOWN_ORDER, 22, 5, 1, "no such open order of this account")                       \
    X(REASON, ALREADY_DEFINED, 23, 99, 99, "number {value} is defined already")                    \
    X(REASON, INVALID_LIMIT, 24, 99, 99, "{value} is not allowed here; the bound is {limit}")      \
    X(REASON, INVALID_FIELD, 25, 99, 99, "field value {value} is not one this command knows")      \
    X(REASON, IOC_REMAINDER, 26, 0, 0, "an immediate order's remainder does not rest")             \
    X(REASON, FOK_UNFILLED, 27, 0, 0, "not all of the quantity is available at once")              \
    X(REASON, MARKET_REMAINDER, 28, 0, 0, "a market order's remainder does not rest")              \
    X(REASON, MASS_CANCEL, 29, 0, 0, "canceled by a mass cancel")                                  \
    X(REASON, FOREIGN_CL_ORD_ID, 30, 99, 99,                                                       \
      "cl_ord_id {value} is none that lane {limit} may use")                                       \
    X(REASON, NOT_THIS_LANE, 31, 99, 99, "lane {limit} may not send a command of type {value}")    \
    X(REASON, INVALID_TEXT, 32, 99, 99, "lane {limit}: the text, or its number {value}, is wrong") \
    X(REASON, NAMED_ALREADY, 33, 99, 99,                                                           \
      "lane {limit}: number {value} has another name, or the name another number")                 \
    X(REASON, INVALID_TERMS, 34, 11, 99,                                                           \
      "these terms do not go together: rules 8.1 and 8.9")                                         \
    X(REASON, DISPLAY_QTY, 35, 13, 99,                                                             \
      "display quantity {value} is below {limit} lots: rule 8.4")                                  \
    X(REASON, WOULD_TRADE, 36, 99, 99,                                                             \
      "post-only at {value} would trade at {limit} ticks: rule 8.6")                               \
    X(REASON, CHAIN_FULL, 37, 99, 99,                                                              \
      "all {limit} places for refills and triggers are taken: rule 8.7")                           \
    X(REASON, EXPIRE_TIME, 38, 4, 99,                                                              \
      "ExpireTime {value} is not after the order's, {limit}: rule 8.10")                           \
    X(REASON, EXPIRIES_FULL, 39, 99, 99, "all {limit} places to expire are taken: rule 8.10")      \
    X(REASON, ALL_OR_NONE_FULL, 40, 99, 99,                                                        \
      "all {limit} places for all-or-none orders of the instrument are taken: rule 8.12")          \
    X(REASON, MIN_QTY, 41, 0, 0, "the minimum quantity is not available at once: rule 8.11")       \
    X(REASON, NOT_IN_PHASE, 42, 99, 99, "trading phase {value} does not take this: rule 9.2")      \
    X(REASON, CLOSED, 43, 2, 99, "the instrument is closed")                                       \
    X(REASON, TOO_EARLY, 44, 99, 99, "the auction goes on after {value}: rule 9.6")                \
    X(REASON, AUCTION_REMAINDER, 45, 0, 0, "what an auction leaves of an order for it alone")      \
    X(REASON, NOT_CLOSING_PRICE, 46, 99, 99,                                                       \
      "price {value} is not the closing price, {limit} ticks: rule 9.7")                           \
    X(REASON, SELF_TRADE, 47, 0, 0, "it would have traded with its own account's or group's order")\
    X(REASON, ORDERS_OPEN, 48, 99, 99, "instrument {value} has open orders")                       \
    X(REASON, NOT_ALLOCATED, 49, 11, 99, "not where trades are shared out: rule 11.1")             \
    X(REASON, NOT_LINKED, 50, 5, 99, "no order that it can be linked with: rule 12.1")             \
    X(REASON, LINKED, 51, 0, 0, "the order that it was linked with has traded, or ended")          \
    X(REASON, TRAILING_FULL, 52, 99, 99, "all {limit} places for a trail are taken: rule 8.13")

#define TL_ENUM(set, name, value) TL_##set##_##name = (value),
#define TL_ENUM_LIMIT(set, name, value, owner, unit, member, lowest, highest, unset)               \
    TL_##set##_##name = (value),
#define TL_ENUM_REASON(set, name, value, ord, cxl, text) TL_##set##_##name = (value),
enum tl_msg_type { TL_MSG_TYPES(TL_ENUM) };
enum tl_side { TL_SIDES(TL_ENUM) };
enum tl_ord_type { TL_ORD_TYPES(TL_ENUM) };
enum tl_time_in_force { TL_TIMES_IN_FORCE(TL_ENUM) };
enum tl_exec_type { TL_EXEC_TYPES(TL_ENUM) };
enum tl_trading_status { TL_TRADING_STATUSES(TL_ENUM) };
enum tl_entry_status { TL_ENTRY_STATUSES(TL_ENUM) };
enum tl_self_trade { TL_SELF_TRADES(TL_ENUM) };
enum tl_allocation_kind { TL_ALLOCATIONS(TL_ENUM) };
enum tl_limit { TL_LIMITS(TL_ENUM_LIMIT) };
enum tl_text { TL_TEXTS(TL_ENUM) };
enum tl_flag { TL_FLAGS(TL_ENUM) };
enum tl_more { TL_MORE(TL_ENUM) };
enum tl_terms_flag { TL_TERMS_FLAGS(TL_ENUM) };
enum tl_contingency { TL_CONTINGENCIES(TL_ENUM) };
enum tl_reason { TL_REASONS(TL_ENUM_REASON) };
#undef TL_ENUM
#undef TL_ENUM_LIMIT
#undef TL_ENUM_REASON

/* In a MASS_CANCEL: every instrument, every account. A side or time_in_force of 0 means any. */
#define TL_INSTRUMENT_ALL UINT16_MAX
#define TL_ACCOUNT_ALL UINT32_MAX

/* Prices are ticks in 1 .. TL_PRICE_MAX, quantities lots in 1 .. TL_QTY_MAX. */
#define TL_PRICE_MAX ((INT64_C(1) << 30) - 1)
#define TL_QTY_MAX ((INT64_C(1) << 31) - 1)
#define TL_LIMIT_UNSET INT64_MAX
#define TL_ALLOCATION_STEPS_MAX 6u
#define TL_GROUP_MAX INT32_MAX /* groups of accounts are numbers from 1; 0: of none */
#define TL_TEXT_BYTES 36 /* of a TEXT command */
#define TL_SESSIONS_MAX 8192 /* tl_text_session has room for so many */

/* Rule 8.4: an order that shows a part of itself shows at least one of so many parts. */
#define TL_DISPLAY_PARTS_MAX 64u

/* Rule 8.12: all-or-none orders that may wait in an instrument. */
#define TL_ALL_OR_NONE_MAX 64u

/* Rule 8.13: trailing stops that may be open in an instrument; their greatest trail as a part. */
#define TL_TRAILING_MAX 64u
#define TL_TRAIL_BASIS_POINTS_MAX 9999u

/* Prices that share a place among the price blocks an engine has room for. Rule 2.7. */
#define TL_BLOCK_LEVELS 32u

/* Who writes to which lane of command rings: the upper half of cl_ord_id. */
#define TL_LANE_ADMIN 0
#define TL_LANE_FIX 1
#define TL_LANE_API 2
#define TL_LANE_WIRE 3

/* What somebody asks the engine to do. `seq`, `ts_ns` and `checksum` are stamped by the runner.
 * A TEXT command holds its UTF-8 text, padded with zero bytes, in the TL_TEXT_BYTES from order_id
 * to account: tl_command_text() gives them. A TRESPASS is a command as it came, but for ord_type:
 * the type sent; time_in_force: its field; side: the lane; field: the reason; flags: 0. */
typedef struct tl_command {
    uint64_t seq;       /* number in the journal, from 1 without gaps */
    int64_t ts_ns;      /* UTC nanoseconds; goes back by CLOCK alone; TransactTime(60) */
    union {
        uint64_t order_id; /* OrderID(37) of the order a cancel or replace means */
        __extension__ struct { /* NEW_ORDER with TL_FLAG_SPECIAL; 0: none */
            uint32_t stop_price;  /* StopPx(99), ticks */
            uint32_t display_qty; /* DisplayQty(1138), lots */
        };
        __extension__ struct { /* TERMS; 0: none */
            uint32_t min_qty; /* MinQty(110), lots */
            uint32_t trail;   /* PegOffsetValue(211), ticks or basis points */
        };
    };
    uint64_t cl_ord_id; /* the sender's number for this request: lane << 32 | counter */
    union {
        int64_t price; /* Price(44) in ticks; LIMIT: the value; CLOCK: ns that stamps step by;
                          SELF_TRADE: the group */
        int64_t expire_ns; /* TERMS: ExpireTime(126), UTC nanoseconds; 0: none */
    };
    union {
        int64_t qty; /* OrderQty(38) in lots */
        uint64_t cl_ord_link_id; /* TERMS: ClOrdLinkID(583), cl_ord_id of the order it names */
    };
    uint32_t account;   /* Account(1) */
    uint32_t checksum;  /* CRC32C of the command with a checksum of 0 */
    union {
        __extension__ struct {
            uint16_t instrument;   /* SecurityID(48) */
            uint8_t ord_type;      /* OrdType(40) */
            uint8_t time_in_force; /* TimeInForce(59) */
        };
        uint32_t key; /* TEXT: what the text names */
    };
    uint8_t type;  /* MsgType(35), enum tl_msg_type */
    uint8_t side;  /* Side(54) */
    uint8_t field; /* LIMIT: enum tl_limit; TEXT: enum tl_text; a status command: the status;
                      SELF_TRADE: enum tl_self_trade; NEW_ORDER: enum tl_more;
                      TERMS: enum tl_contingency */
    uint8_t flags; /* enum tl_flag; TERMS: enum tl_terms_flag */
} tl_command;
static_assert(sizeof(tl_command) == 64, "a command is one cache line");
static_assert(offsetof(tl_command, checksum) - offsetof(tl_command, order_id) == TL_TEXT_BYTES,
               "a text fills order_id to account");

static inline char *tl_command_text(tl_command *cmd)
{
    return (char *)cmd + offsetof(tl_command, order_id);
}

/* A TEXT that belongs to a request has the lane in the low three bits of `side`; CL_ORD_ID the
 * sender's session besides, its low eight bits in `flags` and the others above the lane. */
#define TL_TEXT_LANES 8u

static inline uint32_t tl_text_lane(const tl_command *text)
{
    return text->side % TL_TEXT_LANES;
}
static inline uint32_t tl_text_session(const tl_command *text)
{
    return text->side / TL_TEXT_LANES << 8 | text->flags;
}
static inline uint8_t tl_text_side(uint32_t lane, uint32_t session)
{
    return (uint8_t)(lane | session >> 8 << 3);
}

/* An OrderID is the place an order has in the engine's memory while it is open, its slot, below
 * orders_max, in the low 32 bits, and how often that place has been taken above: decision 4. */
#define TL_ORDER_SLOT(order_id) ((uint32_t)(order_id))

/* What happened. A TRADE tells both sides at once: the taker's order and the maker's; so does
 * DECREMENTED, with the same fields. */
typedef struct tl_event {
    uint64_t seq;      /* from 1 without gaps; the same again in every replay */
    int64_t ts_ns;     /* of the command that caused it; TransactTime(60) */
    union {
        uint64_t order_id; /* OrderID(37); TRADE: the taker's; 0 when there is no order */
        uint64_t surplus;  /* INDICATIVE, UNCROSSED: lots of `side` that find nobody */
    };
    union {
        uint64_t cl_ord_id;       /* of the request answered; 0: of an order that it moved */
        uint64_t contra_order_id; /* TRADE: the maker's OrderID */
    };
    union {
        int64_t price; /* ticks: Price(44); TRADE: LastPx(31), the maker's price */
        int64_t value; /* REJECTED, CANCEL_REJECTED: the value refused; LIMIT: the value set; CLOCK:
                            nanoseconds that stamps have stepped by */
    };
    union {
        __extension__ struct {
            uint32_t qty;        /* NEW, REPLACED, TRIGGERED: OrderQty(38); TRADE: LastQty(32);
                                    CANCELED: lots taken off; RESTATED: lots shown; MASS_CANCELED:
                                    orders; status: the status */
            uint32_t leaves_qty; /* LeavesQty(151) of order_id after the event */
        };
        int64_t limit; /* REJECTED, CANCEL_REJECTED: the bound that `value` broke */
        int64_t volume; /* INDICATIVE, UNCROSSED: lots that trade */
    };
    uint32_t account;        /* of order_id, or of the request */
    uint32_t contra_account; /* TRADE: the maker's */
    uint16_t instrument;
    uint8_t ord_type;
    uint8_t time_in_force;
    uint8_t exec_type; /* ExecType(150), enum tl_exec_type */
    uint8_t side;      /* of order_id */
    uint8_t reason;    /* enum tl_reason; LIMIT: enum tl_limit */
    uint8_t flags;     /* enum tl_flag */
} tl_event;
static_assert(sizeof(tl_event) == 64, "an event is one cache line");

/* One price level as a query returns it. */
typedef struct tl_level_view {
    int64_t price;   /* ticks */
    uint64_t qty;    /* lots */
    uint32_t orders; /* how many */
    uint32_t _pad;
} tl_level_view;

/* One open order as a query returns it. */
typedef struct tl_order_view {
    uint64_t order_id;
    int64_t price;          /* ticks */
    uint32_t leaves_qty;    /* lots */
    uint32_t order_qty;     /* lots */
    uint32_t account;
    uint16_t instrument;
    uint8_t side;
    uint8_t time_in_force;
    uint32_t shown_qty;   /* lots in the book for all to see; 0: hidden, or waiting */
    uint32_t display_qty; /* lots; of a special order, as are those below; 0: none */
    uint32_t stop_price;  /* ticks */
    uint8_t ord_type;
    uint8_t flags;   /* POST_ONLY, SLIDE, HIDDEN, SPECIAL */
    uint8_t waiting; /* 1: for its stop price; 4: for the uncross; 8: for the closing auction;
                        16: for the order that releases it */
    uint8_t all_or_none; /* 1: it trades whole or not at all */
    int64_t expire_ns; /* UTC nanoseconds; 0: it does not expire */
} tl_order_view;

/* Which open orders a list has: as in a MASS_CANCEL. */
typedef struct tl_orders_filter {
    uint32_t account;    /* TL_ACCOUNT_ALL: any */
    uint16_t instrument; /* TL_INSTRUMENT_ALL: any */
    uint8_t side;        /* 0: any */
    uint8_t time_in_force; /* 0: any */
} tl_orders_filter;

/* The lists above as data, for whoever builds names at run time. */
typedef struct tl_constant {
    const char *set;  /* "SIDE" */
    const char *name; /* "BUY" */
    int value;
} tl_constant;

typedef struct tl_limit_range {
    int limit;
    const char *owner; /* "instrument" or "position" */
    const char *unit;  /* "ticks", "lots" or "value" */
    int64_t lowest;
    int64_t highest;
    int unset; /* may it be TL_LIMIT_UNSET? */
} tl_limit_range;

typedef struct tl_reason_text {
    int reason;
    int ord_rej_reason;
    int cxl_rej_reason;
    const char *text; /* with {value} and {limit} where they belong */
} tl_reason_text;

extern const tl_constant tl_constants[];
extern const int tl_constants_count;
extern const tl_limit_range tl_limit_ranges[];
extern const int tl_limit_ranges_count;
extern const tl_reason_text tl_reason_texts[];
extern const int tl_reason_texts_count;

/* CRC32C of a command taken with a checksum of 0. */
uint32_t tl_command_checksum(const tl_command *cmd);

#ifdef __cplusplus
}
#endif

#endif
