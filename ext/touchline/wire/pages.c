/* Anonymous memory, mapped and touched. */
#define _GNU_SOURCE
#include "touchline/wire/pages.h"

#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

void *tl_pages_open(size_t bytes)
{
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    if (bytes >= HUGE_PAGE_BYTES)
        (void)madvise(pages, bytes, MADV_HUGEPAGE);
#ifdef MADV_POPULATE_WRITE
    if (madvise(pages, bytes, MADV_POPULATE_WRITE) == 0)
        return pages;
#endif
    for (size_t at = 0; at < bytes; at += PAGE_BYTES) /* before Linux 5.14 */
        *(volatile char *)(pages + at) = 0;
    return pages;
}

void tl_pages_close(void *pages, size_t bytes)
{
    if (pages != NULL)
        munmap(pages, bytes);
}
