/* ITCH 5.0: the full order book as messages.
 *
 * Layouts from "Nasdaq TotalView-ITCH 5.0", Nasdaq's specification of the feed. Each message begins
 * with its type, the locate of its stock (the number that stands for the stock today), a tracking
 * number and nanoseconds since midnight. Prices are dollars times 10,000 (u32), the levels of V
 * dollars times 100,000,000 (u64).
 *
 * Whole messages are tl_itch_X, with tl_itch_X_get and _put (fields.h). tl_itch_decode reads any of
 * them into one record, which has what builds a book. Pure functions; nothing is allocated.
 */
#ifndef TOUCHLINE_ITCH_H
#define TOUCHLINE_ITCH_H

#include "touchline/wire/fields.h"

#include <stddef.h>
#include <stdint.h>

#define TL_ITCH_HEADER(F) F(c1, type) F(u16, locate) F(u16, tracking) F(u48, ts_ns)

#define TL_ITCH_SYSTEM_EVENT(F) TL_ITCH_HEADER(F) F(c1, event_code)
#define TL_ITCH_STOCK_DIRECTORY(F)                                                                 \
    TL_ITCH_HEADER(F) F(t8, stock) F(c1, market_category) F(c1, financial_status)                  \
    F(u32, round_lot_size) F(c1, round_lots_only) F(c1, issue_classification)                      \
    F(t2, issue_sub_type) F(c1, authenticity) F(c1, short_sale_threshold) F(c1, ipo_flag)          \
    F(c1, luld_tier) F(c1, etp_flag) F(u32, etp_leverage) F(c1, inverse)
#define TL_ITCH_TRADING_ACTION(F)                                                                  \
    TL_ITCH_HEADER(F) F(t8, stock) F(c1, trading_state) F(c1, reserved) F(t4, reason)
#define TL_ITCH_REG_SHO(F) TL_ITCH_HEADER(F) F(t8, stock) F(c1, action)
#define TL_ITCH_PARTICIPANT(F)                                                                     \
    TL_ITCH_HEADER(F) F(t4, mpid) F(t8, stock) F(c1, primary_market_maker)                         \
    F(c1, market_maker_mode) F(c1, participant_state)
#define TL_ITCH_MWCB_LEVELS(F) TL_ITCH_HEADER(F) F(u64, level_1) F(u64, level_2) F(u64, level_3)
#define TL_ITCH_MWCB_STATUS(F) TL_ITCH_HEADER(F) F(c1, breached_level)
#define TL_ITCH_IPO_QUOTING(F)                                                                     \
    TL_ITCH_HEADER(F) F(t8, stock) F(u32, release_time_s) F(c1, release_qualifier)                 \
    F(u32, ipo_price)
#define TL_ITCH_LULD_COLLAR(F)                                                                     \
    TL_ITCH_HEADER(F) F(t8, stock) F(u32, reference_price) F(u32, upper_price)                     \
    F(u32, lower_price) F(u32, extension)
#define TL_ITCH_OPERATIONAL_HALT(F)                                                                \
    TL_ITCH_HEADER(F) F(t8, stock) F(c1, market_code) F(c1, halt_action)
#define TL_ITCH_ADD_ORDER(F)                                                                       \
    TL_ITCH_HEADER(F) F(u64, order_ref) F(c1, side) F(u32, shares) F(t8, stock) F(u32, price)
#define TL_ITCH_ADD_ORDER_MPID(F) TL_ITCH_ADD_ORDER(F) F(t4, mpid)
#define TL_ITCH_EXECUTED(F) TL_ITCH_HEADER(F) F(u64, order_ref) F(u32, shares) F(u64, match_number)
#define TL_ITCH_EXECUTED_PRICE(F) TL_ITCH_EXECUTED(F) F(c1, printable) F(u32, price)
#define TL_ITCH_CANCEL(F) TL_ITCH_HEADER(F) F(u64, order_ref) F(u32, shares)
#define TL_ITCH_DELETE(F) TL_ITCH_HEADER(F) F(u64, order_ref)
#define TL_ITCH_REPLACE(F)                                                                         \
    TL_ITCH_HEADER(F) F(u64, order_ref) F(u64, new_order_ref) F(u32, shares) F(u32, price)
#define TL_ITCH_TRADE(F) TL_ITCH_ADD_ORDER(F) F(u64, match_number)
#define TL_ITCH_CROSS_TRADE(F)                                                                     \
    TL_ITCH_HEADER(F) F(u64, shares) F(t8, stock) F(u32, price) F(u64, match_number)               \
    F(c1, cross_type)
#define TL_ITCH_BROKEN_TRADE(F) TL_ITCH_HEADER(F) F(u64, match_number)
#define TL_ITCH_NOII(F)                                                                            \
    TL_ITCH_HEADER(F) F(u64, paired_shares) F(u64, imbalance_shares) F(c1, imbalance_direction)    \
    F(t8, stock) F(u32, far_price) F(u32, near_price) F(u32, reference_price) F(c1, cross_type)    \
    F(c1, price_variation)
#define TL_ITCH_RPII(F) TL_ITCH_HEADER(F) F(t8, stock) F(c1, interest_flag)
#define TL_ITCH_DIRECT_LISTING(F)                                                                  \
    TL_ITCH_HEADER(F) F(t8, stock) F(c1, open_eligibility) F(u32, price_min) F(u32, price_max)     \
    F(u32, near_price) F(u64, near_time) F(u32, collar_lower) F(u32, collar_upper)

/* Name, type, the message's fields, its bytes. */
#define TL_ITCH_MESSAGES(X)                                                                        \
    X(system_event, SYSTEM_EVENT, 'S', 12)                                                         \
    X(stock_directory, STOCK_DIRECTORY, 'R', 39)                                                   \
    X(trading_action, TRADING_ACTION, 'H', 25)                                                     \
    X(reg_sho, REG_SHO, 'Y', 20)                                                                   \
    X(participant, PARTICIPANT, 'L', 26)                                                           \
    X(mwcb_levels, MWCB_LEVELS, 'V', 35)                                                           \
    X(mwcb_status, MWCB_STATUS, 'W', 12)                                                           \
    X(ipo_quoting, IPO_QUOTING, 'K', 28)                                                           \
    X(luld_collar, LULD_COLLAR, 'J', 35)                                                           \
    X(operational_halt, OPERATIONAL_HALT, 'h', 21)                                                 \
    X(add_order, ADD_ORDER, 'A', 36)                                                               \
    X(add_order_mpid, ADD_ORDER_MPID, 'F', 40)                                                     \
    X(executed, EXECUTED, 'E', 31)                                                                 \
    X(executed_price, EXECUTED_PRICE, 'C', 36)                                                     \
    X(cancel, CANCEL, 'X', 23)                                                                     \
    X(delete, DELETE, 'D', 19)                                                                     \
    X(replace, REPLACE, 'U', 35)                                                                   \
    X(trade, TRADE, 'P', 44)                                                                       \
    X(cross_trade, CROSS_TRADE, 'Q', 40)                                                           \
    X(broken_trade, BROKEN_TRADE, 'B', 19)                                                         \
    X(noii, NOII, 'I', 50)                                                                         \
    X(rpii, RPII, 'N', 20)                                                                         \
    X(direct_listing, DIRECT_LISTING, 'O', 48)

#define TL_ITCH_BYTES_MAX 50u

#define TL_ITCH_ENUM(name, fields, type, size) TL_ITCH_TYPE_##fields = (type),
enum tl_itch_type { TL_ITCH_MESSAGES(TL_ITCH_ENUM) };
#undef TL_ITCH_ENUM
#define TL_ITCH_DEFINE(name, fields, type, size)                                                   \
    TL_FIELDS_MESSAGE(itch_##name, TL_ITCH_##fields, size)
TL_ITCH_MESSAGES(TL_ITCH_DEFINE)
#undef TL_ITCH_DEFINE

/* Bytes of a message by its type; 0: ITCH 5.0 has no such type. */
extern const uint8_t tl_itch_sizes[256];

/* What any message says of orders and trades; what it does not say is 0. */
typedef struct tl_itch_record {
    uint64_t ts_ns;         /* since midnight */
    uint64_t order_ref;     /* A F E C X D P; U: the order replaced */
    uint64_t new_order_ref; /* U */
    uint64_t match_number;  /* E C P Q B */
    uint64_t shares;        /* A F P Q; E C: executed; X: taken off; U: new order; I: paired */
    char stock[8];          /* padded with spaces; all 0 where the locate alone says it */
    uint32_t price;         /* A F C U P Q, I: far; times 10,000 */
    uint16_t locate;
    uint16_t tracking;
    char type;
    char side;    /* A F P: 'B' or 'S' */
    char code;    /* S W: event, level; H: trading state; h: halt action; Q I: cross type;
                     C: printable; Y: action; L: participant state; N: interest flag */
    char code_2;  /* h: market code; I: imbalance direction; R: authenticity */
    char text[4]; /* F L: MPID; H: reason */
} tl_itch_record;
_Static_assert(sizeof(tl_itch_record) == 64, "a record is one cache line");

/* What is wrong with bytes that are to be a message. */
#define TL_ITCH_FAULTS(X)                                                                          \
    X(NONE, "it is a message of ITCH 5.0")                                                         \
    X(EMPTY, "it has no bytes")                                                                    \
    X(TYPE, "ITCH 5.0 has no message of this type")                                                \
    X(SIZE, "it is not as long as messages of its type are")                                       \
    X(SIDE, "its side is neither B nor S")
#define TL_ITCH_FAULT_ENUM(name, text) TL_ITCH_FAULT_##name,
typedef enum tl_itch_fault { TL_ITCH_FAULTS(TL_ITCH_FAULT_ENUM) } tl_itch_fault;
#undef TL_ITCH_FAULT_ENUM
const char *tl_itch_fault_text(tl_itch_fault fault);

/* Read a message of `size` bytes. When it is at fault the record is not touched. A message that a
 * later version of ITCH has is TYPE: whoever only follows books may pass over it. */
tl_itch_fault tl_itch_decode(const uint8_t *bytes, size_t size, tl_itch_record *record);

/* Messages with their length (u16) before each, as in Nasdaq's files and in a packet of MoldUDP64.
 * Reads at most `room` of them; `*used`: bytes of those read, the length before each included. Ends
 * before a message that is not there as a whole, and at one at fault, which `*fault` names. */
size_t tl_itch_decode_blocks(const uint8_t *bytes, size_t size, tl_itch_record *records,
                             size_t room, size_t *used, tl_itch_fault *fault);

#endif
