/* The UDP payload in a captured frame: link, IP, UDP. Anything that is not whole is passed over. */
#include "touchline/study/feed_state.h"
#include "touchline/wire/fields.h"

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define PROTOCOL_UDP 17u
#define UDP_HEAD 8u

/* Where the IP packet begins; 0 is no place for it in any frame but a raw one. */
static bool ip_find(uint32_t link, const uint8_t *frame, size_t size, size_t *at)
{
    size_t ethertype;
    switch (link) {
    case 101: /* raw IP, and what BSD calls so */
    case 12:
        *at = 0;
        return true;
    case 0: /* loopback: four bytes of address family */
        *at = 4;
        return true;
    case 113: /* Linux cooked */
        ethertype = 14;
        break;
    case 276: /* its second version has the type first */
        if (size < 20)
            return false;
        *at = 20;
        return true;
    default: /* Ethernet */
        ethertype = 12;
    }
    while (size >= ethertype + 2) {
        uint16_t type = tl_get_u16(frame + ethertype);
        if (type != 0x8100 && type != 0x88a8 && type != 0x9100) {
            *at = ethertype + 2;
            return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;
        }
        ethertype += 4; /* a VLAN's tag */
    }
    return false;
}

/* Where the UDP head begins and the packet ends, of an IP packet of `size` bytes at most. */
static bool udp_find(const uint8_t *ip, size_t size, size_t *at, size_t *end)
{
    if (size >= 20 && ip[0] >> 4 == 4) {
        size_t head = (size_t)(ip[0] & 15) * 4;
        size_t total = tl_get_u16(ip + 2);
        bool fragment = (tl_get_u16(ip + 6) & 0x3fff) != 0;
        *at = head;
        *end = total;
        return ip[9] == PROTOCOL_UDP && !fragment && head >= 20 && total <= size && head <= total;
    }
    if (size >= 40 && ip[0] >> 4 == 6) {
        *at = 40;
        *end = 40 + (size_t)tl_get_u16(ip + 4);
        return ip[6] == PROTOCOL_UDP && *end <= size;
    }
    return false;
}

bool tl_feed_udp(const tl_feed *feed, uint32_t link, const uint8_t *frame, size_t frame_size,
                 size_t *from, size_t *size)
{
    size_t ip;
    if (!ip_find(link, frame, frame_size, &ip) || ip > frame_size)
        return false;
    size_t udp;
    size_t end;
    if (!udp_find(frame + ip, frame_size - ip, &udp, &end) || end - udp < UDP_HEAD)
        return false;
    const uint8_t *head = frame + ip + udp;
    size_t length = tl_get_u16(head + 4);
    if (feed->port != 0 && tl_get_u16(head + 2) != feed->port)
        return false;
    if (length < UDP_HEAD || length > end - udp)
        return false;
    *from = ip + udp + UDP_HEAD;
    *size = length - UDP_HEAD;
    return true;
}
