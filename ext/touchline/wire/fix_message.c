/* A message split into fields, each checked on the way. See fix_message.h. */
#include "touchline/wire/fix_message.h"

#include "touchline/wire/fix_message_split.h"
#include "touchline/wire/fix_text.h"
#include "touchline/wire/fix_text_scan.h"

#include <errno.h>
#include <string.h>

enum { MSG_SEQ_NUM = 34, MSG_TYPE = 35, POSS_DUP = 43, POSS_RESEND = 97 };
#define TAG_DIGITS_MAX 9   /* that are read */
#define TAG_DIGITS_GOOD 5  /* of TL_FIX_TAG_MAX */

_Static_assert(TL_FIX_FIELDS_MAX < UINT16_MAX, "a place is 16 bits");

/* A field's rules: by which it is split, and by which it is checked. They are two where the
 * session's dictionary has a tag that the message's has, too. */
typedef struct rules {
    const tl_fix_field_rule *split;
    tl_fix_ruled check;
    uint32_t row; /* of check.rule */
} rules;

/* The rules by the message's own dictionary, for a tag that is not of header or trailer. */
static rules rules_apart(const tl_fix_splitter *splitter, uint32_t tag, rules rules)
{
    const tl_fix_dictionary *application = splitter->dialect->application;
    uint32_t row = tl_fix_field_row(application, tag);
    if (rules.split->tag == 0)
        rules.split = &application->fields[row];
    if (splitter->message->dictionary == application) {
        rules.check = (tl_fix_ruled){application, &application->fields[row]};
        rules.row = row;
    }
    return rules;
}

static inline rules rules_of(const tl_fix_splitter *splitter, uint32_t tag)
{
    const tl_fix_dictionary *session = splitter->dialect->session;
    const uint32_t row = tl_fix_field_row(session, tag);
    const tl_fix_field_rule *rule = &session->fields[row];
    const rules rules = {rule, {session, rule}, row};
    if (session == splitter->dialect->application ||
        (rule->flags & (TL_FIX_IN_HEADER | TL_FIX_IN_TRAILER)) != 0)
        return rules;
    return rules_apart(splitter, tag, rules);
}

/* ── one field ───────────────────────────────────────────────────────────────────────────────── */

static bool malformed(tl_fix_message *message, uint32_t tag, int reason)
{
    message->malformed = tag;
    message->malformed_reason = reason;
    return false;
}

/* "TAG=" at `*at`, which is moved behind it. */
static bool read_tag_slowly(tl_fix_message *message, uint32_t *at, uint32_t *tag)
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
        return malformed(message, place - first <= TAG_DIGITS_MAX ? number : 0,
                         TL_FIX_INVALID_TAG);
    *at = place + 1;
    *tag = number;
    return true;
}

/* The same, where a good tag is sure not to run over the end. */
static inline bool read_tag(tl_fix_message *message, uint32_t *at, uint32_t *tag)
{
    const char *text = message->bytes + *at;
    if (message->size - *at > TAG_DIGITS_GOOD) {
        uint32_t number = (unsigned char)text[0] - (unsigned)'0', digits = 1;
        const bool good = number - 1 < 9;
        for (; digits < TAG_DIGITS_GOOD; digits++) {
            unsigned digit = (unsigned char)text[digits] - (unsigned)'0';
            if (digit > 9)
                break;
            number = number * 10 + digit;
        }
        if (text[digits] == '=' && good) {
            *at += digits + 1;
            *tag = number;
            return true;
        }
    }
    return read_tag_slowly(message, at, tag);
}

/* Where the value of a data field at `at` ends: as its length said. */
static bool read_data(tl_fix_splitter *splitter, uint32_t tag, uint32_t at, uint32_t *end)
{
    tl_fix_message *message = splitter->message;
    *end = at + splitter->data_size;
    bool fits = splitter->awaited == tag && splitter->data_size < message->size - at &&
                message->bytes[*end] == TL_FIX_SOH;
    splitter->awaited = 0;
    return fits || malformed(message, tag, TL_FIX_BAD_FORMAT);
}

/* The field with this value is the length of the one that must come next. */
static bool read_length(tl_fix_splitter *splitter, const tl_fix_field_rule *rule, uint32_t tag,
                        uint32_t at, uint32_t size)
{
    tl_fix_message *message = splitter->message;
    uint64_t length;
    if (!tl_fix_read_uint(message->bytes + at, size, &length) || length >= message->size)
        return malformed(message, tag, TL_FIX_BAD_FORMAT);
    splitter->awaited = rule->partner;
    splitter->data_size = (uint32_t)length;
    return true;
}

/* Where the value at `at` ends: at SOH, or of data where its length said. */
static inline bool read_value(tl_fix_splitter *splitter, const tl_fix_field_rule *rule,
                              uint32_t tag, uint32_t at, tl_fix_stretch *value)
{
    tl_fix_message *message = splitter->message;
    if (splitter->awaited != 0 && splitter->awaited != tag)
        return malformed(message, message->fields[message->count - 1].tag, TL_FIX_BAD_FORMAT);
    if ((rule->flags & TL_FIX_IS_DATA) != 0) {
        value->plain = false;
        return read_data(splitter, tag, at, &value->end);
    }
    *value = tl_fix_to_soh(message->bytes, at, message->size);
    if (value->end == message->size)
        return malformed(message, tag, TL_FIX_BAD_FORMAT);
    return (rule->flags & TL_FIX_IS_LENGTH) == 0 ||
           read_length(splitter, rule, tag, at, value->end - at);
}

/* ── fields outside groups ───────────────────────────────────────────────────────────────────── */

/* Was the tag, from 1024 on, met before? Only the words that such tags need are ever cleared. */
static bool seen_before(tl_fix_splitter *splitter, uint32_t tag)
{
    int high = tag >= TL_FIX_USER_TAG_MIN;
    uint64_t *seen = splitter->message->seen[high];
    if (!splitter->seen_used[high]) {
        splitter->seen_used[high] = true;
        memset(seen, 0,
               (high ? TL_FIX_SEEN_WORDS : TL_FIX_USER_TAG_MIN / 64 + 1) * sizeof *seen);
    }
    uint64_t bit = UINT64_C(1) << tag % 64, before = seen[tag / 64];
    seen[tag / 64] = before | bit;
    return (before & bit) != 0;
}

static inline bool met_before(tl_fix_splitter *splitter, uint32_t tag, uint32_t at)
{
    tl_fix_message *message = splitter->message;
    if (tag >= TL_FIX_LOW_TAGS)
        return seen_before(splitter, tag);
    const uint64_t bit = UINT64_C(1) << tag % 64, before = message->present[tag / 64];
    if ((before & bit) != 0)
        return true;
    message->present[tag / 64] = before | bit;
    message->place[tag] = (uint16_t)at;
    return false;
}

/* The field at `at` is known to be of that tag. -1, or what is wrong with it. */
static inline int take_outside(tl_fix_splitter *splitter, const rules *rules, uint32_t tag,
                               uint32_t at, bool plain)
{
    tl_fix_message *message = splitter->message;
    const tl_fix_field *field = &message->fields[at];
    const bool before = met_before(splitter, tag, at);
    const uint8_t turn =
        (rules->split->flags & (TL_FIX_IN_HEADER | TL_FIX_IN_TRAILER)) ^ TL_FIX_BODY;
    if (turn < splitter->turn && message->disordered == 0)
        message->disordered = tag;
    splitter->turn = turn;
    if (before)
        return TL_FIX_REPEATED;
    int reason = tl_fix_quick_fault(&rules->check, tl_fix_value(message, field), field->size,
                                    plain);
    if (reason >= 0 || turn != TL_FIX_BODY || tag >= TL_FIX_USER_TAG_MIN ||
        (splitter->allowed[rules->row / 64] >> rules->row % 64 & 1) != 0)
        return reason;
    return rules->check.rule->tag == 0 ? TL_FIX_INVALID_TAG : TL_FIX_NOT_OF_MESSAGE;
}

/* ── any field ───────────────────────────────────────────────────────────────────────────────── */

static void set_type(tl_fix_splitter *splitter, const tl_fix_field *field)
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
    /* Of a MsgType that does not exist nothing is allowed or not: any row will do. */
    splitter->allowed = message->dictionary->allowed;
    message->type = TL_FIX_UNKNOWN;
    if (message->rule == NULL)
        return;
    message->type = message->rule->type;
    splitter->allowed += (size_t)(message->rule - message->dictionary->messages) *
                         message->dictionary->words;
}

/* -1, or what is wrong with a field in a group. */
static int member_fault(const tl_fix_splitter *splitter, const rules *rules, uint32_t at,
                        bool plain)
{
    const tl_fix_field *field = &splitter->message->fields[at];
    tl_fix_ruled ruled = rules->check;
    if (ruled.rule->tag == 0) { /* of a group of the header */
        ruled.dictionary = splitter->dialect->session;
        ruled.rule = &ruled.dictionary->fields[tl_fix_field_row(ruled.dictionary, field->tag)];
    }
    return tl_fix_quick_fault(&ruled, tl_fix_value(splitter->message, field), field->size, plain);
}

static bool take_field(tl_fix_splitter *splitter, uint32_t *at)
{
    tl_fix_message *message = splitter->message;
    uint32_t tag, place = message->count;
    tl_fix_stretch value;
    if (!read_tag(message, at, &tag))
        return false;
    const rules rules = rules_of(splitter, tag);
    if (!read_value(splitter, rules.split, tag, *at, &value))
        return false;
    message->fields[place] = (tl_fix_field){tag, *at, value.end - *at, 0};
    message->count = place + 1;
    *at = value.end + 1;
    if (place == 2 && tag == MSG_TYPE)
        set_type(splitter, &message->fields[place]);
    if (splitter->depth > 0 && tl_fix_split_member(splitter, place)) {
        int reason = member_fault(splitter, &rules, place, value.plain);
        if (reason >= 0)
            tl_fix_blame(message, rules.check.rule, place, reason);
        return true;
    }
    int reason = take_outside(splitter, &rules, tag, place, value.plain);
    if (reason >= 0)
        tl_fix_blame(message, rules.check.rule, place, reason);
    if ((rules.split->flags & TL_FIX_IS_COUNT) != 0)
        tl_fix_split_count(splitter, rules.split, place);
    return true;
}

/* ── the whole message ───────────────────────────────────────────────────────────────────────── */

/* The first three, whose third is the MsgType; where the next one begins. */
static uint32_t take_first(tl_fix_splitter *splitter)
{
    tl_fix_message *message = splitter->message;
    const uint32_t at = tl_fix_split_quickly(splitter, 0, 3);
    if (message->count == 3 && message->fields[2].tag == MSG_TYPE)
        set_type(splitter, &message->fields[2]);
    return at;
}

/* Were all taken quickly, and all is well with them? */
static bool take_fields(tl_fix_splitter *splitter, bool quickly)
{
    const tl_fix_message *message = splitter->message;
    uint32_t at = 0;
    if (quickly)
        at = take_first(splitter);
    for (bool all = quickly;; all = false) {
        /* Not in an administrative message of FIXT, which has fields of its own dictionary only. */
        if (quickly && splitter->depth == 0 && splitter->awaited == 0 &&
            message->dictionary == splitter->dialect->application)
            at = tl_fix_split_quickly(splitter, at, UINT32_MAX);
        if (at >= message->size)
            return all && message->blame_reason < 0;
        if (!take_field(splitter, &at))
            return false;
    }
}

static bool begins_well(const tl_fix_message *message, const tl_fix_dialect *dialect)
{
    static const uint32_t first[] = {8, 9, MSG_TYPE};
    if (message->count < 3)
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (message->fields[i].tag != first[i])
            return false;
    const tl_fix_field *field = &message->fields[0];
    return field->size == dialect->begin_size &&
           memcmp(tl_fix_value(message, field), dialect->begin_string, field->size) == 0;
}

/* False: it does not even begin as one of the dialect. */
static bool split(tl_fix_message *message, const tl_fix_dialect *dialect, bool quickly)
{
    tl_fix_splitter splitter;
    message->shape = NULL;
    memset(message->present, 0, sizeof message->present);
    splitter.message = message;
    splitter.dialect = dialect;
    splitter.allowed = dialect->session->allowed;
    splitter.depth = splitter.awaited = splitter.data_size = splitter.turn = 0;
    splitter.seen_used[0] = splitter.seen_used[1] = false;
    splitter.plain = quickly && tl_fix_all_plain(message->bytes, message->size);
    const bool good = take_fields(&splitter, quickly);
    tl_fix_split_end(&splitter);
    if (!begins_well(message, dialect))
        return false;
    if (good && message->rule != NULL && tl_fix_missing(message, dialect) == 0)
        tl_fix_learn_shape(message, dialect);
    if (splitter.awaited != 0 && message->malformed == UINT32_MAX)
        malformed(message, message->fields[message->count - 1].tag, TL_FIX_BAD_FORMAT);
    return true;
}

static int parse(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                 size_t size, bool quickly)
{
    if (size > TL_FIX_MESSAGE_MAX)
        return -EBADMSG;
    memset(message, 0, offsetof(tl_fix_message, present));
    message->bytes = bytes;
    message->size = (uint32_t)size;
    message->malformed = UINT32_MAX;
    message->group_reason = message->blame_reason = -1;
    message->blame_rank = UINT64_MAX;
    quickly &= size >= 16;
    message->complete = quickly && tl_fix_split_by_shape(message, dialect);
    if (!message->complete && !split(message, dialect, quickly))
        return -EBADMSG;
    const tl_fix_field *number = tl_fix_find(message, MSG_SEQ_NUM);
    if (number != NULL && !tl_fix_read_uint(tl_fix_value(message, number), number->size,
                                            &message->msg_seq_num))
        message->msg_seq_num = 0;
    message->poss_dup = tl_fix_is(message, POSS_DUP, 'Y');
    message->poss_resend = tl_fix_is(message, POSS_RESEND, 'Y');
    return 0;
}

int tl_fix_parse(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                 size_t size)
{
    return parse(message, dialect, bytes, size, true);
}

int tl_fix_parse_slowly(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                        size_t size)
{
    return parse(message, dialect, bytes, size, false);
}

const tl_fix_field *tl_fix_find_high(const tl_fix_message *message, uint32_t tag)
{
    for (uint32_t i = 0; i < message->count; i++)
        if (message->fields[i].tag == tag && message->fields[i].depth == 0)
            return &message->fields[i];
    return NULL;
}

bool tl_fix_is(const tl_fix_message *message, uint32_t tag, char value)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && field->size == 1 && *tl_fix_value(message, field) == value;
}
