/* What the desk makes of a tag of an order, as fix_terms.c lists it: for who writes it down. */
#ifndef TOUCHLINE_FIX_TERMS_H
#define TOUCHLINE_FIX_TERMS_H

#include <stdint.h>

typedef enum tl_fix_term {
    TL_FIX_TERM_UNLISTED, /* in no list, and so refused */
    TL_FIX_TERM_FRAME,    /* of the header or the trailer */
    TL_FIX_TERM_USED,
    TL_FIX_TERM_RULED, /* passes or not by its value */
    TL_FIX_TERM_HARMLESS,
    TL_FIX_TERM_REFUSED
} tl_fix_term;

tl_fix_term tl_fix_term_of(uint32_t tag);

#endif
