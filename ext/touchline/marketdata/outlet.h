/* The way from events to a PUB socket: a mirror's messages, each behind its topic.
 *
 *   event ring ─► tl_mirror_apply ─► tl_mirror_next_message ─► send(topic), send(payload)
 *
 * The socket is ZeroMQ's and somebody else's: it is given as a pointer, with the functions of the
 * library that made it, so that nothing here needs that library to be built. A subscriber without
 * room is told by the first send, counted, and passed over. One thread at a time.
 */
#ifndef TOUCHLINE_OUTLET_H
#define TOUCHLINE_OUTLET_H

#include <stddef.h>
#include <stdint.h>

#include "touchline/marketdata/mirror.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_TOPIC_MAX 63u
#define TL_OUTLET_UNNAMED 1

/* zmq_send, zmq_setsockopt and zmq_errno, as ZeroMQ declares them since its version 3. */
typedef struct tl_zmq {
    int (*send)(void *socket, const void *bytes, size_t count, int flags);
    int (*setsockopt)(void *socket, int option, const void *value, size_t size);
    int (*error)(void);
} tl_zmq;

typedef struct tl_outlet tl_outlet;

/* Into `socket`, a PUB socket with ZMQ_XPUB_NODROP set. 0, -EINVAL, -ENOMEM. */
int tl_outlet_open(tl_outlet **outlet, const tl_zmq *zmq, void *socket, uint32_t instruments_max);
void tl_outlet_close(tl_outlet *outlet);

/* What an instrument's topic of a kind is called. -EINVAL for a number out of range, or a name of
 * no bytes or more than TL_TOPIC_MAX. */
int tl_outlet_name(tl_outlet *outlet, uint16_t instrument, unsigned kind, const void *topic,
                   size_t size);

/* Send every message that waits in the mirror. 0; -errno of the socket; TL_OUTLET_UNNAMED when an
 * instrument has no names yet: give them, and call again. */
int tl_outlet_publish(tl_outlet *outlet, tl_mirror *mirror);
uint16_t tl_outlet_unnamed(const tl_outlet *outlet);

/* One message. 0 or -errno. */
int tl_outlet_send(tl_outlet *outlet, const void *topic, size_t topic_size, const void *payload,
                   size_t size);

uint64_t tl_outlet_sent(const tl_outlet *outlet);    /* messages */
uint64_t tl_outlet_dropped(const tl_outlet *outlet); /* how often somebody had no room */

#ifdef __cplusplus
}
#endif

#endif
