/* Messages of the shape of one before. See fix_message_shape.h. */
#include "touchline/wire/fix_message_shape.h"

#include "touchline/wire/fix_message_split.h"
#include "touchline/wire/fix_text.h"
#include "touchline/wire/fix_text_scan.h"

#include <string.h>

#define HEAD_MAX 4 /* of "TAG=" */

/* ── met again ───────────────────────────────────────────────────────────────────────────────── */

/* The shape that a message may have: behind "8=...", "9=..." and "35=" a letter alone. NULL. */
static tl_fix_shape *shape_for(tl_fix_message *message, const tl_fix_dialect *dialect)
{
    const char *const end = message->bytes + message->size;
    const char *const length = message->bytes + sizeof "8=" + dialect->begin_size;
    if (end - length < 16)
        return NULL;
    const char *at = tl_fix_value_end(length, end);
    if (end - at < 6 || memcmp(at + 1, "35=", 3) != 0 || at[5] != TL_FIX_SOH)
        return NULL;
    return &message->shapes[(unsigned char)at[4] % TL_FIX_SHAPES];
}

/* Fields with the shape's tags, none empty, in ASCII without NUL: where their values are. */
static bool cut(tl_fix_message *message, const tl_fix_shape *shape)
{
    const char *const bytes = message->bytes, *const end = bytes + message->size;
    const char *const last = end - HEAD_MAX, *at = bytes, *stop;
    const tl_fix_shape_field *field = shape->fields;
    tl_fix_plain plain = tl_fix_plain_so_far();
    for (tl_fix_field *to = message->fields; at <= last; field++, to++, at = stop + 1) {
        uint32_t head;
        memcpy(&head, at, sizeof head);
        if ((head & field->mask) != field->head)
            return false;
        const char *text = at + field->head_size;
        stop = tl_fix_plain_end(text, end, &plain);
        if (stop == text)
            return false;
        to->at = (uint32_t)(text - bytes);
        to->size = (uint32_t)(stop - text);
    }
    return at == end && field == shape->fields + shape->count && tl_fix_is_plain(plain);
}

/* A time of the second of the one before needs a look at its decimals alone. */
static inline bool time_good(tl_fix_message *message, const char *text, size_t size)
{
    if (size == TL_FIX_SECOND_SIZE + 4 && text[TL_FIX_SECOND_SIZE] == '.' &&
        memcmp(text, message->second, TL_FIX_SECOND_SIZE) == 0 &&
        tl_fix_all_digits(tl_fix_word_before(text + size, 3)))
        return true;
    if (!tl_fix_is_time(text, size))
        return false;
    memcpy(message->second, text, TL_FIX_SECOND_SIZE);
    return true;
}

static inline bool value_good(tl_fix_message *message, const tl_fix_shape_value *value)
{
    const tl_fix_field *field = &message->fields[value->place];
    const char *text = message->bytes + field->at;
    const size_t size = field->size;
    switch (value->look) {
    case TL_FIX_LOOK_LETTER:
        if (tl_fix_is_listed_letter(value->values, text, size))
            return true;
        break;
    case TL_FIX_LOOK_DECIMAL:
        if (size <= TL_FIX_WORD &&
            tl_fix_is_decimal(tl_fix_word_before(text + size, size), size))
            return true;
        break;
    case TL_FIX_LOOK_NUMBER:
        if (size <= TL_FIX_WORD && tl_fix_all_digits(tl_fix_word_before(text + size, size)))
            return true;
        break;
    case TL_FIX_LOOK_TIME:
        return time_good(message, text, size);
    }
    return tl_fix_value_fault(value->dictionary, value->rule, text, size, true) < 0;
}

/* From here on the message's fields are those of the shape. */
static void take_on(tl_fix_message *message, const tl_fix_shape *shape)
{
    message->shape = shape;
    memcpy(message->present, shape->present, sizeof message->present);
    for (uint32_t i = 0; i < shape->count; i++) {
        message->place[shape->fields[i].tag] = (uint16_t)i;
        message->fields[i].tag = shape->fields[i].tag;
        message->fields[i].depth = 0;
    }
}

bool tl_fix_split_by_shape(tl_fix_message *message, const tl_fix_dialect *dialect)
{
    const tl_fix_shape *shape = shape_for(message, dialect);
    if (shape == NULL || shape->dialect != dialect || !cut(message, shape))
        return false;
    const tl_fix_field *begin = &message->fields[0], *type = &message->fields[2];
    if (begin->size != dialect->begin_size ||
        memcmp(tl_fix_value(message, begin), dialect->begin_string, begin->size) != 0 ||
        *tl_fix_value(message, type) != *shape->rule->text)
        return false;
    for (uint32_t i = 0; i < shape->values_count; i++)
        if (!value_good(message, &shape->values[i]))
            return false;
    if (message->shape != shape)
        take_on(message, shape);
    message->count = shape->count;
    message->dictionary = shape->dictionary;
    message->rule = shape->rule;
    message->type = shape->rule->type;
    return true;
}

/* ── remembered ──────────────────────────────────────────────────────────────────────────────── */

static void learn_field(tl_fix_shape_field *to, const tl_fix_message *message,
                        const tl_fix_field *field)
{
    const uint8_t size = field->tag < 10 ? 2 : field->tag < 100 ? 3 : 4;
    *to = (tl_fix_shape_field){.tag = (uint16_t)field->tag, .head_size = size};
    memset(&to->mask, 0xFF, size);
    memcpy(&to->head, tl_fix_value(message, field) - size, size);
}

static void learn_value(tl_fix_shape *shape, uint16_t place)
{
    static const uint8_t looks[] = {[TL_FIX_TYPE_DECIMAL] = TL_FIX_LOOK_DECIMAL,
                                    [TL_FIX_TYPE_INT] = TL_FIX_LOOK_NUMBER,
                                    [TL_FIX_TYPE_UINT] = TL_FIX_LOOK_NUMBER,
                                    [TL_FIX_TYPE_TIMESTAMP] = TL_FIX_LOOK_TIME,
                                    [TL_FIX_TYPE_DATA] = 0};
    const tl_fix_dialect *dialect = shape->dialect;
    const tl_fix_field_rule *rule = &dialect->application->low[shape->fields[place].tag];
    if (rule->type == TL_FIX_TYPE_TEXT && rule->values == 0)
        return;
    const bool framing = (rule->flags & (TL_FIX_IN_HEADER | TL_FIX_IN_TRAILER)) != 0;
    const tl_fix_dictionary *dictionary = framing ? dialect->session : dialect->application;
    tl_fix_shape_value *value = &shape->values[shape->values_count++];
    *value = (tl_fix_shape_value){.place = place, .rule = rule, .dictionary = dictionary};
    value->look = looks[rule->type] != 0 ? looks[rule->type] : TL_FIX_LOOK_CLOSELY;
    if (rule->values != 0) {
        value->look = TL_FIX_LOOK_LETTER;
        value->values = &dictionary->values[rule->values - 1];
    }
}

/* Behind the last field stands one that no head is equal to. */
static const tl_fix_shape_field no_more = {.head = 1};

void tl_fix_learn_shape(tl_fix_message *message, const tl_fix_dialect *dialect)
{
    tl_fix_shape *shape = shape_for(message, dialect);
    if (shape == NULL || message->count > TL_FIX_SHAPE_FIELDS)
        return;
    shape->dialect = dialect;
    shape->dictionary = message->dictionary;
    shape->rule = message->rule;
    shape->count = message->count;
    shape->values_count = 0;
    memcpy(shape->present, message->present, sizeof shape->present);
    for (uint16_t i = 0; i < message->count; i++) {
        learn_field(&shape->fields[i], message, &message->fields[i]);
        learn_value(shape, i);
    }
    shape->fields[shape->count] = no_more;
}
