/* The record's constants as a table, for whoever builds names at run time. */
#include "touchline/study/market_record.h"

#define ROW(set, name, value) {#set, #name, value},
const tl_record_constant tl_record_constants[] = {TL_RECORD_TYPES(ROW) TL_RECORD_FLAGS(ROW)};
#undef ROW
const int tl_record_constants_count =
    (int)(sizeof tl_record_constants / sizeof tl_record_constants[0]);
