/* What is made of a tag of an order, as fix_terms.c lists it: for the desk, for who has read the
 * message otherwise, and for who writes it down. */
#ifndef TOUCHLINE_FIX_TERMS_H
#define TOUCHLINE_FIX_TERMS_H

#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_FIX_TEXT_MAX 512 /* bytes of a Text(58) of ours */

typedef enum tl_fix_term {
    TL_FIX_TERM_UNLISTED, /* in no list, and so refused */
    TL_FIX_TERM_FRAME,    /* of the header or the trailer */
    TL_FIX_TERM_USED,
    TL_FIX_TERM_RULED, /* passes or not by its value */
    TL_FIX_TERM_HARMLESS,
    TL_FIX_TERM_REFUSED
} tl_fix_term;

tl_fix_term tl_fix_term_of(uint32_t tag);
/* Why a request with this field can not be carried out, in `text`; false: the field is read, or
 * changes nothing. */
bool tl_fix_term_refused(uint32_t tag, const char *value, size_t size,
                         const tl_fix_instrument *instrument, char text[TL_FIX_TEXT_MAX]);
/* The same of all fields of a message: of the first that is refused. */
bool tl_fix_terms_refused(const tl_fix_message *message, const tl_fix_instrument *instrument,
                          char text[TL_FIX_TEXT_MAX]);
/* The first field that is neither of the header or trailer, nor user-defined, nor in `tags`. */
const tl_fix_field *tl_fix_stranger(const tl_fix_message *message, const uint16_t *tags,
                                    size_t count);

#endif
