/* Repeating groups. See fix_message.h.
 *
 * They are walked with a stack of as many levels as a dictionary nests: a field that is no member
 * of the group it is met in ends that group, and is looked at again one level further out.
 */
#include "touchline/wire/fix_message_split.h"
#include "touchline/wire/fix_text.h"

#include <string.h>

_Static_assert(TL_FIX_DEPTH_MAX <= UINT8_MAX, "a field holds every depth");

/* ── as the message is split ─────────────────────────────────────────────────────────────────── */

static void group_fault(tl_fix_message *message, int reason, uint32_t tag)
{
    if (message->group_reason < 0) {
        message->group_reason = reason;
        message->group_tag = tag;
    }
}

/* Where the tag stands among the group's members; -1: it is none. */
static int member_of(const tl_fix_level *level, uint32_t tag)
{
    const uint16_t *members = level->dictionary->numbers + level->rule->members;
    int low = 0, high = level->rule->members_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (members[middle] == tag)
            return middle;
        if (members[middle] < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static void end_entry(tl_fix_splitter *splitter, const tl_fix_level *level)
{
    const tl_fix_group_rule *rule = level->rule;
    const uint16_t *numbers = level->dictionary->numbers;
    for (uint16_t i = 0; i < rule->required_count && level->entries > 0; i++) {
        uint16_t place = numbers[rule->required + i];
        if ((level->seen[place / 64] >> place % 64 & 1) == 0 && splitter->message->missing == 0)
            splitter->message->missing = numbers[rule->members + place];
    }
}

static void end_group(tl_fix_splitter *splitter)
{
    tl_fix_message *message = splitter->message;
    const tl_fix_level *level = &splitter->levels[--splitter->depth];
    const tl_fix_field *count = &message->fields[level->count_at];
    end_entry(splitter, level);
    uint64_t claimed;
    if (tl_fix_read_uint(tl_fix_value(message, count), count->size, &claimed) &&
        claimed == level->entries)
        return;
    const tl_fix_dictionary *dictionary = level->dictionary;
    if (splitter->depth == 0)
        tl_fix_blame(message, &dictionary->fields[tl_fix_field_row(dictionary, count->tag)],
                     level->count_at, TL_FIX_BAD_COUNT);
    else
        group_fault(message, TL_FIX_BAD_COUNT, count->tag);
}

void tl_fix_split_end(tl_fix_splitter *splitter)
{
    while (splitter->depth > 0)
        end_group(splitter);
}

static void begin_group(tl_fix_splitter *splitter, const tl_fix_dictionary *dictionary,
                        const tl_fix_group_rule *rule, uint32_t count_at)
{
    if (rule == NULL || splitter->depth == TL_FIX_DEPTH_MAX)
        return;
    tl_fix_level *level = &splitter->levels[splitter->depth++];
    level->rule = rule;
    level->dictionary = dictionary;
    level->count_at = count_at;
    level->entries = 0;
}

void tl_fix_split_count(tl_fix_splitter *splitter, const tl_fix_field_rule *rule, uint32_t at)
{
    const tl_fix_message *message = splitter->message;
    const tl_fix_dictionary *dictionary = message->dictionary;
    const tl_fix_message_rule *owner = message->rule;
    if (owner == NULL)
        return;
    if ((rule->flags & TL_FIX_IN_HEADER) != 0) {
        dictionary = splitter->dialect->session;
        owner = &dictionary->ends[0];
    }
    begin_group(splitter, dictionary,
                tl_fix_group_rule_of(dictionary, owner->groups, owner->groups_count,
                                     message->fields[at].tag),
                at);
}

/* Is the field one of the innermost group's? */
static bool take_member(tl_fix_splitter *splitter, uint32_t at)
{
    tl_fix_message *message = splitter->message;
    tl_fix_level *level = &splitter->levels[splitter->depth - 1];
    const tl_fix_group_rule *rule = level->rule;
    uint32_t tag = message->fields[at].tag;
    int place = member_of(level, tag);
    if (place < 0)
        return false;
    if (tag == rule->delimiter || level->entries == 0) {
        if (tag != rule->delimiter)
            group_fault(message, TL_FIX_GROUP_ORDER, tag);
        end_entry(splitter, level);
        level->entries++;
        memset(level->seen, 0, (rule->members_count + 63u) / 64 * sizeof *level->seen);
    }
    uint64_t bit = UINT64_C(1) << place % 64;
    if ((level->seen[place / 64] & bit) != 0)
        group_fault(message, TL_FIX_REPEATED, tag);
    level->seen[place / 64] |= bit;
    message->fields[at].depth = (uint8_t)splitter->depth;
    if (rule->groups_count > 0)
        begin_group(splitter, level->dictionary,
                    tl_fix_group_rule_of(level->dictionary, rule->groups, rule->groups_count, tag),
                    at);
    return true;
}

bool tl_fix_split_member(tl_fix_splitter *splitter, uint32_t at)
{
    for (; splitter->depth > 0; end_group(splitter))
        if (take_member(splitter, at))
            return true;
    return false;
}

/* ── entries, when it is ─────────────────────────────────────────────────────────────────────── */

/* The entry that begins at place `at`, when one does: a field one group deep. */
static bool entry_at(const tl_fix_message *message, uint32_t at, const tl_fix_field **first,
                     uint32_t *fields)
{
    if (at >= message->count || message->fields[at].depth != 1)
        return false;
    uint32_t end = at + 1, delimiter = message->fields[at].tag;
    while (end < message->count) {
        uint32_t depth = message->fields[end].depth;
        if (depth == 0 || (depth == 1 && message->fields[end].tag == delimiter))
            break;
        end++;
    }
    *first = &message->fields[at];
    *fields = end - at;
    return true;
}

bool tl_fix_group_next(const tl_fix_message *message, const tl_fix_field **first, uint32_t *fields)
{
    return entry_at(message, (uint32_t)(*first - message->fields) + *fields, first, fields);
}

bool tl_fix_group(const tl_fix_message *message, const tl_fix_dialect *dialect,
                  uint32_t count_tag, uint32_t index, const tl_fix_field **first,
                  uint32_t *fields)
{
    (void)dialect;
    const tl_fix_field *count = tl_fix_find(message, count_tag);
    if (count == NULL ||
        !entry_at(message, (uint32_t)(count - message->fields) + 1, first, fields))
        return false;
    for (uint32_t i = 0; i < index; i++)
        if (!tl_fix_group_next(message, first, fields))
            return false;
    return true;
}
