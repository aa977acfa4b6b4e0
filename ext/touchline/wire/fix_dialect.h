/* What the FIX versions call things: one row each.
 *
 * The tables of fields, messages and groups are in fix_tables.c, which fix/generate.py wrote from
 * the data dictionaries. A session speaks one dialect: its transport (BeginString) and the version
 * of its application messages, which from FIXT.1.1 on are two things.
 */
#ifndef TOUCHLINE_FIX_DIALECT_H
#define TOUCHLINE_FIX_DIALECT_H

#include <stddef.h>
#include <stdint.h>

/* The MsgTypes(35) that have a part here; all others of a dictionary are TL_FIX_OTHER: known and
 * checked like these, and answered by BusinessMessageReject, 380 = 3. */
#define TL_FIX_MSG_TYPES(X)                                                                        \
    X(HEARTBEAT, "0")                                                                              \
    X(TEST_REQUEST, "1")                                                                           \
    X(RESEND_REQUEST, "2")                                                                         \
    X(REJECT, "3")                                                                                 \
    X(SEQUENCE_RESET, "4")                                                                         \
    X(LOGOUT, "5")                                                                                 \
    X(EXECUTION_REPORT, "8")                                                                       \
    X(ORDER_CANCEL_REJECT, "9")                                                                    \
    X(LOGON, "A")                                                                                  \
    X(NEWS, "B")                                                                                   \
    X(NEW_ORDER_SINGLE, "D")                                                                       \
    X(ORDER_CANCEL_REQUEST, "F")                                                                   \
    X(ORDER_CANCEL_REPLACE_REQUEST, "G")                                                           \
    X(ORDER_STATUS_REQUEST, "H")                                                                   \
    X(MARKET_DATA_REQUEST, "V")                                                                    \
    X(MARKET_DATA_SNAPSHOT, "W")                                                                   \
    X(MARKET_DATA_INCREMENTAL, "X")                                                                \
    X(MARKET_DATA_REQUEST_REJECT, "Y")                                                             \
    X(SECURITY_DEFINITION_REQUEST, "c")                                                            \
    X(SECURITY_DEFINITION, "d")                                                                    \
    X(SECURITY_STATUS_REQUEST, "e")                                                                \
    X(SECURITY_STATUS, "f")                                                                        \
    X(TRADING_SESSION_STATUS_REQUEST, "g")                                                         \
    X(TRADING_SESSION_STATUS, "h")                                                                 \
    X(BUSINESS_MESSAGE_REJECT, "j")                                                                \
    X(ORDER_MASS_CANCEL_REQUEST, "q")                                                              \
    X(ORDER_MASS_CANCEL_REPORT, "r")                                                               \
    X(SECURITY_LIST_REQUEST, "x")                                                                  \
    X(SECURITY_LIST, "y")                                                                          \
    X(TRADE_CAPTURE_REPORT_REQUEST, "AD")                                                          \
    X(TRADE_CAPTURE_REPORT, "AE")                                                                  \
    X(ORDER_MASS_STATUS_REQUEST, "AF")                                                             \
    X(TRADE_CAPTURE_REPORT_REQUEST_ACK, "AQ")

#define TL_FIX_ENUM(name, text) TL_FIX_##name,
typedef enum tl_fix_msg_type {
    TL_FIX_UNKNOWN, /* no MsgType of the dictionary */
    TL_FIX_OTHER,
    TL_FIX_MSG_TYPES(TL_FIX_ENUM) TL_FIX_MSG_TYPES_COUNT
} tl_fix_msg_type;
#undef TL_FIX_ENUM

typedef enum tl_fix_version { TL_FIX_42, TL_FIX_44, TL_FIX_50SP2 } tl_fix_version;

typedef struct tl_fix_dictionary tl_fix_dictionary; /* fix_tables.h */

typedef struct tl_fix_dialect {
    tl_fix_version version;
    const char *begin_string;             /* "FIX.4.2", "FIX.4.4", "FIXT.1.1" */
    uint32_t begin_size;
    const char *appl_ver_id;              /* "" or DefaultApplVerID(1137): "9" */
    const tl_fix_dictionary *session;     /* header, trailer, administrative messages */
    const tl_fix_dictionary *application; /* the same but for FIXT.1.1 */
    uint64_t ord_rej_reasons[2];          /* bit n of the 128: OrdRejReason(103) n is known */
    uint64_t cxl_rej_reasons[2];          /* CxlRejReason(102) */
    uint8_t other_ord, other_cxl;         /* for a reason that is not */
} tl_fix_dialect;

/* NULL: no such version here. `appl_ver_id` is looked at for FIXT.1.1 alone. */
const tl_fix_dialect *tl_fix_dialect_find(const char *begin_string, const char *appl_ver_id);
/* The text of a MsgType(35), "" for UNKNOWN and OTHER. */
const char *tl_fix_msg_type_text(tl_fix_msg_type type);

#endif
