/* What the messages of a type look like: their tags in their order, as one that was good had them.
 *
 * Who trades sends the same tags in the same order again and again. What the dictionary says of a
 * message by its tags alone - each is known, of this message and there once, none is missing, all
 * are in their places - is said once, of a shape, and holds for every message of it. Of the next
 * one the tags are compared and the values looked at. Inside the codec.
 */
#ifndef TOUCHLINE_FIX_MESSAGE_SHAPE_H
#define TOUCHLINE_FIX_MESSAGE_SHAPE_H

#include "touchline/wire/fix_tables.h"

#define TL_FIX_LOW_TAGS 1024u
#define TL_FIX_SHAPES 32u       /* by the letter of MsgType(35) */
#define TL_FIX_SHAPE_FIELDS 32u /* at most, of a message that is remembered */

typedef struct tl_fix_shape_field {
    uint32_t head, mask; /* the first four bytes of "TAG=..."; those of them that count */
    uint16_t tag;
    uint8_t head_size;
} tl_fix_shape_field;

/* What a value needs, beyond being there and of ASCII without NUL. */
typedef enum tl_fix_shape_look {
    TL_FIX_LOOK_LETTER, /* one of `values` */
    TL_FIX_LOOK_DECIMAL,
    TL_FIX_LOOK_NUMBER,
    TL_FIX_LOOK_TIME,
    TL_FIX_LOOK_CLOSELY /* whatever the dictionary says */
} tl_fix_shape_look;

typedef struct tl_fix_shape_value {
    uint16_t place;                /* of the field */
    uint8_t look;                  /* tl_fix_shape_look */
    const tl_fix_values *values;   /* of a LETTER */
    const tl_fix_field_rule *rule; /* by this dictionary */
    const tl_fix_dictionary *dictionary;
} tl_fix_shape_value;

typedef struct tl_fix_shape {
    const tl_fix_dialect *dialect;       /* NULL: there is none */
    const tl_fix_dictionary *dictionary; /* of the body */
    const tl_fix_message_rule *rule;
    uint32_t count, values_count;
    uint64_t present[TL_FIX_LOW_TAGS / 64];
    tl_fix_shape_field fields[TL_FIX_SHAPE_FIELDS + 1];
    tl_fix_shape_value values[TL_FIX_SHAPE_FIELDS]; /* of fields that are not just text */
} tl_fix_shape;

#endif
