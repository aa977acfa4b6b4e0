/* As ef_vi.h beside it: virtual interfaces and their filters. */
#ifndef EF_VI_ALLOCATION_DECLARED
#define EF_VI_ALLOCATION_DECLARED

#include <etherfabric/ef_vi.h>

struct ef_pd;
typedef struct ef_filter_spec {
    unsigned type, flags, data[6];
} ef_filter_spec;
typedef struct ef_filter_cookie {
    int filter_id, filter_type;
} ef_filter_cookie;
enum ef_filter_flags { EF_FILTER_FLAG_NONE = 0 };

int ef_vi_alloc_from_pd(ef_vi *vi, ef_driver_handle vi_dh, struct ef_pd *pd, ef_driver_handle pd_dh,
                        int evq_capacity, int rxq_capacity, int txq_capacity, ef_vi *evq_opt,
                        ef_driver_handle evq_dh, enum ef_vi_flags flags);
int ef_vi_free(ef_vi *vi, ef_driver_handle nic);
void ef_filter_spec_init(ef_filter_spec *, enum ef_filter_flags);
int ef_filter_spec_set_ip4_local(ef_filter_spec *, int protocol, unsigned host_be32, int port_be16);
int ef_vi_filter_add(ef_vi *, ef_driver_handle, const ef_filter_spec *, ef_filter_cookie *);

#endif
