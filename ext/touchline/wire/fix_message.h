/* One FIX message: found in a stream, split into fields, held against the dictionary.
 *
 *   bytes ─ tl_fix_frame ─► whole messages ─ tl_fix_parse ─► fields ─ tl_fix_check ─► verdict
 *
 * Fields are held against the dictionary as they are split, so that each is looked at once;
 * tl_fix_check names the one of all faults that counts. Of a good message its tags are remembered
 * (fix_message_shape.h): the next one that has the same is known to be good but for its values.
 *
 * Nothing is copied: a field is a place in the bytes it came in. Nothing allocates, no loop is
 * longer than the message. What is called data (RawData, XmlData, Encoded...) is as long as the
 * field before it says and is never looked into. The rules are the standard's; where engines
 * differ QuickFIX's reading is kept, so that both engines of a venue answer alike.
 */
#ifndef TOUCHLINE_FIX_MESSAGE_H
#define TOUCHLINE_FIX_MESSAGE_H

#include "touchline/wire/fix_dialect.h"
#include "touchline/wire/fix_message_shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_FIX_SOH '\x01'
#define TL_FIX_MESSAGE_MAX 65536u /* the most a venue may set message_bytes_max to */
#define TL_FIX_FIELDS_MAX (TL_FIX_MESSAGE_MAX / 3 + 1) /* the shortest is "1=" and SOH */
#define TL_FIX_TAG_MAX 99999u /* a higher one is an invalid tag number */
#define TL_FIX_SECOND_SIZE 17u /* "YYYYMMDD-HH:MM:SS" */
#define TL_FIX_SEEN_WORDS (TL_FIX_TAG_MAX / 64 + 1)

typedef enum tl_fix_framing {
    TL_FIX_FRAME_MORE,    /* no whole message yet; `skip` bytes before it are garbage */
    TL_FIX_FRAME_WHOLE,   /* after `skip` bytes of garbage a message of `size` bytes */
    TL_FIX_FRAME_TOO_LONG /* BodyLength(9) claims more than allowed: the stream is over */
} tl_fix_framing;

typedef struct tl_fix_frame {
    tl_fix_framing framing;
    size_t skip; /* garbage to be dropped: what is no message, or has a wrong length or checksum */
    size_t size; /* of the message behind it, from "8=" to the SOH after CheckSum(10) */
} tl_fix_frame;

/* The first message in `bytes`. Length and checksum of a WHOLE one are right, and nothing that
 * could be a message is in what is skipped. Called again with the same bytes and more, the answer
 * is the same or goes on from it; bytes already skipped need not be kept. */
tl_fix_frame tl_fix_find_message(const char *bytes, size_t count, size_t message_max);

typedef struct tl_fix_field {
    uint32_t tag;
    uint32_t at; /* of the value, in the message */
    uint32_t size;
    uint32_t depth; /* in how many groups it lies */
} tl_fix_field;

/* A message's fields in their order. One is made per thread, of zeros, and used again and again. */
typedef struct tl_fix_message {
    const char *bytes;
    uint32_t size;
    uint32_t count;         /* fields, the header's and the trailer's included */
    tl_fix_msg_type type;   /* set by tl_fix_parse */
    uint64_t msg_seq_num;   /* MsgSeqNum(34); 0: absent or not a number from 1 to 2^63 - 1 */
    bool poss_dup;          /* PossDupFlag(43) = Y */
    bool poss_resend;       /* PossResend(97) = Y */
    uint32_t malformed;     /* tag (0: unreadable) of the first field that is not TAG=VALUE or whose
                               data does not fit its length; it ends `fields`; UINT32_MAX: none */
    int malformed_reason;   /* SessionRejectReason(373) of that: 0 or 6 */
    int group_reason;       /* of the first fault in an entry of a group; -1: none */
    uint32_t group_tag;
    uint32_t missing;       /* the first tag that an entry of a group lacks; 0: none */
    uint32_t disordered;    /* the first that comes after those of a later part; 0: none */
    uint64_t blame_rank;    /* of the fault to be named among those of single fields */
    uint32_t blame_tag;
    int blame_reason;       /* -1: there is none */
    const struct tl_fix_message_rule *rule;    /* of MsgType(35); NULL: UNKNOWN */
    const struct tl_fix_dictionary *dictionary; /* of the body; header and trailer: the session's */
    /* From here on nothing is cleared between messages of one shape. */
    uint64_t present[TL_FIX_LOW_TAGS / 64]; /* tags below 1024 that stand outside groups */
    const tl_fix_shape *shape; /* that present, place and fields are of; NULL: of none */
    bool complete;             /* all fields required are known to be there */
    char second[TL_FIX_SECOND_SIZE]; /* a time that exists, or zeros */
    uint16_t place[TL_FIX_LOW_TAGS]; /* of those: the first's index in `fields`. Higher tags are
                                        searched for. */
    tl_fix_field fields[TL_FIX_FIELDS_MAX];
    uint64_t seen[2][TL_FIX_SEEN_WORDS]; /* tags from 1024 and from 5000 on, while splitting */
    tl_fix_shape shapes[TL_FIX_SHAPES];
} tl_fix_message;

/* Split a WHOLE message of `dialect`. 0; -EBADMSG: its first three fields are not 8, 9, 35 or its
 * BeginString is not the dialect's, or it is too long, so it is dropped without a word, as garbage
 * is. `message` remembers what good ones looked like; what was is never part of the answer. */
int tl_fix_parse(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                 size_t size);

/* The same, every field by the one way that fits all. For tests, which hold the two together. */
int tl_fix_parse_slowly(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                        size_t size);

static inline bool tl_fix_has_low(const tl_fix_message *message, uint32_t tag)
{
    return (message->present[tag / 64] >> tag % 64 & 1) != 0;
}
const tl_fix_field *tl_fix_find_high(const tl_fix_message *message, uint32_t tag);
/* The field's first occurrence outside repeating groups, NULL: absent. */
static inline const tl_fix_field *tl_fix_find(const tl_fix_message *message, uint32_t tag)
{
    if (tag >= TL_FIX_LOW_TAGS)
        return tl_fix_find_high(message, tag);
    return tl_fix_has_low(message, tag) ? &message->fields[message->place[tag]] : NULL;
}
static inline const char *tl_fix_value(const tl_fix_message *message, const tl_fix_field *field)
{
    return message->bytes + field->at;
}
/* Is the field there with just this one character? */
bool tl_fix_is(const tl_fix_message *message, uint32_t tag, char value);

/* What a message that is held against its dictionary comes to. */
typedef struct tl_fix_verdict {
    int reason;       /* SessionRejectReason(373); -1: it is well formed */
    int business;     /* with reason -1: BusinessRejectReason(380), 3 or 5; 0: none */
    uint32_t ref_tag; /* RefTagID(371); 0: none */
    const char *text; /* Text(58), with static storage */
} tl_fix_verdict;

/* Order of header, body and trailer, fields known, defined for this message, not twice, not empty,
 * of the right format and among the values allowed, groups counted and in order, required fields
 * there. User-defined tags (5000 and above) pass unless malformed. */
tl_fix_verdict tl_fix_check(const tl_fix_message *message, const tl_fix_dialect *dialect);

/* Entry `index` of the group whose count is field `count_tag`: first field and number of fields.
 * False when there is no such entry. */
bool tl_fix_group(const tl_fix_message *message, const tl_fix_dialect *dialect,
                  uint32_t count_tag, uint32_t index, const tl_fix_field **first,
                  uint32_t *fields);
/* The entry after the one at `*first`: a walk over all entries takes one look at each field, where
 * tl_fix_group looks at all before the entry. */
bool tl_fix_group_next(const tl_fix_message *message, const tl_fix_field **first, uint32_t *fields);

#endif
