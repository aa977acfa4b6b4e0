/* Is a value written as its type in the dictionary asks? Private to the codec. */
#ifndef TOUCHLINE_FIX_FORMAT_H
#define TOUCHLINE_FIX_FORMAT_H

#include "touchline/wire/fix_tables.h"

#include <stdbool.h>
#include <stddef.h>

/* `size` is 1 at least. */
bool tl_fix_format_good(tl_fix_type type, const char *text, size_t size);

#endif
