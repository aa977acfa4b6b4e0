/* What the kinds of ports share: the head of each one's struct, addresses as the system has them,
 * wishes noted, stamps read. Internal to the files port*.c. */
#ifndef TOUCHLINE_PORT_STATE_H
#define TOUCHLINE_PORT_STATE_H

#include "touchline/wire/port.h"

#include <sys/socket.h>

typedef struct tl_port_ops {
    int (*poll)(tl_port *port, tl_port_datagram *out, uint32_t max, int timeout_ms);
    int (*send)(tl_port *port, const tl_port_packet *packets, uint32_t count);
    int (*sent_stamps)(tl_port *port, tl_port_sent *out, uint32_t max); /* may be NULL */
    void (*count)(tl_port *port); /* ask the system what it lost; may be NULL */
    void (*close)(tl_port *port);
} tl_port_ops;

/* The first member of every port. */
struct tl_port {
    const tl_port_ops *ops;
    int fd;
    tl_port_address local;
    tl_port_address to;
    tl_port_facts facts;
    tl_port_counts counts;
};

/* Writes "what: why" (of printf's words) and returns `error`, which is -errno. */
int tl_port_blame(tl_port_fault *fault, int error, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
void tl_port_note(tl_port_facts *facts, const char *name, int64_t asked, int64_t got, int error);

/* The size of the address written, 0 for none. */
socklen_t tl_port_sockaddr(struct sockaddr_storage *to, const tl_port_address *from);
void tl_port_from_sockaddr(tl_port_address *to, const struct sockaddr_storage *from);
/* Where a socket is bound. */
void tl_port_read_local(int fd, tl_port_address *local);

/* setsockopt of an int: 0 or -errno. */
int tl_port_set(int fd, int level, int option, int value);
/* Asks for all that `tuning` wants and notes what was got. `stream`: stamps count bytes.
 * `interface` may be NULL; a card stamps only where it is named. */
void tl_port_tune(int fd, const tl_port_tuning *tuning, const char *interface, bool stream,
                  tl_port_facts *facts);

/* Room for the control messages of one datagram: stamps, lost, segment size; or a sent stamp. */
#define TL_PORT_CONTROL_BYTES 256
/* The stamp in a control message of SO_TIMESTAMPING, hardware before software. */
void tl_port_stamp_read(const void *body, int64_t *ns, uint16_t *stamp);
/* Stamps of what was sent, from the socket's error queue. */
int tl_port_read_sent(int fd, tl_port_sent *out, uint32_t max);
/* Waits until the socket has something: 1, 0 for the time, -errno. */
int tl_port_wait(int fd, int timeout_ms);
/* Zeroed memory of whole pages, in place at once; NULL without. */
void *tl_port_memory(size_t bytes);

#endif
