/* As ef_vi.h beside it: protection domains. */
#ifndef EF_PD_DECLARED
#define EF_PD_DECLARED

#include <etherfabric/ef_vi.h>

enum ef_pd_flags { EF_PD_DEFAULT = 0 };
typedef struct ef_pd {
    enum ef_pd_flags pd_flags;
} ef_pd;

int ef_pd_alloc_by_name(ef_pd *, ef_driver_handle, const char *name, enum ef_pd_flags flags);
int ef_pd_free(ef_pd *, ef_driver_handle);

#endif
