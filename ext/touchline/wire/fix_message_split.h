/* What splitting a message into fields, and checking each on the way, share. Inside the codec. */
#ifndef TOUCHLINE_FIX_MESSAGE_SPLIT_H
#define TOUCHLINE_FIX_MESSAGE_SPLIT_H

#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_tables.h"

/* SessionRejectReason(373) */
enum {
    TL_FIX_INVALID_TAG = 0,
    TL_FIX_MISSING = 1,
    TL_FIX_NOT_OF_MESSAGE = 2,
    TL_FIX_NO_VALUE = 4,
    TL_FIX_BAD_VALUE = 5,
    TL_FIX_BAD_FORMAT = 6,
    TL_FIX_BAD_MSG_TYPE = 11,
    TL_FIX_REPEATED = 13,
    TL_FIX_OUT_OF_ORDER = 14,
    TL_FIX_GROUP_ORDER = 15,
    TL_FIX_BAD_COUNT = 16
};
#define TL_FIX_USER_TAG_MIN 5000u
#define TL_FIX_MEMBER_WORDS (TL_FIX_MEMBERS_MAX / 64)

/* Whose fields have come, as a number that grows: of the header 0, the body, the trailer. It is a
 * rule's TL_FIX_IN_HEADER and TL_FIX_IN_TRAILER, turned over by this. */
enum { TL_FIX_BODY = 1 };

typedef struct tl_fix_level { /* a group that is open */
    const tl_fix_group_rule *rule;
    const tl_fix_dictionary *dictionary;
    uint32_t count_at; /* place of the count's field */
    uint32_t entries;
    uint64_t seen[TL_FIX_MEMBER_WORDS]; /* members of the entry at hand */
} tl_fix_level;

typedef struct tl_fix_splitter {
    tl_fix_message *message;
    const tl_fix_dialect *dialect;
    uint32_t depth;
    uint32_t awaited; /* the data field that must come next; 0: none */
    uint32_t data_size;
    const uint64_t *allowed; /* the message's bits */
    uint8_t turn;            /* whose fields have come so far */
    bool plain;              /* the whole message is ASCII without NUL */
    bool seen_used[2];
    tl_fix_level levels[TL_FIX_DEPTH_MAX];
} tl_fix_splitter;

/* A field's rule, where it is checked. */
typedef struct tl_fix_ruled {
    const tl_fix_dictionary *dictionary;
    const tl_fix_field_rule *rule;
} tl_fix_ruled;

/* fix_message_quick.c: fields from `from` on, as many as are of the plain kind and come before the
 * one at place `until`, of a message of 16 bytes or more. Where the next one begins. */
uint32_t tl_fix_split_quickly(tl_fix_splitter *splitter, uint32_t from, uint32_t until);

/* fix_message_shape.c: the message looks like one before it, and all is well with it. False: any of
 * its fields and places may have been written. */
bool tl_fix_split_by_shape(tl_fix_message *message, const tl_fix_dialect *dialect);
/* All is well with the message, and tl_fix_split_quickly took all its fields. */
void tl_fix_learn_shape(tl_fix_message *message, const tl_fix_dialect *dialect);

/* The field that was split last is a member of an open group; those it is none of are ended. */
bool tl_fix_split_member(tl_fix_splitter *splitter, uint32_t at);
/* The field at `at` counts a group that stands outside others. */
void tl_fix_split_count(tl_fix_splitter *splitter, const tl_fix_field_rule *rule, uint32_t at);
void tl_fix_split_end(tl_fix_splitter *splitter);

/* Something is wrong with the field at `at`: kept if it is to be named before what was. */
void tl_fix_blame(tl_fix_message *message, const tl_fix_field_rule *rule, uint32_t at, int reason);
/* The first tag that has to be there and is not; 0. */
uint32_t tl_fix_missing(const tl_fix_message *message, const tl_fix_dialect *dialect);
/* -1: the value is good, else what is wrong. `plain`: ASCII without NUL. */
int tl_fix_value_fault(const tl_fix_dictionary *dictionary, const tl_fix_field_rule *rule,
                       const char *text, size_t size, bool plain);

/* Such a value of one letter is of its type: fix/generate.py makes sure. */
static inline bool tl_fix_is_listed_letter(const tl_fix_values *values, const char *text,
                                           size_t size)
{
    const unsigned char letter = (unsigned char)*text;
    return size == 1 && letter < 128 && (values->chars[letter / 64] >> letter % 64 & 1) != 0;
}

/* The same, where most values come out at once. */
static inline int tl_fix_quick_fault(const tl_fix_ruled *of, const char *text, size_t size,
                                     bool plain)
{
    if (of->rule->values != 0) {
        if (tl_fix_is_listed_letter(&of->dictionary->values[of->rule->values - 1], text, size))
            return -1;
    } else if (of->rule->type == TL_FIX_TYPE_TEXT && plain && size != 0) {
        return -1;
    }
    return tl_fix_value_fault(of->dictionary, of->rule, text, size, plain);
}

#endif
