/* OUCH 5.0: orders entered and changed, and what became of them, in binary.
 *
 *   a message:    type │ fields │ u16 bytes of the appendage │ appendage
 *   an appendage: u8 bytes that follow │ u8 tag │ value, and so on
 *
 * Layouts, tags and codes from Nasdaq's "OUCH Version 5.0", the specification of its order entry.
 * Prices are dollars times 10,000; times nanoseconds since midnight. A client numbers its orders
 * and requests with UserRefNums that only grow; a message whose number is not above the last is one
 * sent again, and is passed over. Requests travel as SoupBinTCP's unsequenced messages, answers as
 * sequenced ones.
 *
 * This file reads and writes messages. ouch_terms.c says which values this venue carries out. Pure
 * functions; nothing is allocated.
 */
#ifndef TOUCHLINE_OUCH_H
#define TOUCHLINE_OUCH_H

#include "touchline/wire/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests */
#define TL_OUCH_ENTER(F)                                                                           \
    F(c1, type) F(u32, user_ref_num) F(c1, side) F(u32, quantity) F(t8, symbol) F(u64, price)      \
    F(c1, time_in_force) F(c1, display) F(c1, capacity) F(c1, sweep) F(c1, cross_type)             \
    F(t14, cl_ord_id)
#define TL_OUCH_REPLACE(F)                                                                         \
    F(c1, type) F(u32, orig_user_ref_num) F(u32, user_ref_num) F(u32, quantity) F(u64, price)      \
    F(c1, time_in_force) F(c1, display) F(c1, sweep) F(t14, cl_ord_id)
#define TL_OUCH_CANCEL(F) F(c1, type) F(u32, user_ref_num) F(u32, quantity)
#define TL_OUCH_MODIFY(F) F(c1, type) F(u32, user_ref_num) F(c1, side) F(u32, quantity)
#define TL_OUCH_MASS_CANCEL(F) F(c1, type) F(u32, user_ref_num) F(t4, firm) F(t8, symbol)
#define TL_OUCH_ENTRY(F) F(c1, type) F(u32, user_ref_num) F(t4, firm)
#define TL_OUCH_QUERY(F) F(c1, type)

/* Name, fields, type, bytes before the appendage, and must one (if only its length) be there? */
#define TL_OUCH_REQUESTS(X)                                                                        \
    X(enter, ENTER, 'O', 45, 1)                                                                    \
    X(replace, REPLACE, 'U', 38, 1)                                                                \
    X(cancel, CANCEL, 'X', 9, 0)                                                                   \
    X(modify, MODIFY, 'M', 10, 0)                                                                  \
    X(mass_cancel, MASS_CANCEL, 'C', 17, 1)                                                        \
    X(disable, ENTRY, 'D', 9, 1)                                                                   \
    X(enable, ENTRY, 'E', 9, 1)                                                                    \
    X(query, QUERY, 'Q', 1, 0)

/* Answers */
#define TL_OUCH_HEAD(F) F(c1, type) F(u64, ts_ns) F(u32, user_ref_num)
#define TL_OUCH_ORDER(F)                                                                           \
    F(c1, side) F(u32, quantity) F(t8, symbol) F(u64, price) F(c1, time_in_force) F(c1, display)   \
    F(u64, order_ref) F(c1, capacity) F(c1, sweep) F(c1, cross_type) F(c1, order_state)            \
    F(t14, cl_ord_id)
#define TL_OUCH_SYSTEM_EVENT(F) F(c1, type) F(u64, ts_ns) F(c1, event_code)
#define TL_OUCH_ACCEPTED(F) TL_OUCH_HEAD(F) TL_OUCH_ORDER(F)
#define TL_OUCH_REPLACED(F)                                                                        \
    F(c1, type) F(u64, ts_ns) F(u32, orig_user_ref_num) F(u32, user_ref_num) TL_OUCH_ORDER(F)
#define TL_OUCH_CANCELED(F) TL_OUCH_HEAD(F) F(u32, quantity) F(c1, reason)
#define TL_OUCH_AIQ_CANCELED(F)                                                                    \
    TL_OUCH_HEAD(F) F(u32, quantity) F(c1, reason) F(u32, prevented) F(u64, price)                 \
    F(c1, liquidity) F(c1, strategy)
#define TL_OUCH_EXECUTED(F)                                                                        \
    TL_OUCH_HEAD(F) F(u32, quantity) F(u64, price) F(c1, liquidity) F(u64, match_number)
#define TL_OUCH_BROKEN(F) TL_OUCH_HEAD(F) F(u64, match_number) F(c1, reason) F(t14, cl_ord_id)
#define TL_OUCH_REJECTED(F) TL_OUCH_HEAD(F) F(u16, reason) F(t14, cl_ord_id)
#define TL_OUCH_BARE(F) TL_OUCH_HEAD(F)
#define TL_OUCH_PRIORITY(F) TL_OUCH_HEAD(F) F(u64, price) F(c1, display) F(u64, order_ref)
#define TL_OUCH_MODIFIED(F) TL_OUCH_HEAD(F) F(c1, side) F(u32, quantity)
#define TL_OUCH_RESTATED(F) TL_OUCH_HEAD(F) F(c1, reason)
#define TL_OUCH_MASS_CANCELED(F) TL_OUCH_HEAD(F) F(t4, firm) F(t8, symbol)
#define TL_OUCH_ENTRY_DONE(F) TL_OUCH_HEAD(F) F(t4, firm)

/* As above; 2: it never has an appendage. */
#define TL_OUCH_ANSWERS(X)                                                                         \
    X(system_event, SYSTEM_EVENT, 'S', 10, 2)                                                      \
    X(accepted, ACCEPTED, 'A', 62, 1)                                                              \
    X(replaced, REPLACED, 'U', 66, 1)                                                              \
    X(canceled, CANCELED, 'C', 18, 0)                                                              \
    X(aiq_canceled, AIQ_CANCELED, 'D', 32, 0)                                                      \
    X(executed, EXECUTED, 'E', 34, 1)                                                              \
    X(broken, BROKEN, 'B', 36, 0)                                                                  \
    X(rejected, REJECTED, 'J', 29, 0)                                                              \
    X(cancel_pending, BARE, 'P', 13, 0)                                                            \
    X(cancel_reject, BARE, 'I', 13, 0)                                                             \
    X(priority, PRIORITY, 'T', 30, 0)                                                              \
    X(modified, MODIFIED, 'M', 18, 0)                                                              \
    X(restated, RESTATED, 'R', 14, 1)                                                              \
    X(mass_canceled, MASS_CANCELED, 'X', 25, 1)                                                    \
    X(disabled, ENTRY_DONE, 'G', 17, 1)                                                            \
    X(enabled, ENTRY_DONE, 'K', 17, 1)                                                             \
    X(next_number, BARE, 'Q', 13, 0)

#define TL_OUCH_DEFINE(name, fields, type, size, appendage)                                        \
    TL_FIELDS_MESSAGE(ouch_##name, TL_OUCH_##fields, size)
TL_OUCH_REQUESTS(TL_OUCH_DEFINE)
TL_OUCH_ANSWERS(TL_OUCH_DEFINE)
#undef TL_OUCH_DEFINE

#define TL_OUCH_REQUEST_MAX 512u /* no longer message is read: all options together are shorter */
#define TL_OUCH_ANSWER_MAX 128u  /* none that this venue sends is longer */
#define TL_OUCH_MARKET_PRICE UINT64_C(2147483647)
#define TL_OUCH_QUANTITY_MAX 999999u

/* Options of an appendage: name, tag, bytes, and what ouch_terms.c does with it. */
#define TL_OUCH_OPTIONS(X)                                                                         \
    X(SECONDARY_ORDER_REF, 1, 8, ANSWER)                                                           \
    X(FIRM, 2, 4, USED)                                                                            \
    X(MIN_QTY, 3, 4, ZERO)                                                                         \
    X(CUSTOMER_TYPE, 4, 1, HARMLESS)                                                               \
    X(MAX_FLOOR, 5, 4, ZERO)                                                                       \
    X(PRICE_TYPE, 6, 1, LIMIT)                                                                     \
    X(PEG_OFFSET, 7, 4, ZERO)                                                                      \
    X(DISCRETION_PRICE, 9, 8, ZERO)                                                                \
    X(DISCRETION_PRICE_TYPE, 10, 1, LIMIT)                                                         \
    X(DISCRETION_PEG_OFFSET, 11, 4, ZERO)                                                          \
    X(POST_ONLY, 12, 1, NO)                                                                        \
    X(RANDOM_RESERVES, 13, 4, ZERO)                                                                \
    X(ROUTE, 14, 4, REFUSED)                                                                       \
    X(EXPIRE_TIME, 15, 4, ZERO)                                                                    \
    X(TRADE_NOW, 16, 1, NO)                                                                        \
    X(HANDLE_INST, 17, 1, NO)                                                                      \
    X(BBO_WEIGHT, 18, 1, ANSWER)                                                                   \
    X(DISPLAY_QUANTITY, 22, 4, ANSWER)                                                             \
    X(DISPLAY_PRICE, 23, 8, ANSWER)                                                                \
    X(GROUP_ID, 24, 2, ZERO)                                                                       \
    X(SHARES_LOCATED, 25, 1, HARMLESS)                                                             \
    X(LOCATE_BROKER, 26, 4, HARMLESS)                                                              \
    X(SIDE, 27, 1, USED)                                                                           \
    X(USER_REF_IDX, 28, 1, ZERO)                                                                   \
    X(AIQ_STRATEGY, 29, 1, REFUSED)                                                                \
    X(AIQ_GROUP_ID, 30, 2, REFUSED)                                                                \
    X(ORD_TYPE, 31, 9, USED) /* ours: OrdType as in FIX, then its StopPx */
#define TL_OUCH_OPTION_ENUM(name, tag, size, rule) TL_OUCH_##name = (tag),
enum tl_ouch_option { TL_OUCH_OPTIONS(TL_OUCH_OPTION_ENUM) };
#undef TL_OUCH_OPTION_ENUM

/* Why an order is rejected, as the specification's appendix C numbers it; those sent here. */
#define TL_OUCH_REJECTS(X)                                                                         \
    X(INVALID_DISPLAY, 0x0003, "invalid display")                                                  \
    X(INVALID_MAX_FLOOR, 0x0004, "invalid max floor")                                              \
    X(INVALID_PEG_TYPE, 0x0005, "invalid peg type")                                                \
    X(FAT_FINGER, 0x0006, "fat finger")                                                            \
    X(HALTED, 0x0007, "halted")                                                                    \
    X(ISO_NOT_ALLOWED, 0x0008, "ISO not allowed")                                                  \
    X(INVALID_SIDE, 0x0009, "invalid side")                                                        \
    X(PROCESSING_ERROR, 0x000A, "processing error")                                                \
    X(FIRM_NOT_AUTHORIZED, 0x000C, "firm not authorized")                                          \
    X(INVALID_MIN_QUANTITY, 0x000D, "invalid min quantity")                                        \
    X(NO_REFERENCE_PRICE, 0x000E, "no closing reference price")                                    \
    X(OTHER, 0x000F, "other")                                                                      \
    X(PEGGING_NOT_ALLOWED, 0x0011, "pegging not allowed")                                          \
    X(INVALID_QUANTITY, 0x0013, "invalid quantity")                                                \
    X(INVALID_CROSS_ORDER, 0x0014, "invalid cross order")                                          \
    X(REPLACE_NOT_ALLOWED, 0x0015, "replace not allowed")                                          \
    X(ROUTING_NOT_ALLOWED, 0x0016, "routing not allowed")                                          \
    X(INVALID_SYMBOL, 0x0017, "invalid symbol")                                                    \
    X(INVALID_PRICE, 0x001D, "invalid price")                                                      \
    X(SHARES_EXCEED, 0x001E, "shares exceed threshold")                                            \
    X(NOTIONAL_EXCEEDED, 0x001F, "exceeds maximum allowed notional value")                         \
    X(EXPOSURE_EXCEEDED, 0x0020, "risk: aggregate exposure exceeded")
#define TL_OUCH_REJECT_ENUM(name, code, text) TL_OUCH_REJECT_##name = (code),
enum tl_ouch_reject { TL_OUCH_REJECTS(TL_OUCH_REJECT_ENUM) };
#undef TL_OUCH_REJECT_ENUM
const char *tl_ouch_reject_text(uint16_t code);

/* A request of any type: its fields, and the options that it has. */
typedef struct tl_ouch_request {
    uint64_t price;
    uint32_t user_ref_num, orig_user_ref_num, quantity;
    char symbol[8];
    char cl_ord_id[14];
    char firm[4]; /* the field, or the option; all 0: neither is there */
    char type, side, time_in_force, display, capacity, sweep, cross_type;
    const uint8_t *options; /* the appendage, of options whose lengths are right */
    size_t options_size;
} tl_ouch_request;

#define TL_OUCH_FAULTS(X)                                                                          \
    X(NONE, "it is a request of OUCH 5.0")                                                         \
    X(EMPTY, "it has no bytes")                                                                    \
    X(TYPE, "OUCH 5.0 has no request of this type")                                                \
    X(SIZE, "it is not as long as its fields and appendage say")                                   \
    X(OPTION, "its appendage has an option that is unknown, doubled or of a wrong length")
#define TL_OUCH_FAULT_ENUM(name, text) TL_OUCH_FAULT_##name,
typedef enum tl_ouch_fault { TL_OUCH_FAULTS(TL_OUCH_FAULT_ENUM) } tl_ouch_fault;
#undef TL_OUCH_FAULT_ENUM
const char *tl_ouch_fault_text(tl_ouch_fault fault);

/* Read a request. At OPTION its fields are there and its options are not; at the faults before that
 * there is nothing. */
tl_ouch_fault tl_ouch_read(const uint8_t *bytes, size_t size, tl_ouch_request *request);
/* The value of an option; NULL: it is not there. */
const uint8_t *tl_ouch_option(const tl_ouch_request *request, uint8_t tag);

/* A field whose value this venue can not carry out: its reject code and `*name`; 0: none. */
uint16_t tl_ouch_refused(const tl_ouch_request *request, const char **name);

/* Bytes of an answer by its type, with an appendage where there must be one. */
size_t tl_ouch_answer_size(char type);
/* An empty appendage, or one of the option FIRM, behind a message that is `size` bytes without it.
 * The bytes of both. */
size_t tl_ouch_put_options(uint8_t *message, size_t size, const char *firm);

#endif
