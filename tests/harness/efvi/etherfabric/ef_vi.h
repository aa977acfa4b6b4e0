/* What port_efvi.c calls of ef_vi, declared as Onload's public headers declare it, so that a test
 * can compile that file where ef_vi is not installed. Nothing here is ever linked or run, and
 * layouts are not the library's. */
#ifndef EF_VI_DECLARED
#define EF_VI_DECLARED

#include <stddef.h>
#include <stdint.h>

#define EF_VI_EVENT_POLL_MIN_EVS 2
#define EF_VI_TRANSMIT_BATCH 64

typedef int ef_driver_handle;
typedef int ef_request_id;
typedef uint64_t ef_addr;

typedef union ef_event {
    struct {
        unsigned type : 16;
    } generic;
    struct {
        unsigned type : 16, q_id : 16;
        uint32_t rq_id;
        unsigned len : 16, flags : 16;
    } rx, rx_discard;
} ef_event;

enum {
    EF_EVENT_TYPE_RX,
    EF_EVENT_TYPE_TX,
    EF_EVENT_TYPE_RX_DISCARD,
    EF_EVENT_TYPE_TX_ERROR,
    EF_EVENT_TYPE_RX_NO_DESC_TRUNC
};
#define EF_EVENT_TYPE(e) ((e).generic.type)
#define EF_EVENT_RX_BYTES(e) ((e).rx.len)
#define EF_EVENT_RX_RQ_ID(e) ((e).rx.rq_id)
#define EF_EVENT_RX_SOP(e) ((e).rx.flags & 1)
#define EF_EVENT_RX_CONT(e) ((e).rx.flags & 2)
#define EF_EVENT_RX_DISCARD_RQ_ID(e) ((e).rx_discard.rq_id)

typedef struct ef_vi {
    struct {
        int (*receive_init)(struct ef_vi *, ef_addr, ef_request_id);
        void (*receive_push)(struct ef_vi *);
        void (*transmit_push)(struct ef_vi *);
        int (*eventq_poll)(struct ef_vi *, ef_event *, int evs_len);
    } ops;
} ef_vi;
enum ef_vi_flags { EF_VI_FLAGS_DEFAULT = 0 };

int ef_driver_open(ef_driver_handle *dh_out);
int ef_driver_close(ef_driver_handle);
int ef_vi_receive_prefix_len(const ef_vi *vi);
int ef_vi_receive_capacity(const ef_vi *vi);
int ef_vi_transmit_init(ef_vi *, ef_addr, int bytes, ef_request_id dma_id);
int ef_vi_transmit_unbundle(ef_vi *, const ef_event *, ef_request_id *ids);
#define ef_vi_receive_init(vi, addr, dma_id) (vi)->ops.receive_init((vi), (addr), (dma_id))
#define ef_vi_receive_push(vi) (vi)->ops.receive_push((vi))
#define ef_vi_transmit_push(vi) (vi)->ops.transmit_push((vi))
#define ef_eventq_poll(vi, evs, evs_len) (vi)->ops.eventq_poll((vi), (evs), (evs_len))

#endif
