/* A message split into fields, groups included. See fix_message.h.
 *
 * Groups are walked with a stack of as many levels as a dictionary nests: a field that is no member
 * of the group it is met in ends that group, and is looked at again one level further out.
 */
#include "touchline/wire/fix_message.h"

#include "touchline/wire/fix_tables.h"
#include "touchline/wire/fix_text.h"

#include <errno.h>
#include <string.h>

enum { INVALID_TAG = 0, BAD_FORMAT = 6, REPEATED = 13, GROUP_ORDER = 15, BAD_COUNT = 16 };
enum { MSG_SEQ_NUM = 34, MSG_TYPE = 35, POSS_DUP = 43, POSS_RESEND = 97 };
#define TAG_DIGITS_MAX 9
#define USER_TAG_MIN 5000u
#define MEMBER_WORDS (TL_FIX_MEMBERS_MAX / 64)

_Static_assert(TL_FIX_DEPTH_MAX <= TL_FIX_MARK_DEPTH, "a mark holds every depth");
_Static_assert(TL_FIX_FIELDS_MAX < UINT16_MAX, "a place is 16 bits");

typedef struct level {
    const tl_fix_group_rule *rule;
    const tl_fix_dictionary *dictionary;
    uint32_t count_at; /* place of the count's field */
    uint32_t entries;
    uint64_t seen[MEMBER_WORDS]; /* members of the entry at hand */
} level;

typedef struct splitter {
    tl_fix_message *message;
    const tl_fix_dialect *dialect;
    uint32_t depth;
    uint32_t awaited; /* the data field that must come next; 0: none */
    uint32_t data_size;
    bool seen_used[2];
    level levels[TL_FIX_DEPTH_MAX];
} splitter;

static const tl_fix_field_rule *rule_of(const splitter *splitter, uint32_t tag)
{
    const tl_fix_dialect *dialect = splitter->dialect;
    const tl_fix_field_rule *rule = tl_fix_field_rule_of(dialect->session, tag);
    if (rule == NULL && dialect->application != dialect->session)
        rule = tl_fix_field_rule_of(dialect->application, tag);
    return rule;
}

/* ── one field ───────────────────────────────────────────────────────────────────────────────── */

static bool malformed(tl_fix_message *message, uint32_t tag, int reason)
{
    message->malformed = tag;
    message->malformed_reason = reason;
    return false;
}

/* "TAG=" at `*at`, which is moved behind it. */
static bool read_tag(tl_fix_message *message, uint32_t *at, uint32_t *tag)
{
    const char *bytes = message->bytes;
    uint32_t number = 0, first = *at, place = first;
    for (; place < message->size && place - first <= TAG_DIGITS_MAX; place++) {
        unsigned digit = (unsigned char)bytes[place] - (unsigned)'0';
        if (digit > 9)
            break;
        number = number * 10 + digit;
    }
    bool good = place > first && place - first <= TAG_DIGITS_MAX && place < message->size &&
                bytes[place] == '=' && bytes[first] != '0' && number <= TL_FIX_TAG_MAX;
    if (!good)
        return malformed(message, place - first <= TAG_DIGITS_MAX ? number : 0, INVALID_TAG);
    *at = place + 1;
    *tag = number;
    return true;
}

/* The size of a value at `at`: to SOH, or of data as its length said. */
static bool read_value(splitter *splitter, const tl_fix_field_rule *rule, uint32_t tag, uint32_t at,
                       uint32_t *size)
{
    tl_fix_message *message = splitter->message;
    const char *bytes = message->bytes;
    if (splitter->awaited != 0 && splitter->awaited != tag)
        return malformed(message, message->fields[message->count - 1].tag, BAD_FORMAT);
    if (rule != NULL && (rule->flags & TL_FIX_IS_DATA) != 0) {
        *size = splitter->data_size;
        bool fits = splitter->awaited == tag && *size < message->size - at &&
                    bytes[at + *size] == TL_FIX_SOH;
        splitter->awaited = 0;
        return fits || malformed(message, tag, BAD_FORMAT);
    }
    uint32_t end = at;
    while (end < message->size && bytes[end] != TL_FIX_SOH)
        end++;
    *size = end - at;
    if (end == message->size)
        return malformed(message, tag, BAD_FORMAT);
    if (rule != NULL && (rule->flags & TL_FIX_IS_LENGTH) != 0) {
        uint64_t length;
        if (!tl_fix_read_uint(bytes + at, *size, &length) || length >= message->size)
            return malformed(message, tag, BAD_FORMAT);
        splitter->awaited = rule->partner;
        splitter->data_size = (uint32_t)length;
    }
    return true;
}

/* ── groups ──────────────────────────────────────────────────────────────────────────────────── */

static void group_fault(tl_fix_message *message, int reason, uint32_t tag)
{
    if (message->group_reason < 0) {
        message->group_reason = reason;
        message->group_tag = tag;
    }
}

/* Where the tag stands among the group's members; -1: it is none. */
static int member_of(const level *level, uint32_t tag)
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

static void end_entry(splitter *splitter, const level *level)
{
    const tl_fix_group_rule *rule = level->rule;
    const uint16_t *numbers = level->dictionary->numbers;
    for (uint16_t i = 0; i < rule->required_count && level->entries > 0; i++) {
        uint16_t place = numbers[rule->required + i];
        if ((level->seen[place / 64] >> place % 64 & 1) == 0 && splitter->message->missing == 0)
            splitter->message->missing = numbers[rule->members + place];
    }
}

static void end_group(splitter *splitter)
{
    tl_fix_message *message = splitter->message;
    const level *level = &splitter->levels[--splitter->depth];
    const tl_fix_field *count = &message->fields[level->count_at];
    end_entry(splitter, level);
    uint64_t claimed;
    if (tl_fix_read_uint(tl_fix_value(message, count), count->size, &claimed) &&
        claimed == level->entries)
        return;
    if (splitter->depth == 0)
        message->marks[level->count_at] |= TL_FIX_MARK_MISCOUNTED;
    else
        group_fault(message, BAD_COUNT, count->tag);
}

static void begin_group(splitter *splitter, const tl_fix_dictionary *dictionary,
                        const tl_fix_group_rule *rule, uint32_t count_at)
{
    if (rule == NULL || splitter->depth == TL_FIX_DEPTH_MAX)
        return;
    level *level = &splitter->levels[splitter->depth++];
    level->rule = rule;
    level->dictionary = dictionary;
    level->count_at = count_at;
    level->entries = 0;
}

/* Is the field one of the innermost group's? */
static bool take_member(splitter *splitter, uint32_t at)
{
    tl_fix_message *message = splitter->message;
    level *level = &splitter->levels[splitter->depth - 1];
    const tl_fix_group_rule *rule = level->rule;
    uint32_t tag = message->fields[at].tag;
    int place = member_of(level, tag);
    if (place < 0)
        return false;
    if (tag == rule->delimiter || level->entries == 0) {
        if (tag != rule->delimiter)
            group_fault(message, GROUP_ORDER, tag);
        end_entry(splitter, level);
        level->entries++;
        memset(level->seen, 0, (rule->members_count + 63u) / 64 * sizeof *level->seen);
    }
    uint64_t bit = UINT64_C(1) << place % 64;
    if ((level->seen[place / 64] & bit) != 0)
        group_fault(message, REPEATED, tag);
    level->seen[place / 64] |= bit;
    message->marks[at] = (uint8_t)splitter->depth;
    if (rule->groups_count > 0)
        begin_group(splitter, level->dictionary,
                    tl_fix_group_rule_of(level->dictionary, rule->groups, rule->groups_count, tag),
                    at);
    return true;
}

/* ── fields outside groups ───────────────────────────────────────────────────────────────────── */

/* Was the tag, from 1024 on, met before? Only the words that such tags need are ever cleared. */
static bool seen_before(splitter *splitter, uint32_t tag)
{
    int high = tag >= USER_TAG_MIN;
    uint64_t *seen = splitter->message->seen[high];
    if (!splitter->seen_used[high]) {
        splitter->seen_used[high] = true;
        memset(seen, 0, (high ? TL_FIX_SEEN_WORDS : USER_TAG_MIN / 64 + 1) * sizeof *seen);
    }
    uint64_t bit = UINT64_C(1) << tag % 64, before = seen[tag / 64];
    seen[tag / 64] = before | bit;
    return (before & bit) != 0;
}

static void take_outside(splitter *splitter, const tl_fix_field_rule *rule, uint32_t at)
{
    tl_fix_message *message = splitter->message;
    uint32_t tag = message->fields[at].tag;
    message->marks[at] = 0;
    if (tag < sizeof message->place / sizeof *message->place) {
        if (message->place[tag] == 0)
            message->place[tag] = (uint16_t)(at + 1);
        else
            message->marks[at] = TL_FIX_MARK_REPEATED;
    } else if (seen_before(splitter, tag)) {
        message->marks[at] = TL_FIX_MARK_REPEATED;
    }
    if (rule == NULL || message->rule == NULL || (rule->flags & TL_FIX_IS_COUNT) == 0)
        return;
    const tl_fix_dictionary *dictionary = message->dictionary;
    const tl_fix_message_rule *owner = message->rule;
    if ((rule->flags & TL_FIX_IN_HEADER) != 0) {
        dictionary = splitter->dialect->session;
        owner = &dictionary->ends[0];
    }
    begin_group(splitter, dictionary,
                tl_fix_group_rule_of(dictionary, owner->groups, owner->groups_count, tag), at);
}

/* ── the whole message ───────────────────────────────────────────────────────────────────────── */

static void set_type(splitter *splitter, const tl_fix_field *field)
{
    tl_fix_message *message = splitter->message;
    const tl_fix_dialect *dialect = splitter->dialect;
    const char *text = tl_fix_value(message, field);
    message->dictionary = dialect->session;
    message->rule = tl_fix_message_rule_of(dialect->session, text, field->size);
    if (message->rule == NULL && dialect->application != dialect->session) {
        message->dictionary = dialect->application;
        message->rule = tl_fix_message_rule_of(dialect->application, text, field->size);
    }
    message->type = message->rule == NULL ? TL_FIX_UNKNOWN : message->rule->type;
}

static bool take_field(splitter *splitter, uint32_t *at)
{
    tl_fix_message *message = splitter->message;
    uint32_t tag, size, place = message->count;
    if (!read_tag(message, at, &tag))
        return false;
    const tl_fix_field_rule *rule = rule_of(splitter, tag);
    if (!read_value(splitter, rule, tag, *at, &size))
        return false;
    message->fields[place] = (tl_fix_field){tag, *at, size};
    message->count++;
    *at += size + 1;
    if (place == 2 && tag == MSG_TYPE)
        set_type(splitter, &message->fields[place]);
    while (splitter->depth > 0) {
        if (take_member(splitter, place))
            return true;
        end_group(splitter);
    }
    take_outside(splitter, rule, place);
    return true;
}

static bool begins_well(const tl_fix_message *message, const tl_fix_dialect *dialect)
{
    static const uint32_t first[] = {8, 9, MSG_TYPE};
    if (message->count < 3)
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (message->fields[i].tag != first[i])
            return false;
    const char *expected = dialect->begin_string;
    size_t size = strlen(expected);
    return message->fields[0].size == size &&
           memcmp(tl_fix_value(message, &message->fields[0]), expected, size) == 0;
}

int tl_fix_parse(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                 size_t size)
{
    if (size > TL_FIX_MESSAGE_MAX)
        return -EBADMSG;
    memset(message, 0, offsetof(tl_fix_message, marks));
    message->bytes = bytes;
    message->size = (uint32_t)size;
    message->malformed = UINT32_MAX;
    message->group_reason = -1;
    splitter splitter;
    splitter.message = message;
    splitter.dialect = dialect;
    splitter.depth = splitter.awaited = splitter.data_size = 0;
    splitter.seen_used[0] = splitter.seen_used[1] = false;
    uint32_t at = 0;
    while (at < size && take_field(&splitter, &at)) {
    }
    while (splitter.depth > 0)
        end_group(&splitter);
    if (!begins_well(message, dialect))
        return -EBADMSG;
    if (splitter.awaited != 0 && message->malformed == UINT32_MAX)
        malformed(message, message->fields[message->count - 1].tag, BAD_FORMAT);
    const tl_fix_field *number = tl_fix_find(message, MSG_SEQ_NUM);
    if (number != NULL && !tl_fix_read_uint(tl_fix_value(message, number), number->size,
                                            &message->msg_seq_num))
        message->msg_seq_num = 0;
    message->poss_dup = tl_fix_is(message, POSS_DUP, 'Y');
    message->poss_resend = tl_fix_is(message, POSS_RESEND, 'Y');
    return 0;
}

const tl_fix_field *tl_fix_find(const tl_fix_message *message, uint32_t tag)
{
    if (tag < sizeof message->place / sizeof *message->place) {
        uint16_t place = message->place[tag];
        return place == 0 ? NULL : &message->fields[place - 1];
    }
    for (uint32_t i = 0; i < message->count; i++)
        if (message->fields[i].tag == tag && (message->marks[i] & TL_FIX_MARK_DEPTH) == 0)
            return &message->fields[i];
    return NULL;
}

bool tl_fix_is(const tl_fix_message *message, uint32_t tag, char value)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && field->size == 1 && *tl_fix_value(message, field) == value;
}

/* ── entries of a group ──────────────────────────────────────────────────────────────────────── */

/* The entry that begins at place `at`, when one does: a field one group deep. */
static bool entry_at(const tl_fix_message *message, uint32_t at, const tl_fix_field **first,
                     uint32_t *fields)
{
    if (at >= message->count || (message->marks[at] & TL_FIX_MARK_DEPTH) != 1)
        return false;
    uint32_t end = at + 1, delimiter = message->fields[at].tag;
    while (end < message->count) {
        uint32_t depth = message->marks[end] & TL_FIX_MARK_DEPTH;
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
