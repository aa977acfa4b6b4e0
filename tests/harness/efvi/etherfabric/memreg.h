/* As ef_vi.h beside it: registered memory. */
#ifndef EF_MEMREG_DECLARED
#define EF_MEMREG_DECLARED

#include <etherfabric/ef_vi.h>

struct ef_pd;
typedef struct ef_memreg {
    ef_addr *mr_dma_addrs, *mr_dma_addrs_base;
} ef_memreg;

int ef_memreg_alloc(ef_memreg *mr, ef_driver_handle mr_dh, struct ef_pd *pd, ef_driver_handle pd_dh,
                    void *p_mem, size_t len_bytes);
int ef_memreg_free(ef_memreg *mr, ef_driver_handle mr_dh);
ef_addr ef_memreg_dma_addr(ef_memreg *mr, size_t offset);

#endif
