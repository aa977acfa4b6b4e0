/* Fields cut off a message without a look at the dictionary. See fix_message_split.h. */
#include "touchline/wire/fix_message_split.h"
#include "touchline/wire/fix_text_scan.h"

/* "TAG=" of at most four digits; its size, 0: it is something else. Five bytes can be read. */
static inline uint32_t quick_tag(const char *text, uint32_t *tag)
{
    uint32_t number = (unsigned char)text[0] - (unsigned)'0';
    if (number - 1 > 8)
        return 0;
    for (uint32_t i = 1; i < 5; i++) {
        const unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9) {
            *tag = number;
            return text[i] == '=' ? i + 1 : 0;
        }
        number = number * 10 + digit;
    }
    return 0;
}

#ifdef __SSE2__
/* A value of more than 16 bytes, or one of the last 16. */
__attribute__((noinline)) static const char *long_end(const char *at, const char *last,
                                                      uint32_t *strange)
{
    uint32_t stops, odd, before = 0;
    for (*strange = 0;; at += 16) {
        if (at > last) {
            before = (uint32_t)(at - last);
            at = last;
        }
        tl_fix_look(at, &stops, &odd);
        stops >>= before;
        odd >>= before;
        if (stops != 0) {
            *strange |= odd & (stops ^ (stops - 1));
            return at + before + __builtin_ctz(stops);
        }
        if (at == last)
            return NULL;
        *strange |= odd;
    }
}
#endif

/* Where the value at `at` ends, among 16 bytes or more before `end`; NULL: nowhere. `strange` is
 * not 0 if it is not plain. */
static inline const char *quick_end(const char *at, const char *end, uint32_t *strange)
{
#ifdef __SSE2__
    uint32_t stops, odd;
    if (at <= end - 16) {
        tl_fix_look(at, &stops, &odd);
        if (stops != 0) {
            *strange = odd & (stops ^ (stops - 1));
            return at + __builtin_ctz(stops);
        }
    }
    return long_end(at, end - 16, strange);
#else
    const tl_fix_stretch value = tl_fix_to_soh(at, 0, (uint32_t)(end - at));
    *strange = !value.plain;
    return at + value.end == end ? NULL : at + value.end;
#endif
}

uint32_t tl_fix_split_cut(const char *bytes, uint32_t size, uint32_t from, tl_fix_field *fields)
{
    const char *at = bytes + from, *const end = bytes + size;
    tl_fix_field *field = fields, *const full = fields + TL_FIX_BATCH;
    for (uint32_t tag; field < full && end - at > 5; field++) {
        const uint32_t head = quick_tag(at, &tag);
        if (head == 0 || tag >= TL_FIX_LOW_TAGS)
            break;
        at += head;
        const char *stop = quick_end(at, end, &field->depth);
        if (stop == NULL)
            break;
        field->tag = tag;
        field->at = (uint32_t)(at - bytes);
        field->size = (uint32_t)(stop - at);
        at = stop + 1;
    }
    return (uint32_t)(field - fields);
}
