/* What the kernel knows of the link a port stands on: the card, the addresses, the neighbours. */
#define _GNU_SOURCE
#include "touchline/wire/port_link.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int read_addresses(const char *interface, uint8_t own_ip[4], bool *is_own,
                          const uint8_t ip[4])
{
    struct ifaddrs *all;
    bool any = false;
    if (getifaddrs(&all) != 0)
        return -errno;
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET ||
            strcmp(one->ifa_name, interface) != 0)
            continue;
        struct sockaddr_in at;
        memcpy(&at, one->ifa_addr, sizeof at);
        if (!any)
            memcpy(own_ip, &at.sin_addr, 4);
        any = true;
        *is_own |= memcmp(&at.sin_addr, ip, 4) == 0;
    }
    freeifaddrs(all);
    return 0;
}

int tl_link_open(tl_link *link, const char *interface, tl_port_fault *fault)
{
    *link = (tl_link){.netlink_fd = -1};
    if (interface == NULL || strlen(interface) >= IFNAMSIZ)
        return tl_port_blame(fault, -ENODEV, "interface %s", interface == NULL ? "" : interface);
    strcpy(link->name, interface);
    link->interface = (int)if_nametoindex(interface);
    return link->interface != 0 ? 0 : tl_port_blame(fault, -ENODEV, "interface %s", interface);
}

void tl_link_close(tl_link *link)
{
    if (link->netlink_fd >= 0)
        close(link->netlink_fd);
    if (link->kernel != NULL)
        tl_port_close(link->kernel);
    link->netlink_fd = -1;
    link->kernel = NULL;
}

int tl_link_take(tl_link *link, const tl_port_options *options, tl_port_address *local,
                 tl_port_fault *fault)
{
    tl_port_options same = *options;
    same.batch = 1;
    same.size_max = 64;
    same.segments = same.connected = false;
    same.tuning = (tl_port_tuning){0};
    const int rc = tl_port_udp_open(&link->kernel, &same, fault);
    if (rc != 0)
        return rc;
    local->port = tl_port_local(link->kernel)->port;
    link->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return link->netlink_fd >= 0 ? 0 : tl_port_blame(fault, -errno, "netlink");
}

int tl_link_read(const tl_link *link, uint8_t mac[TL_FRAME_MAC], uint8_t own_ip[4], bool *is_own,
                 uint32_t *mtu, const uint8_t ip[4])
{
    struct ifreq request = {0};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    strcpy(request.ifr_name, link->name);
    int rc = ioctl(fd, SIOCGIFHWADDR, &request) == 0 ? 0 : -errno;
    if (rc == 0 && request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        rc = -EAFNOSUPPORT;
    memcpy(mac, request.ifr_hwaddr.sa_data, TL_FRAME_MAC);
    if (rc == 0)
        rc = ioctl(fd, SIOCGIFMTU, &request) == 0 ? 0 : -errno;
    *mtu = rc == 0 && request.ifr_mtu > 0 ? (uint32_t)request.ifr_mtu : 0;
    close(fd);
    *is_own = false;
    memset(own_ip, 0, 4);
    return rc == 0 ? read_addresses(link->name, own_ip, is_own, ip) : rc;
}

/* As `ip neigh add ADDRESS dev INTERFACE use`: the kernel finds out, and keeps it fresh. */
static void make_kernel_ask(const tl_link *link, const uint8_t ip[4])
{
    struct {
        struct nlmsghdr head;
        struct ndmsg neighbour;
        struct rtattr attribute;
        uint8_t ip[4];
    } request = {
        .head = {.nlmsg_len = sizeof request,
                 .nlmsg_type = RTM_NEWNEIGH,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE},
        .neighbour = {.ndm_family = AF_INET, .ndm_ifindex = link->interface, .ndm_flags = NTF_USE},
        .attribute = {.rta_len = RTA_LENGTH(4), .rta_type = NDA_DST},
    };
    memcpy(request.ip, ip, 4);
    (void)send(link->netlink_fd, &request, sizeof request, MSG_DONTWAIT);
    /* Refusals alone are answered. They change nothing, and must not fill the socket. */
    char answer[256];
    while (recv(link->netlink_fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
        ;
}

bool tl_link_ask(const tl_link *link, tl_frame_neighbour *neighbour, int64_t now_ns)
{
    struct arpreq request = {0};
    struct sockaddr_in at = {.sin_family = AF_INET};
    memcpy(&at.sin_addr, neighbour->ip, 4);
    memcpy(&request.arp_pa, &at, sizeof at);
    strcpy(request.arp_dev, link->name);
    neighbour->asked_ns = now_ns;
    if (ioctl(tl_port_fd(link->kernel), SIOCGARP, &request) == 0 &&
        (request.arp_flags & ATF_COM) != 0) {
        memcpy(neighbour->mac, request.arp_ha.sa_data, TL_FRAME_MAC);
        neighbour->known = true;
        neighbour->known_ns = now_ns;
    }
    make_kernel_ask(link, neighbour->ip);
    return neighbour->known;
}
