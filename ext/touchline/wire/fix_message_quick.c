/* Most fields, each looked at once. See fix_message_split.h.
 *
 * What is made of them is what the one way that fits all (fix_message.c) would make of them: of a
 * field that has nothing to do with groups or data, comes for the first time and not out of order.
 */
#include "touchline/wire/fix_message_split.h"
#include "touchline/wire/fix_text.h"
#include "touchline/wire/fix_text_scan.h"

#define HEAD_MAX 4u /* of "TAG=" */
enum { SPECIAL = TL_FIX_IS_DATA | TL_FIX_IS_LENGTH | TL_FIX_IS_COUNT };

/* "TAG=" of at most three digits; its size, 0: it is something else. HEAD_MAX bytes can be read. */
static inline uint32_t read_head(const char *text, uint32_t *tag)
{
    uint32_t number = (unsigned char)text[0] - (unsigned)'0';
    if (number - 1 > 8)
        return 0;
    for (uint32_t i = 1; i < HEAD_MAX; i++) {
        const unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9) {
            *tag = number;
            return text[i] == '=' ? i + 1 : 0;
        }
        number = number * 10 + digit;
    }
    return 0;
}

/* Is the value sure to be good? */
static inline bool surely_good(const tl_fix_dictionary *dictionary, const tl_fix_field_rule *rule,
                               const char *text, size_t size, bool plain)
{
    if (rule->values != 0)
        return tl_fix_is_listed_letter(&dictionary->values[rule->values - 1], text, size);
    switch (rule->type) {
    case TL_FIX_TYPE_TEXT:
        return plain && size != 0;
    case TL_FIX_TYPE_DECIMAL:
        return tl_fix_is_short_decimal(text, size);
    case TL_FIX_TYPE_TIMESTAMP:
        return tl_fix_is_time(text, size);
    case TL_FIX_TYPE_INT:
    case TL_FIX_TYPE_UINT:
        return tl_fix_is_short_number(text, size);
    default:
        return false;
    }
}

/* The field at `place`, which may be wrong. */
__attribute__((noinline)) static void look_closely(tl_fix_splitter *splitter,
                                                   const tl_fix_dictionary *dictionary,
                                                   const tl_fix_field_rule *rule, uint32_t place)
{
    tl_fix_message *message = splitter->message;
    const tl_fix_field *field = &message->fields[place];
    const uint32_t row = tl_fix_low_row(field->tag);
    int reason = tl_fix_value_fault(dictionary, rule, tl_fix_value(message, field), field->size,
                                    splitter->plain);
    if (reason < 0 && (splitter->allowed[row / 64] >> row % 64 & 1) == 0)
        reason = rule->tag == 0 ? TL_FIX_INVALID_TAG : TL_FIX_NOT_OF_MESSAGE;
    if (reason >= 0)
        tl_fix_blame(message, rule, place, reason);
}

uint32_t tl_fix_split_quickly(tl_fix_splitter *splitter, uint32_t from, uint32_t until)
{
    tl_fix_message *const message = splitter->message;
    const tl_fix_dictionary *const session = splitter->dialect->session;
    const tl_fix_dictionary *const own = splitter->dialect->application;
    const uint64_t *const allowed = splitter->allowed + tl_fix_low_row(0) / 64;
    const bool plain = splitter->plain;
    const char *at = message->bytes + from, *const end = message->bytes + message->size;
    uint32_t place = message->count, tag, head;
    uint8_t turn = splitter->turn;
    for (; place < until && end - at > (ptrdiff_t)HEAD_MAX; place++) {
        if ((head = read_head(at, &tag)) == 0)
            break;
        const tl_fix_field_rule *rule = &own->low[tag];
        const uint8_t now = (rule->flags & (TL_FIX_IN_HEADER | TL_FIX_IN_TRAILER)) ^ TL_FIX_BODY;
        const uint64_t bit = UINT64_C(1) << tag % 64, before = message->present[tag / 64];
        if ((rule->flags & SPECIAL) != 0 || now < turn || (before & bit) != 0)
            break;
        const char *text = at + head, *stop = tl_fix_value_end(text, end);
        if (stop == end)
            break;
        const uint32_t size = (uint32_t)(stop - text);
        message->present[tag / 64] = before | bit;
        message->place[tag] = (uint16_t)place;
        message->fields[place] =
            (tl_fix_field){tag, (uint32_t)(text - message->bytes), size, 0};
        const tl_fix_dictionary *const dictionary = now == TL_FIX_BODY ? own : session;
        if ((allowed[tag / 64] & bit) == 0 || !surely_good(dictionary, rule, text, size, plain))
            look_closely(splitter, dictionary, rule, place);
        turn = now;
        at = stop + 1;
    }
    splitter->turn = turn;
    message->count = place;
    return (uint32_t)(at - message->bytes);
}
