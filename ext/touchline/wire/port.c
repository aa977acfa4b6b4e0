/* What is the same for all ports: the calls handed on, addresses as text, wishes and faults noted.
 */
#define _GNU_SOURCE
#include "touchline/wire/port_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int tl_port_poll(tl_port *port, tl_port_datagram *out, uint32_t max, int timeout_ms)
{
    return port->ops->poll(port, out, max, timeout_ms);
}

int tl_port_send(tl_port *port, const tl_port_packet *packets, uint32_t count)
{
    return port->ops->send(port, packets, count);
}

int tl_port_sent_stamps(tl_port *port, tl_port_sent *out, uint32_t max)
{
    return port->ops->sent_stamps == NULL ? 0 : port->ops->sent_stamps(port, out, max);
}

void tl_port_close(tl_port *port)
{
    if (port != NULL)
        port->ops->close(port);
}

int tl_port_fd(const tl_port *port)
{
    return port->fd;
}

const tl_port_address *tl_port_local(const tl_port *port)
{
    return &port->local;
}

const tl_port_facts *tl_port_what_was_got(const tl_port *port)
{
    return &port->facts;
}

tl_port_counts tl_port_counted(tl_port *port)
{
    if (port->ops->count != NULL)
        port->ops->count(port);
    return port->counts;
}

/* The number after the last colon: 0 to 65,535, or -EINVAL. */
static int read_port(const char *text)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    const unsigned long port = strtoul(text, &end, 10);
    return *end == '\0' && port <= UINT16_MAX ? (int)port : -EINVAL;
}

static int read_v6(tl_port_address *address, char *host)
{
    char *scope = strchr(host, '%');
    if (scope != NULL) {
        *scope++ = '\0';
        address->scope = if_nametoindex(scope);
        if (address->scope == 0)
            return -EINVAL;
    }
    address->family = 6;
    return inet_pton(AF_INET6, host, address->ip) == 1 ? 0 : -EINVAL;
}

int tl_port_address_read(tl_port_address *address, const char *text)
{
    char host[TL_PORT_ADDRESS_BYTES];
    memset(address, 0, sizeof *address);
    const char *colon = text == NULL ? NULL : strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        return -EINVAL;
    const int port = read_port(colon + 1);
    if (port < 0)
        return port;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    address->port = (uint16_t)port;
    if (host[0] == '[') {
        if (colon[-1] != ']')
            return -EINVAL;
        host[colon - text - 1] = '\0';
        return read_v6(address, host + 1);
    }
    address->family = 4;
    return inet_pton(AF_INET, host, address->ip) == 1 ? 0 : -EINVAL;
}

const char *tl_port_address_text(const tl_port_address *address, char *text)
{
    char host[INET6_ADDRSTRLEN] = "";
    char name[IF_NAMESIZE] = "";
    if (address->family == 4) {
        inet_ntop(AF_INET, address->ip, host, sizeof host);
        snprintf(text, TL_PORT_ADDRESS_BYTES, "%s:%u", host, address->port);
    } else if (address->family == 6) {
        inet_ntop(AF_INET6, address->ip, host, sizeof host);
        const bool named = address->scope != 0 && if_indextoname(address->scope, name) != NULL;
        snprintf(text, TL_PORT_ADDRESS_BYTES, "[%s%s%s]:%u", host, named ? "%" : "", name,
                 address->port);
    } else {
        snprintf(text, TL_PORT_ADDRESS_BYTES, "nowhere");
    }
    return text;
}

bool tl_port_address_same(const tl_port_address *one, const tl_port_address *other)
{
    return one->family == other->family && one->port == other->port &&
           one->scope == other->scope && memcmp(one->ip, other->ip, sizeof one->ip) == 0;
}

bool tl_port_address_multicast(const tl_port_address *address)
{
    if (address->family == 4)
        return address->ip[0] >= 224 && address->ip[0] < 240;
    return address->family == 6 && address->ip[0] == 0xFF;
}

const tl_port_fact *tl_port_fact_named(const tl_port_facts *facts, const char *name)
{
    for (uint32_t i = 0; i < facts->count; i++) {
        if (strcmp(facts->fact[i].name, name) == 0)
            return &facts->fact[i];
    }
    return NULL;
}

void tl_port_note(tl_port_facts *facts, const char *name, int64_t asked, int64_t got, int error)
{
    if (facts->count < TL_PORT_FACTS_MAX)
        facts->fact[facts->count++] =
            (tl_port_fact){.name = name, .asked = asked, .got = got, .error = error};
}

int tl_port_blame(tl_port_fault *fault, int error, const char *what, ...)
{
    va_list words;
    if (fault == NULL)
        return error;
    fault->error = error;
    va_start(words, what);
    int at = vsnprintf(fault->text, sizeof fault->text, what, words);
    va_end(words);
    if (at >= 0 && (size_t)at < sizeof fault->text)
        snprintf(fault->text + at, sizeof fault->text - (size_t)at, ": %s", strerror(-error));
    return error;
}

void *tl_port_memory(size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}
