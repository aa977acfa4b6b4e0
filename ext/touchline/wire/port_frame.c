/* Frames written and read, with their checksums. port_frame.h has the contract; RFC 768, 791, 826,
 * 1071 and 1112 the rules. */
#define _GNU_SOURCE
#include "touchline/wire/port_frame.h"
#include "touchline/wire/port_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_ARP 0x0806u
#define PROTOCOL_UDP 17u
#define DO_NOT_FRAGMENT 0x4000u
#define IP_AT 14u
#define UDP_AT 34u
#define UDP_HEAD 8u
#define IP_HEAD 20u
#define SECOND_NS INT64_C(1000000000)
#define FRESH_NS INT64_C(30000000000) /* what is known of a neighbour is believed so long */

static void put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t get_u16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* A sum of 16-bit words in the order of memory, which ones' complement allows; not yet folded. */
static uint64_t sum_of(const uint8_t *bytes, uint32_t size)
{
    uint64_t sum = 0;
    uint32_t word;
    for (; size >= sizeof word; size -= (uint32_t)sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        sum += word;
    }
    if (size > 0) {
        word = 0;
        memcpy(&word, bytes, size);
        sum += word;
    }
    return sum;
}

static uint16_t folded(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & 0xFFFFu) + (sum >> 16);
    sum = (sum & 0xFFFFu) + (sum >> 16);
    return (uint16_t)sum;
}

/* What UDP's checksum covers of IPv4: both addresses, the protocol, the length. */
static uint64_t pseudo_sum(const uint8_t *ip, uint32_t udp_bytes)
{
    return sum_of(ip + 12, 8) + htons((uint16_t)PROTOCOL_UDP) + htons((uint16_t)udp_bytes);
}

/* The checksum is right, was not made, or is left to a card that was never reached: between two
 * interfaces of one machine the field then holds the sum of the pseudo header alone. */
static bool checksum_holds(const uint8_t *ip, const uint8_t *udp, uint32_t udp_bytes)
{
    uint16_t field;
    memcpy(&field, udp + 6, sizeof field);
    const uint64_t pseudo = pseudo_sum(ip, udp_bytes);
    return field == 0 || folded(pseudo + sum_of(udp, udp_bytes)) == 0xFFFFu ||
           field == folded(pseudo);
}

static enum tl_frame_kind read_arp(const uint8_t *frame, uint32_t size, const tl_frame_self *self)
{
    static const uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4};
    if (size < TL_FRAME_ARP_BYTES || memcmp(frame + IP_AT, ethernet_ipv4, 6) != 0)
        return TL_FRAME_MALFORMED;
    if (memcmp(frame + 38, self->ip, 4) != 0)
        return TL_FRAME_FOREIGN;
    const uint32_t operation = get_u16(frame + 20);
    return operation == 1   ? TL_FRAME_ARP_QUESTION
           : operation == 2 ? TL_FRAME_ARP_ANSWER
                            : TL_FRAME_FOREIGN;
}

enum tl_frame_kind tl_frame_read(const uint8_t *frame, uint32_t size, const tl_frame_self *self,
                                 tl_port_datagram *out)
{
    const uint8_t *ip = frame + IP_AT;
    const uint8_t *udp = frame + UDP_AT;
    if (size < IP_AT)
        return TL_FRAME_MALFORMED;
    if (get_u16(frame + 12) == ETHERTYPE_ARP)
        return read_arp(frame, size, self);
    if (get_u16(frame + 12) != ETHERTYPE_IPV4)
        return TL_FRAME_FOREIGN;
    if (size < TL_FRAME_HEAD)
        return TL_FRAME_MALFORMED;
    if (ip[0] != 0x45 || ip[9] != PROTOCOL_UDP || (get_u16(ip + 6) & 0x3FFFu) != 0 ||
        get_u16(udp + 2) != self->port || memcmp(ip + 16, self->listen, 4) != 0)
        return TL_FRAME_FOREIGN;
    /* The frame may be longer: Ethernet fills up to 60 bytes. */
    const uint32_t ip_bytes = get_u16(ip + 2);
    const uint32_t udp_bytes = get_u16(udp + 4);
    if (ip_bytes > size - IP_AT || udp_bytes < UDP_HEAD || udp_bytes + IP_HEAD > ip_bytes ||
        folded(sum_of(ip, IP_HEAD)) != 0xFFFFu || !checksum_holds(ip, udp, udp_bytes))
        return TL_FRAME_MALFORMED;
    *out = (tl_port_datagram){.bytes = frame + TL_FRAME_HEAD,
                              .size = udp_bytes - UDP_HEAD,
                              .from = {.family = 4, .port = (uint16_t)get_u16(udp)}};
    memcpy(out->from.ip, ip + 12, 4);
    return TL_FRAME_DATAGRAM;
}

uint32_t tl_frame_write(uint8_t *frame, const tl_frame_self *self, const uint8_t *mac,
                        const tl_port_address *to, const void *bytes, uint32_t size)
{
    uint8_t *ip = frame + IP_AT;
    uint8_t *udp = frame + UDP_AT;
    memcpy(frame, mac, TL_FRAME_MAC);
    memcpy(frame + 6, self->mac, TL_FRAME_MAC);
    put_u16(frame + 12, ETHERTYPE_IPV4);
    memset(ip, 0, IP_HEAD);
    ip[0] = 0x45;
    put_u16(ip + 2, IP_HEAD + UDP_HEAD + size);
    put_u16(ip + 6, DO_NOT_FRAGMENT);
    ip[8] = self->ttl;
    ip[9] = PROTOCOL_UDP;
    memcpy(ip + 12, self->ip, 4);
    memcpy(ip + 16, to->ip, 4);
    uint16_t sum = (uint16_t)~folded(sum_of(ip, IP_HEAD));
    memcpy(ip + 10, &sum, sizeof sum);
    put_u16(udp, self->port);
    put_u16(udp + 2, to->port);
    put_u16(udp + 4, UDP_HEAD + size);
    put_u16(udp + 6, 0);
    memcpy(udp + UDP_HEAD, bytes, size);
    sum = (uint16_t)~folded(pseudo_sum(ip, UDP_HEAD + size) + sum_of(udp, UDP_HEAD + size));
    if (sum == 0)
        sum = 0xFFFFu; /* 0 says that there is none */
    memcpy(udp + 6, &sum, sizeof sum);
    return TL_FRAME_HEAD + size;
}

static uint32_t write_arp(uint8_t *frame, const tl_frame_self *self, uint32_t operation,
                          const uint8_t *mac, const uint8_t ip[4])
{
    static const uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4};
    memcpy(frame + 6, self->mac, TL_FRAME_MAC);
    put_u16(frame + 12, ETHERTYPE_ARP);
    memcpy(frame + IP_AT, ethernet_ipv4, 6);
    put_u16(frame + 20, operation);
    memcpy(frame + 22, self->mac, TL_FRAME_MAC);
    memcpy(frame + 28, self->ip, 4);
    memcpy(frame + 32, mac, TL_FRAME_MAC);
    memcpy(frame + 38, ip, 4);
    return TL_FRAME_ARP_BYTES;
}

uint32_t tl_frame_ask(uint8_t *frame, const tl_frame_self *self, const uint8_t ip[4])
{
    static const uint8_t nobody[TL_FRAME_MAC] = {0};
    memset(frame, 0xFF, TL_FRAME_MAC);
    return write_arp(frame, self, 1, nobody, ip);
}

uint32_t tl_frame_answer(uint8_t *frame, const tl_frame_self *self, const uint8_t *asked)
{
    memcpy(frame, asked + 22, TL_FRAME_MAC);
    return write_arp(frame, self, 2, asked + 22, asked + 28);
}

/* Where the search for an address begins; it ends at the first place not taken. */
static uint32_t first_place(const uint8_t ip[4])
{
    uint32_t hash;
    memcpy(&hash, ip, sizeof hash);
    hash *= 0x9E3779B1u;
    return hash >> 24;
}

tl_frame_neighbour *tl_frame_neighbour_of(tl_frame_neighbours *all, const uint8_t ip[4])
{
    _Static_assert(TL_FRAME_NEIGHBOURS == 256, "a place is the first eight bits of the hash");
    uint32_t place = first_place(ip);
    for (uint32_t i = 0; i < TL_FRAME_NEIGHBOURS; i++) {
        tl_frame_neighbour *one = &all->at[(place + i) % TL_FRAME_NEIGHBOURS];
        if (one->taken && memcmp(one->ip, ip, 4) == 0)
            return one;
        if (one->taken)
            continue;
        one->taken = true;
        memcpy(one->ip, ip, 4);
        return one;
    }
    /* All places taken: one after the other is given up. Nothing is ever free again, so the search
     * finds whoever stands anywhere. */
    tl_frame_neighbour *one = &all->at[all->oldest++ % TL_FRAME_NEIGHBOURS];
    *one = (tl_frame_neighbour){.taken = true};
    memcpy(one->ip, ip, 4);
    return one;
}

bool tl_frame_must_ask(const tl_frame_neighbour *neighbour, int64_t now_ns, int64_t patience_ns)
{
    if (neighbour->known && now_ns - neighbour->known_ns < FRESH_NS)
        return false;
    return neighbour->asked_ns == 0 || now_ns - neighbour->asked_ns >= patience_ns;
}

void tl_frame_learn(tl_frame_neighbours *all, const uint8_t *arp_frame, int64_t now_ns)
{
    const uint8_t *ip = arp_frame + 28;
    const uint32_t place = first_place(ip);
    for (uint32_t i = 0; i < TL_FRAME_NEIGHBOURS; i++) {
        tl_frame_neighbour *one = &all->at[(place + i) % TL_FRAME_NEIGHBOURS];
        if (!one->taken)
            return;
        if (memcmp(one->ip, ip, 4) != 0)
            continue;
        memcpy(one->mac, arp_frame + 22, TL_FRAME_MAC);
        one->known = true;
        one->known_ns = now_ns;
        return;
    }
}

void tl_frame_group_mac(uint8_t *mac, const uint8_t ip[4])
{
    mac[0] = 0x01;
    mac[1] = 0x00;
    mac[2] = 0x5E;
    mac[3] = ip[1] & 0x7F;
    mac[4] = ip[2];
    mac[5] = ip[3];
}

int64_t tl_frame_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

bool tl_frame_came(tl_port *port, enum tl_frame_kind kind, uint32_t size_max,
                   tl_port_datagram *out)
{
    port->counts.malformed += kind == TL_FRAME_MALFORMED;
    if (kind != TL_FRAME_DATAGRAM)
        return false;
    if (out->size > size_max) {
        out->size = size_max;
        out->flags = TL_PORT_CUT;
        port->counts.cut++;
    }
    return true;
}

int tl_frame_destination(const tl_port *port, const tl_port_packet *packet, uint32_t payload_max,
                         const tl_port_address **to)
{
    *to = packet->to != NULL ? packet->to : &port->to;
    if (packet->size > payload_max)
        return -EMSGSIZE;
    if ((*to)->family != 4)
        return (*to)->family == 0 ? -EDESTADDRREQ : -EAFNOSUPPORT;
    return 0;
}

int tl_frame_spin(tl_port *port, tl_frame_take *take, tl_port_datagram *out, uint32_t max,
                  int timeout_ms)
{
    uint32_t count = take(port, out, max);
    if (count > 0 || timeout_ms == 0)
        return (int)count;
    const int64_t end_ns = tl_frame_clock_ns() + (int64_t)timeout_ms * (SECOND_NS / 1000);
    while (count == 0 && (timeout_ms < 0 || tl_frame_clock_ns() < end_ns))
        count = take(port, out, max);
    return (int)count;
}
