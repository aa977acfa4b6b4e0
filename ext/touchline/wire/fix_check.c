/* A message held against its dictionary. See fix_message.h.
 *
 * Of many faults the one is named that QuickFIX names: those of the whole first, then those of
 * the header, the trailer and the body, in each by ascending tag (the first three and the last
 * field apart), then those within groups, which QuickFIX does not look into.
 */
#include "touchline/wire/fix_format.h"
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_message_split.h"

#define UNSUPPORTED_MESSAGE 3

static const char *text_of(int reason)
{
    static const char *const texts[] = {
        [TL_FIX_INVALID_TAG] = "Invalid tag number",
        [TL_FIX_MISSING] = "Required tag missing",
        [TL_FIX_NOT_OF_MESSAGE] = "Tag not defined for this message type",
        [3] = "Undefined tag",
        [TL_FIX_NO_VALUE] = "Tag specified without a value",
        [TL_FIX_BAD_VALUE] = "Value is incorrect (out of range) for this tag",
        [TL_FIX_BAD_FORMAT] = "Incorrect data format for value",
        [7] = "Decryption problem",
        [8] = "Signature problem",
        [9] = "CompID problem",
        [10] = "SendingTime accuracy problem",
        [TL_FIX_BAD_MSG_TYPE] = "Invalid MsgType",
        [12] = "XML validation error",
        [TL_FIX_REPEATED] = "Tag appears more than once",
        [TL_FIX_OUT_OF_ORDER] = "Tag specified out of required order",
        [15] = "Repeating group fields out of order",
        [TL_FIX_BAD_COUNT] = "Incorrect NumInGroup count for repeating group",
    };
    return texts[reason];
}

static tl_fix_verdict fault(int reason, uint32_t tag)
{
    return (tl_fix_verdict){reason, 0, tag, text_of(reason)};
}

/* ── of many faults ──────────────────────────────────────────────────────────────────────────── */

/* In the order in which their faults are named. */
typedef enum part { HEADER, TRAILER, BODY, ENTRY } part;

static part part_of(const tl_fix_field *field, const tl_fix_field_rule *rule)
{
    if (field->depth != 0)
        return ENTRY;
    if ((rule->flags & TL_FIX_IN_HEADER) != 0)
        return HEADER;
    return (rule->flags & TL_FIX_IN_TRAILER) != 0 ? TRAILER : BODY;
}

void tl_fix_blame(tl_fix_message *message, const tl_fix_field_rule *rule, uint32_t at, int reason)
{
    const uint32_t tag = message->fields[at].tag;
    const part part = part_of(&message->fields[at], rule);
    uint32_t order = tag;
    if (part == HEADER && (tag == 8 || tag == 9 || tag == 35))
        order = tag == 8 ? 0 : tag == 9 ? 1 : 2;
    if (part == TRAILER && tag == 10)
        order = UINT32_MAX;
    if (part == ENTRY)
        order = at;
    const uint64_t rank = (uint64_t)part << 32 | order;
    if (rank >= message->blame_rank)
        return;
    message->blame_rank = rank;
    message->blame_tag = tag;
    message->blame_reason = reason;
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

static bool value_allowed(const tl_fix_dictionary *dictionary, const tl_fix_field_rule *rule,
                          const char *text, size_t size)
{
    const tl_fix_values *values = &dictionary->values[rule->values - 1];
    return rule->type == TL_FIX_TYPE_TOKENS
               ? tokens_allowed(dictionary, values, text, size)
               : tl_fix_value_allowed(dictionary, values, text, size);
}

int tl_fix_value_fault(const tl_fix_dictionary *dictionary, const tl_fix_field_rule *rule,
                       const char *text, size_t size, bool plain)
{
    if (size == 0)
        return rule->type == TL_FIX_TYPE_DATA ? -1 : TL_FIX_NO_VALUE;
    const bool good = (plain && rule->type == TL_FIX_TYPE_TEXT) ||
                      tl_fix_format_good(rule->type, text, size);
    if (!good)
        return TL_FIX_BAD_FORMAT;
    if (rule->values == 0 || value_allowed(dictionary, rule, text, size))
        return -1;
    return TL_FIX_BAD_VALUE;
}

/* ── the whole ───────────────────────────────────────────────────────────────────────────────── */

/* 0: none is. */
static uint32_t missing_of(const tl_fix_message *message, const tl_fix_dictionary *dictionary,
                           const tl_fix_message_rule *rule)
{
    const uint16_t *tags = dictionary->numbers + rule->required;
    /* Those below 64 at once; one by one only to see which is missing. */
    const bool low = (message->present[0] & rule->low) == rule->low;
    for (uint16_t i = low ? rule->low_count : 0; i < rule->required_count; i++)
        if (tl_fix_find(message, tags[i]) == NULL)
            return tags[i];
    return 0;
}

uint32_t tl_fix_missing(const tl_fix_message *message, const tl_fix_dialect *dialect)
{
    if (message->complete)
        return 0;
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
    if (message->disordered != 0)
        return fault(TL_FIX_OUT_OF_ORDER, message->disordered);
    if (message->rule == NULL)
        return fault(TL_FIX_BAD_MSG_TYPE, 0);
    uint32_t tag = tl_fix_missing(message, dialect);
    if (tag != 0)
        return fault(TL_FIX_MISSING, tag);
    if (message->blame_reason >= 0)
        return fault(message->blame_reason, message->blame_tag);
    if (message->group_reason >= 0)
        return fault(message->group_reason, message->group_tag);
    if (message->type == TL_FIX_OTHER)
        return (tl_fix_verdict){-1, UNSUPPORTED_MESSAGE, 0, "Unsupported Message Type"};
    return (tl_fix_verdict){.reason = -1};
}
