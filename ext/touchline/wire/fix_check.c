/* A message held against its dictionary. See fix_message.h.
 *
 * Of many faults the one is named that QuickFIX names: those of the whole first, then those of
 * the header, the trailer and the body, in each by ascending tag (the first three and the last
 * field apart), then those within groups, which QuickFIX does not look into.
 */
#include "touchline/wire/fix_format.h"
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_tables.h"

enum {
    INVALID_TAG = 0,
    MISSING = 1,
    NOT_OF_MESSAGE = 2,
    NO_VALUE = 4,
    BAD_VALUE = 5,
    BAD_FORMAT = 6,
    BAD_MSG_TYPE = 11,
    REPEATED = 13,
    OUT_OF_ORDER = 14,
    BAD_COUNT = 16
};
#define USER_TAG_MIN 5000u
#define UNSUPPORTED_MESSAGE 3

typedef enum part { HEADER, TRAILER, BODY, ENTRY } part;

static const char *text_of(int reason)
{
    static const char *const texts[] = {
        [INVALID_TAG] = "Invalid tag number",
        [MISSING] = "Required tag missing",
        [NOT_OF_MESSAGE] = "Tag not defined for this message type",
        [3] = "Undefined tag",
        [NO_VALUE] = "Tag specified without a value",
        [BAD_VALUE] = "Value is incorrect (out of range) for this tag",
        [BAD_FORMAT] = "Incorrect data format for value",
        [7] = "Decryption problem",
        [8] = "Signature problem",
        [9] = "CompID problem",
        [10] = "SendingTime accuracy problem",
        [BAD_MSG_TYPE] = "Invalid MsgType",
        [12] = "XML validation error",
        [REPEATED] = "Tag appears more than once",
        [OUT_OF_ORDER] = "Tag specified out of required order",
        [15] = "Repeating group fields out of order",
        [BAD_COUNT] = "Incorrect NumInGroup count for repeating group",
    };
    return texts[reason];
}

static tl_fix_verdict fault(int reason, uint32_t tag)
{
    return (tl_fix_verdict){reason, 0, tag, text_of(reason)};
}

/* ── where a field belongs ───────────────────────────────────────────────────────────────────── */

static const tl_fix_field_rule *rule_of(const tl_fix_message *message,
                                        const tl_fix_dialect *dialect, uint32_t tag, part *part)
{
    const tl_fix_dictionary *session = dialect->session, *body = message->dictionary;
    const tl_fix_field_rule *rule = tl_fix_field_rule_of(session, tag);
    *part = BODY;
    if (rule != NULL && (rule->flags & TL_FIX_IN_HEADER) != 0)
        *part = HEADER;
    else if (rule != NULL && (rule->flags & TL_FIX_IN_TRAILER) != 0)
        *part = TRAILER;
    else if (body != session)
        rule = tl_fix_field_rule_of(body, tag);
    return rule;
}

/* The lower, the sooner a fault of the field is named. */
static uint64_t rank_of(part part, uint32_t tag, uint32_t at)
{
    uint32_t order = tag;
    if (part == HEADER && (tag == 8 || tag == 9 || tag == 35))
        order = tag == 8 ? 0 : tag == 9 ? 1 : 2;
    if (part == TRAILER && tag == 10)
        order = UINT32_MAX;
    if (part == ENTRY)
        order = at;
    return (uint64_t)part << 32 | order;
}

/* ── values ──────────────────────────────────────────────────────────────────────────────────── */

static bool tokens_allowed(const tl_fix_dictionary *dictionary, const tl_fix_values *values,
                           const char *text, size_t size)
{
    size_t first = 0;
    for (size_t at = 0; at <= size; at++) {
        if (at < size && text[at] != ' ')
            continue;
        if (!tl_fix_value_allowed(dictionary, values, text + first, at - first))
            return false;
        first = at + 1;
    }
    return true;
}

/* -1: the value is good. */
static int value_fault(const tl_fix_dictionary *dictionary, const tl_fix_field_rule *rule,
                       const char *text, size_t size)
{
    tl_fix_type type = rule == NULL ? TL_FIX_TYPE_TEXT : rule->type;
    bool may_be_empty = type == TL_FIX_TYPE_DATA;
    if (size == 0)
        return may_be_empty ? -1 : NO_VALUE;
    if (!tl_fix_format_good(type, text, size))
        return BAD_FORMAT;
    if (rule == NULL || rule->values == 0)
        return -1;
    const tl_fix_values *values = &dictionary->values[rule->values - 1];
    bool allowed = type == TL_FIX_TYPE_TOKENS ? tokens_allowed(dictionary, values, text, size)
                                              : tl_fix_value_allowed(dictionary, values, text,
                                                                     size);
    return allowed ? -1 : BAD_VALUE;
}

/* -1: the field is good. */
static int field_fault(const tl_fix_message *message, const tl_fix_dialect *dialect, uint32_t at,
                       const tl_fix_field_rule *rule, part part)
{
    const tl_fix_field *field = &message->fields[at];
    const tl_fix_dictionary *dictionary = message->dictionary;
    if (part == HEADER || part == TRAILER)
        dictionary = dialect->session;
    if (part == ENTRY && rule == NULL) { /* of a group of the header */
        dictionary = dialect->session;
        rule = tl_fix_field_rule_of(dictionary, field->tag);
    }
    uint8_t marks = message->marks[at];
    if ((marks & TL_FIX_MARK_REPEATED) != 0)
        return REPEATED;
    int reason = value_fault(dictionary, rule, tl_fix_value(message, field), field->size);
    if (reason >= 0)
        return reason;
    if (field->tag < USER_TAG_MIN) {
        if (rule == NULL)
            return INVALID_TAG;
        if (part == BODY && !tl_fix_allowed(dictionary, message->rule, rule))
            return NOT_OF_MESSAGE;
    }
    return (marks & TL_FIX_MARK_MISCOUNTED) != 0 ? BAD_COUNT : -1;
}

static tl_fix_verdict check_fields(const tl_fix_message *message, const tl_fix_dialect *dialect)
{
    uint64_t lowest = UINT64_MAX;
    tl_fix_verdict verdict = {.reason = -1};
    for (uint32_t i = 0; i < message->count; i++) {
        part part;
        uint32_t tag = message->fields[i].tag;
        const tl_fix_field_rule *rule = rule_of(message, dialect, tag, &part);
        bool grouped = (message->marks[i] & TL_FIX_MARK_DEPTH) != 0;
        int reason = field_fault(message, dialect, i, rule, grouped ? ENTRY : part);
        if (reason < 0)
            continue;
        uint64_t rank = rank_of(grouped ? ENTRY : part, tag, i);
        if (rank < lowest) {
            lowest = rank;
            verdict = fault(reason, tag);
        }
    }
    return verdict;
}

/* ── the whole ───────────────────────────────────────────────────────────────────────────────── */

/* The first field that comes after those of a later part; 0: none does. */
static uint32_t out_of_order(const tl_fix_message *message, const tl_fix_dialect *dialect)
{
    static const uint8_t turn[] = {[HEADER] = 0, [BODY] = 1, [TRAILER] = 2};
    uint8_t now = 0;
    for (uint32_t i = 0; i < message->count; i++) {
        if ((message->marks[i] & TL_FIX_MARK_DEPTH) != 0)
            continue;
        part part;
        rule_of(message, dialect, message->fields[i].tag, &part);
        if (turn[part] < now)
            return message->fields[i].tag;
        now = turn[part];
    }
    return 0;
}

static uint32_t missing_of(const tl_fix_message *message, const tl_fix_dictionary *dictionary,
                           const tl_fix_message_rule *rule)
{
    for (uint16_t i = 0; i < rule->required_count; i++) {
        uint16_t tag = dictionary->numbers[rule->required + i];
        if (tl_fix_find(message, tag) == NULL)
            return tag;
    }
    return 0;
}

static uint32_t missing(const tl_fix_message *message, const tl_fix_dialect *dialect)
{
    const tl_fix_dictionary *session = dialect->session;
    uint32_t tag = missing_of(message, session, &session->ends[0]);
    if (tag == 0)
        tag = missing_of(message, session, &session->ends[1]);
    if (tag == 0)
        tag = missing_of(message, message->dictionary, message->rule);
    return tag == 0 ? message->missing : tag;
}

tl_fix_verdict tl_fix_check(const tl_fix_message *message, const tl_fix_dialect *dialect)
{
    if (message->malformed != UINT32_MAX)
        return fault(message->malformed_reason, message->malformed);
    uint32_t tag = out_of_order(message, dialect);
    if (tag != 0)
        return fault(OUT_OF_ORDER, tag);
    if (message->rule == NULL)
        return fault(BAD_MSG_TYPE, 0);
    tag = missing(message, dialect);
    if (tag != 0)
        return fault(MISSING, tag);
    tl_fix_verdict verdict = check_fields(message, dialect);
    if (verdict.reason < 0 && message->group_reason >= 0)
        verdict = fault(message->group_reason, message->group_tag);
    if (verdict.reason < 0 && message->type == TL_FIX_OTHER)
        verdict = (tl_fix_verdict){-1, UNSUPPORTED_MESSAGE, 0, "Unsupported Message Type"};
    return verdict;
}
