/* What the data dictionaries say, as arrays: fix_tables.c, which fix/generate.py writes.
 *
 *   tag ─ pages ─► field rule ─► allowed values
 *   MsgType ─ letters, or a search ─► message rule ─► bits of the fields it may hold,
 *                                                     what it must hold, its groups
 *
 * Lists of tags and of groups are places in one array, `numbers`. All is constant.
 */
#ifndef TOUCHLINE_FIX_TABLES_H
#define TOUCHLINE_FIX_TABLES_H

#include "touchline/wire/fix_dialect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_FIX_MEMBERS_MAX 512 /* fields of a group */
#define TL_FIX_DEPTH_MAX 8     /* groups in groups */

typedef enum tl_fix_type {
    TL_FIX_TYPE_TEXT,
    TL_FIX_TYPE_CHAR,
    TL_FIX_TYPE_BOOLEAN,
    TL_FIX_TYPE_INT,
    TL_FIX_TYPE_UINT,
    TL_FIX_TYPE_DAY,
    TL_FIX_TYPE_DECIMAL,
    TL_FIX_TYPE_TIMESTAMP,
    TL_FIX_TYPE_TIME,
    TL_FIX_TYPE_DATE,
    TL_FIX_TYPE_MONTH,
    TL_FIX_TYPE_TOKENS, /* texts with a space between them */
    TL_FIX_TYPE_DATA
} tl_fix_type;

enum {
    TL_FIX_IN_HEADER = 1,
    TL_FIX_IN_TRAILER = 2,
    TL_FIX_IS_COUNT = 4,  /* of a repeating group, in one message at least */
    TL_FIX_IS_LENGTH = 8, /* of the data field `partner` */
    TL_FIX_IS_DATA = 16   /* whose length is field `partner` */
};

typedef struct tl_fix_field_rule {
    uint16_t tag; /* 0: no such field; all else is 0 too */
    uint8_t type; /* tl_fix_type */
    uint8_t flags;
    uint16_t values; /* place in the dictionary's `values` plus one; 0: any value will do */
    uint16_t partner;
} tl_fix_field_rule;

typedef struct tl_fix_values {
    uint64_t chars[2]; /* bit n: the character n alone is allowed */
    uint16_t first, count; /* the others, sorted: places in `offsets` */
} tl_fix_values;

typedef struct tl_fix_group_rule {
    uint16_t count_tag, delimiter;
    uint16_t members, members_count;   /* tags, sorted */
    uint16_t required, required_count; /* places among the members */
    uint16_t groups, groups_count;     /* in an entry; sorted by their count tags */
} tl_fix_group_rule;

typedef struct tl_fix_message_rule {
    char text[4];
    uint8_t is_admin;
    uint8_t type;                      /* tl_fix_msg_type */
    uint16_t required, required_count; /* tags, sorted */
    uint16_t groups, groups_count;     /* sorted by their count tags */
    uint16_t low_count;                /* of the tags required, those below 64 */
    uint64_t low;                      /* the same as bits */
} tl_fix_message_rule;

struct tl_fix_dictionary {
    uint16_t tag_max, messages_count, words; /* `words` of `allowed` belong to each message */
    const tl_fix_field_rule *fields; /* 64 tags a page, known or not; the first page is empty, and
                                        behind it stand all tags below 1024 */
    const tl_fix_field_rule *low; /* by a tag below 1024, that of the session's dictionary for one
                                     of its header or trailer */
    const uint16_t *pages; /* by tag / 64 up to tag_max, and to 1023 at least: what leads from a
                              tag to its place in `fields`, modulo 2^16 */
    const tl_fix_values *values;
    const uint16_t *offsets;
    const char *texts;
    const tl_fix_message_rule *messages; /* sorted by text */
    const tl_fix_message_rule *ends;     /* header, trailer */
    const uint8_t *letters; /* by a MsgType of one letter: place in messages plus one */
    const uint64_t *allowed; /* a message's bits are those of the rows of the fields it may hold,
                                with the header's and the trailer's */
    const tl_fix_group_rule *groups;
    const uint16_t *numbers;
};

extern const tl_fix_dictionary tl_fix42, tl_fix44, tl_fixt11, tl_fix50sp2;

/* Place in `fields` of the rule of a tag below 1024; with no such field the rule there has tag 0.
 * place % 64 is tag % 64. */
static inline uint32_t tl_fix_low_row(uint32_t tag)
{
    return tag + 64;
}
/* The same of any tag; 0 of one beyond all. */
static inline uint32_t tl_fix_field_row(const tl_fix_dictionary *dictionary, uint32_t tag)
{
    return tag > dictionary->tag_max ? 0 : (uint16_t)(tag + dictionary->pages[tag / 64]);
}

/* NULL: no such message. */
const tl_fix_message_rule *tl_fix_message_rule_of(const tl_fix_dictionary *dictionary,
                                                  const char *text, size_t size);
/* Is the text one of the values? */
bool tl_fix_value_allowed(const tl_fix_dictionary *dictionary, const tl_fix_values *values,
                          const char *text, size_t size);
/* The group counted by `tag` among those listed at `groups`, NULL: none. */
const tl_fix_group_rule *tl_fix_group_rule_of(const tl_fix_dictionary *dictionary, uint16_t groups,
                                              uint16_t count, uint32_t tag);

#endif
