/* Messages into a PUB socket. */
#include "touchline/marketdata/outlet.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DONTWAIT = 1, SNDMORE = 2, XPUB_NODROP = 69 }; /* ZeroMQ's, which never change */

typedef struct tl_topic {
    uint8_t size; /* 0: not named yet */
    uint8_t bytes[TL_TOPIC_MAX];
} tl_topic;
static_assert(sizeof(tl_topic) == 64, "a topic is one cache line");

struct tl_outlet {
    tl_zmq zmq;
    void *socket;
    tl_topic *topics; /* by instrument and kind */
    uint32_t instruments_max;
    bool holds; /* `held` waits for its instrument's names */
    tl_mirror_message held;
    uint64_t sent, dropped;
};

int tl_outlet_open(tl_outlet **outlet, const tl_zmq *zmq, void *socket, uint32_t instruments_max)
{
    *outlet = NULL;
    if (socket == NULL || zmq->send == NULL || zmq->setsockopt == NULL || zmq->error == NULL)
        return -EINVAL;
    tl_outlet *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return -ENOMEM;
    opened->topics = calloc((size_t)instruments_max * TL_PUBLISHED_KINDS, sizeof *opened->topics);
    if (opened->topics == NULL) {
        free(opened);
        return -ENOMEM;
    }
    opened->zmq = *zmq;
    opened->socket = socket;
    opened->instruments_max = instruments_max;
    *outlet = opened;
    return 0;
}

void tl_outlet_close(tl_outlet *outlet)
{
    if (outlet == NULL)
        return;
    free(outlet->topics);
    free(outlet);
}

int tl_outlet_name(tl_outlet *outlet, uint16_t instrument, unsigned kind, const void *topic,
                   size_t size)
{
    if (instrument >= outlet->instruments_max || kind >= TL_PUBLISHED_KINDS || size == 0 ||
        size > TL_TOPIC_MAX)
        return -EINVAL;
    tl_topic *named = &outlet->topics[(size_t)instrument * TL_PUBLISHED_KINDS + kind];
    memcpy(named->bytes, topic, size);
    named->size = (uint8_t)size;
    return 0;
}

/* One frame; a call that a signal interrupted is made again. */
static int frame(const tl_outlet *outlet, const void *bytes, size_t size, int flags)
{
    int rc;
    do
        rc = outlet->zmq.send(outlet->socket, bytes, size, flags);
    while (rc < 0 && outlet->zmq.error() == EINTR);
    return rc < 0 ? -outlet->zmq.error() : 0;
}

static int set_nodrop(const tl_outlet *outlet, int value)
{
    const int rc =
        outlet->zmq.setsockopt(outlet->socket, XPUB_NODROP, &value, sizeof value);
    return rc < 0 ? -outlet->zmq.error() : 0;
}

/* Somebody has no room. The others get the message, and until that one has read half of what waits
 * for it, ZeroMQ passes it over without a word. */
static int send_to_others(tl_outlet *outlet, const void *topic, size_t topic_size,
                          const void *payload, size_t size)
{
    outlet->dropped++;
    int rc = set_nodrop(outlet, 0);
    if (rc == 0)
        rc = frame(outlet, topic, topic_size, SNDMORE);
    if (rc == 0)
        rc = frame(outlet, payload, size, 0);
    const int back = set_nodrop(outlet, 1);
    return rc != 0 ? rc : back;
}

int tl_outlet_send(tl_outlet *outlet, const void *topic, size_t topic_size, const void *payload,
                   size_t size)
{
    int rc = frame(outlet, topic, topic_size, DONTWAIT | SNDMORE);
    if (rc == -EAGAIN)
        rc = send_to_others(outlet, topic, topic_size, payload, size);
    else if (rc == 0)
        rc = frame(outlet, payload, size, 0);
    outlet->sent += rc == 0;
    return rc;
}

int tl_outlet_publish(tl_outlet *outlet, tl_mirror *mirror)
{
    while (outlet->holds || tl_mirror_next_message(mirror, &outlet->held)) {
        const tl_mirror_message *message = &outlet->held;
        const tl_topic *topic =
            &outlet->topics[(size_t)message->instrument * TL_PUBLISHED_KINDS + message->kind];
        outlet->holds = topic->size == 0;
        if (outlet->holds)
            return TL_OUTLET_UNNAMED;
        const int rc =
            tl_outlet_send(outlet, topic->bytes, topic->size, message->bytes, message->count);
        if (rc != 0)
            return rc;
    }
    return 0;
}

uint16_t tl_outlet_unnamed(const tl_outlet *outlet)
{
    return outlet->held.instrument;
}

uint64_t tl_outlet_sent(const tl_outlet *outlet)
{
    return outlet->sent;
}

uint64_t tl_outlet_dropped(const tl_outlet *outlet)
{
    return outlet->dropped;
}
