/* Small arrays from malloc, large ones mapped and marked for huge pages; see huge_array.h. */
#define _GNU_SOURCE
#include "touchline/study/huge_array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t rounded(size_t bytes)
{
    return (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* A mapping that begins where a huge page may. */
static void *mapped(size_t bytes)
{
    uint8_t *at = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    const size_t before = (size_t)(-(uintptr_t)at & (HUGE_PAGE - 1));
    if (before != 0)
        (void)munmap(at, before);
    (void)munmap(at + before + bytes, HUGE_PAGE - before);
    (void)madvise(at + before, bytes, MADV_HUGEPAGE); /* without them it is slower, and works */
    return at + before;
}

void *tl_huge_array_grow(void *old, size_t held, size_t bytes)
{
    void *memory = bytes < HUGE_PAGE ? malloc(bytes) : mapped(rounded(bytes));
    if (memory == NULL)
        return NULL;
    if (old != NULL) {
        memcpy(memory, old, held);
        tl_huge_array_free(old, held);
    }
    return memory;
}

void tl_huge_array_free(void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    if (bytes < HUGE_PAGE)
        free(memory);
    else
        (void)munmap(memory, rounded(bytes));
}
