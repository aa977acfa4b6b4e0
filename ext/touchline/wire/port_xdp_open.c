/* A port over AF_XDP opened: memory, socket, rings, a queue, the program; and closed. What is not
 * granted, zero copy and a program in the driver, is asked for again as less. */
#define _GNU_SOURCE
#include "touchline/wire/port_xdp.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 1024u
#define FRAMES_MAX 65536u
#define QUEUES_MAX 64u
#define SMALL_FRAME 2048u
#define LARGE_FRAME 4096u
#define ETHERNET_MTU 1500u
#define HEADROOM 256u /* that the kernel keeps before a packet */
#define IP_AND_UDP 28u
#define BUSY_TRIES 200 /* a queue is in use for a moment after its last owner closed */
#define BUSY_PAUSE_NS 1000000

static int check(const tl_port_xdp_options *options, tl_port *base, tl_port_fault *fault)
{
    const tl_port_options *common = &options->common;
    const char *local = common->local == NULL ? "" : common->local;
    if (tl_port_address_read(&base->local, local) != 0)
        return tl_port_blame(fault, -EINVAL, "local %s", local);
    if (base->local.family != 4)
        return tl_port_blame(fault, -EAFNOSUPPORT, "local %s", local);
    if (common->to != NULL &&
        (tl_port_address_read(&base->to, common->to) != 0 || base->to.family != 4))
        return tl_port_blame(fault, -EINVAL, "to %s", common->to);
    if (common->batch == 0 || common->batch > BATCH_MAX)
        return tl_port_blame(fault, -EINVAL, "batch %u of 1 to %u", common->batch, BATCH_MAX);
    if (options->frames < common->batch || options->frames > FRAMES_MAX ||
        (options->frames & (options->frames - 1)) != 0)
        return tl_port_blame(fault, -EINVAL, "frames %u, a power of two of batch to %u",
                             options->frames, FRAMES_MAX);
    if (options->queue >= QUEUES_MAX)
        return tl_port_blame(fault, -EINVAL, "queue %u below %u", options->queue, QUEUES_MAX);
    return 0;
}

/* Who we are on the link, and who answers for it. */
static int place_on_link(tl_xdp_port *port, const tl_port_xdp_options *options,
                         tl_port_fault *fault)
{
    const tl_port_options *common = &options->common;
    const bool group = tl_port_address_multicast(&port->base.local);
    uint8_t own_ip[4];
    bool is_own;
    uint32_t mtu;
    tl_port_address gateway;
    int rc = tl_link_open(&port->link, common->interface, fault);
    if (rc != 0)
        return rc;
    rc = tl_link_read(&port->link, port->self.mac, own_ip, &is_own, &mtu, port->base.local.ip);
    if (rc != 0)
        return tl_port_blame(fault, rc, "interface %s", common->interface);
    if (memcmp(port->base.local.ip, "\0\0\0\0", 4) == 0) {
        memcpy(port->base.local.ip, own_ip, 4);
        is_own = memcmp(own_ip, "\0\0\0\0", 4) != 0;
        if (!is_own)
            return tl_port_blame(fault, -EADDRNOTAVAIL, "interface %s", common->interface);
    }
    if (options->gateway != NULL) {
        if (tl_port_address_read(&gateway, options->gateway) != 0 || gateway.family != 4)
            return tl_port_blame(fault, -EINVAL, "gateway %s", options->gateway);
        port->via_gateway = true;
        memcpy(port->gateway, gateway.ip, 4);
    }
    memcpy(port->self.listen, port->base.local.ip, 4);
    memcpy(port->self.ip, group ? own_ip : port->base.local.ip, 4);
    port->own_arp = !group && !is_own;
    port->self.ttl = common->ttl != 0 ? common->ttl : 1;
    if (!tl_port_address_multicast(&port->base.to) && common->ttl == 0)
        port->self.ttl = 64;
    port->frame_bytes = mtu <= ETHERNET_MTU ? SMALL_FRAME : LARGE_FRAME;
    const uint32_t room = port->frame_bytes - HEADROOM - TL_FRAME_HEAD;
    port->payload_max = mtu > IP_AND_UDP && mtu - IP_AND_UDP < room ? mtu - IP_AND_UDP : room;
    if (port->own_arp && port->base.local.port == 0)
        return tl_port_blame(fault, -EINVAL, "local %s: a port must be named", common->local);
    tl_port_note(&port->base.facts, "own_arp", port->own_arp, port->own_arp, 0);
    return 0;
}

static int map_ring(tl_xdp_port *port, tl_xdp_ring *ring, const struct xdp_ring_offset *at,
                    size_t entry_bytes, off_t which)
{
    ring->size = port->frames;
    ring->mask = port->frames - 1;
    ring->map_bytes = at->desc + port->frames * entry_bytes;
    void *map = mmap(NULL, ring->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                     port->base.fd, which);
    if (map == MAP_FAILED)
        return -errno;
    ring->map = map;
    ring->producer = (void *)((uint8_t *)map + at->producer);
    ring->consumer = (void *)((uint8_t *)map + at->consumer);
    ring->flags = (void *)((uint8_t *)map + at->flags);
    ring->entries = (uint8_t *)map + at->desc;
    return 0;
}

static int map_rings(tl_xdp_port *port)
{
    static const int options[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
                                  XDP_TX_RING};
    struct xdp_mmap_offsets at;
    socklen_t size = sizeof at;
    int rc = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options && rc == 0; i++)
        rc = tl_port_set(port->base.fd, SOL_XDP, options[i], (int)port->frames);
    if (rc == 0 && getsockopt(port->base.fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size) != 0)
        rc = -errno;
    if (rc == 0)
        rc = map_ring(port, &port->fill, &at.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
    if (rc == 0)
        rc = map_ring(port, &port->completion, &at.cr, sizeof(uint64_t),
                      (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
    if (rc == 0)
        rc = map_ring(port, &port->rx, &at.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
    if (rc == 0)
        rc = map_ring(port, &port->tx, &at.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
    return rc;
}

/* The frames' memory registered, and half of them handed to the kernel to receive into. */
static int share_memory(tl_xdp_port *port)
{
    const uint32_t frames = port->frames;
    const size_t lists = 2 * frames * sizeof(uint64_t);
    port->umem_bytes = (size_t)2 * frames * port->frame_bytes;
    port->umem = tl_port_memory(port->umem_bytes + lists);
    if (port->umem == NULL)
        return -ENOMEM;
    port->free_frames = (void *)(port->umem + port->umem_bytes);
    port->given_frames = port->free_frames + frames;
    const struct xdp_umem_reg area = {.addr = (uintptr_t)port->umem,
                                      .len = port->umem_bytes,
                                      .chunk_size = port->frame_bytes};
    if (setsockopt(port->base.fd, SOL_XDP, XDP_UMEM_REG, &area, sizeof area) != 0)
        return -errno;
    const int rc = map_rings(port);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < frames; i++) {
        port->given_frames[i] = (uint64_t)i * port->frame_bytes;
        port->free_frames[i] = (uint64_t)(frames + i) * port->frame_bytes;
    }
    port->free_count = frames;
    port->given_count = port->send_only ? 0 : frames;
    tl_xdp_give_back(port);
    return 0;
}

static int bind_as(const tl_xdp_port *port, uint32_t queue, uint16_t flags)
{
    const struct sockaddr_xdp at = {.sxdp_family = AF_XDP,
                                    .sxdp_flags = flags | XDP_USE_NEED_WAKEUP,
                                    .sxdp_ifindex = (uint32_t)port->link.interface,
                                    .sxdp_queue_id = queue};
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
    for (int i = 0;; i++) {
        if (bind(port->base.fd, (const struct sockaddr *)&at, sizeof at) == 0)
            return 0;
        if (errno != EBUSY || i == BUSY_TRIES)
            return -errno;
        nanosleep(&pause, NULL);
    }
}

static int bind_queue(tl_xdp_port *port, const tl_port_xdp_options *options, tl_port_fault *fault)
{
    int refusal = options->zero_copy ? bind_as(port, options->queue, XDP_ZEROCOPY) : -EOPNOTSUPP;
    const bool zero_copy = refusal == 0;
    if (!zero_copy) {
        const int rc = bind_as(port, options->queue, XDP_COPY);
        if (rc != 0)
            return tl_port_blame(fault, rc, "bind AF_XDP to queue %u of %s", options->queue,
                                 port->link.name);
    }
    tl_port_note(&port->base.facts, "zero_copy", options->zero_copy, zero_copy,
                 options->zero_copy && !zero_copy ? refusal : 0);
    return 0;
}

/* In the driver where it can, else in the stack, before which a buffer is made for each packet. */
static int attach(tl_xdp_port *port, const tl_port_xdp_options *options)
{
    int refusal = -EOPNOTSUPP;
    if (options->mode != TL_PORT_XDP_GENERIC) {
        port->link_fd = tl_xdp_attach(port->program_fd, port->link.interface, false);
        refusal = port->link_fd < 0 ? port->link_fd : 0;
    }
    if (port->link_fd < 0 && options->mode != TL_PORT_XDP_DRIVER && refusal != -EBUSY)
        port->link_fd = tl_xdp_attach(port->program_fd, port->link.interface, true);
    if (port->link_fd < 0)
        return port->link_fd;
    tl_port_note(&port->base.facts, "driver_mode", options->mode != TL_PORT_XDP_GENERIC,
                 refusal == 0, options->mode == TL_PORT_XDP_GENERIC ? 0 : refusal);
    return 0;
}

static int lead_packets_here(tl_xdp_port *port, const tl_port_xdp_options *options,
                             tl_port_fault *fault)
{
    if (port->send_only)
        return 0;
    port->map_fd = tl_xdp_map(QUEUES_MAX);
    if (port->map_fd < 0)
        return tl_port_blame(fault, port->map_fd, "make an XSKMAP");
    int rc = tl_xdp_map_set(port->map_fd, options->queue, port->base.fd);
    if (rc != 0)
        return tl_port_blame(fault, rc, "put the socket into its map");
    port->program_fd = tl_xdp_program(port->map_fd, port->self.listen, port->base.local.port,
                                      port->own_arp);
    if (port->program_fd < 0)
        return tl_port_blame(fault, port->program_fd, "load the XDP program");
    rc = attach(port, options);
    return rc == 0 ? 0
                   : tl_port_blame(fault, rc, "attach the XDP program to %s",
                                   port->link.name);
}

static void xdp_count(tl_port *base)
{
    struct xdp_statistics got = {0};
    socklen_t size = sizeof got;
    if (getsockopt(base->fd, SOL_XDP, XDP_STATISTICS, &got, &size) != 0)
        return;
    base->counts.lost = got.rx_dropped + got.rx_ring_full;
    base->counts.fill_empty = got.rx_fill_ring_empty_descs;
    base->counts.ring_full = got.rx_ring_full;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void xdp_close(tl_port *base)
{
    tl_xdp_port *port = (tl_xdp_port *)base;
    tl_xdp_ring *rings[] = {&port->rx, &port->tx, &port->fill, &port->completion};
    close_fd(port->link_fd);
    close_fd(port->program_fd);
    close_fd(port->map_fd);
    for (size_t i = 0; i < sizeof rings / sizeof *rings; i++) {
        if (rings[i]->map != NULL)
            munmap(rings[i]->map, rings[i]->map_bytes);
    }
    close_fd(base->fd);
    if (port->umem != NULL)
        munmap(port->umem, port->umem_bytes + 2 * port->frames * sizeof(uint64_t));
    tl_link_close(&port->link);
    free(port);
}

static const tl_port_ops XDP_OPS = {
    .poll = tl_xdp_poll, .send = tl_xdp_send, .count = xdp_count, .close = xdp_close};

static int set_up(tl_xdp_port *port, const tl_port_xdp_options *options, tl_port_fault *fault)
{
    tl_port *base = &port->base;
    int rc = check(options, base, fault);
    if (rc == 0)
        rc = place_on_link(port, options, fault);
    if (rc == 0 && !port->own_arp)
        rc = tl_link_take(&port->link, &options->common, &base->local, fault);
    if (rc != 0)
        return rc;
    port->self.port = base->local.port;
    port->batch = options->common.batch;
    port->size_max = options->common.size_max;
    port->frames = options->frames;
    port->send_only = options->send_only;
    base->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (base->fd < 0)
        return tl_port_blame(fault, -errno, "AF_XDP socket");
    tl_port_tuning tuning = options->common.tuning;
    tuning.stamps = TL_PORT_UNSTAMPED;
    tl_port_tune(base->fd, &tuning, NULL, false, &base->facts);
    port->busy_polled = tuning.prefer_busy_poll || tuning.busy_poll_us > 0;
    if (options->common.tuning.stamps != TL_PORT_UNSTAMPED)
        tl_port_note(&base->facts, "stamps", options->common.tuning.stamps, 0, -EOPNOTSUPP);
    if (options->common.segments)
        tl_port_note(&base->facts, "segments_out", 1, 0, -EOPNOTSUPP);
    rc = share_memory(port);
    if (rc != 0)
        return tl_port_blame(fault, rc, "%u frames of %u bytes", 2 * port->frames,
                             port->frame_bytes);
    rc = bind_queue(port, options, fault);
    return rc != 0 ? rc : lead_packets_here(port, options, fault);
}

int tl_port_xdp_open(tl_port **out, const tl_port_xdp_options *options, tl_port_fault *fault)
{
    *out = NULL;
    tl_xdp_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return tl_port_blame(fault, -ENOMEM, "port");
    port->base.ops = &XDP_OPS;
    port->base.fd = port->map_fd = port->program_fd = port->link_fd = port->link.netlink_fd = -1;
    const int rc = set_up(port, options, fault);
    if (rc != 0)
        xdp_close(&port->base);
    else
        *out = &port->base;
    return rc;
}
