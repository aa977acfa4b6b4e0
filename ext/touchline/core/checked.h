/* Conditions that only the checked build (-DTOUCHLINE_CHECKED=ON) looks at: each would cost a plain
 * order something. What costs nothing is an assert, and stays in every build.
 */
#ifndef TOUCHLINE_CHECKED_H
#define TOUCHLINE_CHECKED_H

#include <assert.h>

#ifdef TOUCHLINE_CHECKED
#define TL_CHECKED(condition) assert(condition)
#else
#define TL_CHECKED(condition) ((void)sizeof(condition))
#endif

#endif
