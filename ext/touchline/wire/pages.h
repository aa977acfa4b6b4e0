/* Memory for tables that lie open to any key: all of it is there from the start, so that no message
 * pays for a page's first touch, and in huge pages where the system has them. */
#ifndef TOUCHLINE_PAGES_H
#define TOUCHLINE_PAGES_H

#include <stddef.h>

/* Zeros; NULL: there is not so much. */
void *tl_pages_open(size_t bytes);
/* NULL is let pass. */
void tl_pages_close(void *pages, size_t bytes);

#endif
