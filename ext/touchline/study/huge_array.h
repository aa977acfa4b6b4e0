/* Memory of arrays that grow and are used all over: in huge pages where the system has them, so
 * that a place picked anywhere does not cost a walk through its page tables, too.
 */
#ifndef TOUCHLINE_HUGE_ARRAY_H
#define TOUCHLINE_HUGE_ARRAY_H

#include <stddef.h>

/* `bytes` of memory with what the first `held` bytes at `old` are, which is let go of; NULL: there
 * is none, and `old` is as it was. `old` NULL: nothing is held. */
void *tl_huge_array_grow(void *old, size_t held, size_t bytes);
void tl_huge_array_free(void *memory, size_t bytes);

#endif
