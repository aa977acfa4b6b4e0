/* Two lines into one: duplicates, gaps, early messages. moldudp64_receiver.h draws it. */
#include "touchline/wire/moldudp64_receiver.h"

size_t tl_moldudp64_receiver_bytes(const tl_moldudp64_receiver_config *config)
{
    const uint32_t window = config->window;
    if (window == 0 || window > UINT32_C(1) << 24 || (window & (window - 1)) != 0 ||
        config->message_max > UINT16_MAX || config->request_max == 0 ||
        config->request_max > TL_MOLDUDP64_COUNT_MAX)
        return 0;
    return window * (sizeof(tl_moldudp64_slot) + config->message_max);
}

bool tl_moldudp64_receiver_open(tl_moldudp64_receiver *receiver,
                                const tl_moldudp64_receiver_config *config, void *memory,
                                const char *session, uint64_t next)
{
    if (tl_moldudp64_receiver_bytes(config) == 0)
        return false;
    *receiver = (tl_moldudp64_receiver){
        .config = *config, .expected = next, .slots = memory, .gap_ns = INT64_MAX};
    receiver->bytes = (uint8_t *)(receiver->slots + config->window);
    memset(receiver->slots, 0, config->window * sizeof *receiver->slots);
    if (session != NULL)
        memcpy(receiver->session, session, sizeof receiver->session);
    return true;
}

static uint32_t place_of(const tl_moldudp64_receiver *receiver, uint64_t number)
{
    return (uint32_t)number & (receiver->config.window - 1);
}

static bool holds(const tl_moldudp64_receiver *receiver, uint64_t number)
{
    return receiver->slots[place_of(receiver, number)].number == number;
}

/* Is something missing, as far as is known? */
static bool gapes(const tl_moldudp64_receiver *receiver)
{
    return receiver->expected != 0 && receiver->expected < receiver->told &&
           !holds(receiver, receiver->expected);
}

/* `expected` has moved, or more is known to have been sent. What is left of a gap that was asked
 * for is asked for at once: an answer brings as much as a packet holds. */
static void look(tl_moldudp64_receiver *receiver, int64_t now_ns, bool moved)
{
    if (!gapes(receiver))
        receiver->gap_ns = INT64_MAX;
    else if (moved && receiver->expected <= receiver->asked_to)
        receiver->gap_ns = now_ns - receiver->config.patience_ns;
    else if (moved || receiver->gap_ns == INT64_MAX)
        receiver->gap_ns = now_ns;
    else
        return;
    receiver->tries = 0;
}

static tl_moldudp64_fault keep(tl_moldudp64_receiver *receiver, uint64_t number,
                               const uint8_t *message, size_t size)
{
    if (number - receiver->expected >= receiver->config.window)
        return TL_MOLDUDP64_FAULT_WINDOW;
    if (size > receiver->config.message_max)
        return TL_MOLDUDP64_FAULT_MESSAGE;
    if (holds(receiver, number))
        return TL_MOLDUDP64_FAULT_NONE;
    const uint32_t place = place_of(receiver, number);
    receiver->slots[place] = (tl_moldudp64_slot){.number = number, .size = (uint32_t)size};
    memcpy(receiver->bytes + (size_t)place * receiver->config.message_max, message, size);
    receiver->held++;
    return TL_MOLDUDP64_FAULT_NONE;
}

/* All of a packet whose first message is not the next. */
static tl_moldudp64_fault keep_all(tl_moldudp64_receiver *receiver, tl_moldudp64_packet *packet)
{
    tl_moldudp64_fault worst = TL_MOLDUDP64_FAULT_NONE;
    uint64_t number = packet->head.number;
    while (packet->left != 0) {
        size_t size;
        const uint8_t *message = tl_moldudp64_next(packet, &size);
        const tl_moldudp64_fault fault = keep(receiver, number++, message, size);
        if (fault != TL_MOLDUDP64_FAULT_NONE)
            worst = fault;
    }
    return worst;
}

/* Is it this session's packet? The first one, and the first after an end, say which it is. */
static bool ours(tl_moldudp64_receiver *receiver, const char session[10])
{
    if (memcmp(receiver->session, session, sizeof receiver->session) == 0)
        return true;
    if (receiver->session[0] != '\0' && !receiver->ended)
        return false;
    memcpy(receiver->session, session, sizeof receiver->session);
    if (receiver->ended) {
        receiver->ended = false;
        receiver->expected = 1;
        receiver->told = receiver->end = receiver->asked_to = receiver->lost_to = 0;
        receiver->held = receiver->tries = 0;
        memset(receiver->slots, 0, receiver->config.window * sizeof *receiver->slots);
    }
    return true;
}

static tl_moldudp64_fault take(tl_moldudp64_receiver *receiver, tl_moldudp64_packet *packet,
                               uint32_t line)
{
    const uint64_t number = packet->head.number;
    if (!ours(receiver, packet->head.session))
        return TL_MOLDUDP64_FAULT_SESSION;
    if (receiver->expected == 0)
        receiver->expected = number;
    if (number > receiver->expected && number - receiver->expected > receiver->config.ahead_max)
        return TL_MOLDUDP64_FAULT_FAR;
    if (packet->head.count == TL_MOLDUDP64_END && number >= receiver->expected)
        receiver->end = number;
    if (number + packet->left > receiver->told)
        receiver->told = number + packet->left;
    if (packet->left == 0)
        return TL_MOLDUDP64_FAULT_NONE;
    if (number + packet->left <= receiver->expected)
        return TL_MOLDUDP64_FAULT_DUPLICATE;
    if (number > receiver->expected)
        return keep_all(receiver, packet);
    receiver->packet = *packet;
    receiver->line = line;
    return TL_MOLDUDP64_FAULT_NONE;
}

tl_moldudp64_fault tl_moldudp64_receive(tl_moldudp64_receiver *receiver, uint32_t line,
                                        const uint8_t *bytes, size_t size, int64_t now_ns)
{
    tl_moldudp64_packet packet;
    line %= TL_MOLDUDP64_LINES;
    receiver->packets[line]++;
    receiver->heard_ns[line] = now_ns;
    receiver->packet.left = 0;
    const uint32_t held = receiver->held;
    tl_moldudp64_fault fault = tl_moldudp64_read(bytes, size, &packet);
    if (fault == TL_MOLDUDP64_FAULT_NONE)
        fault = take(receiver, &packet, line);
    receiver->messages[line] += receiver->held - held;
    receiver->faults[line][fault]++;
    if (receiver->packet.left == 0)
        look(receiver, now_ns, false);
    return fault;
}

/* The next message of the packet at hand. False: it has none that is new. */
static bool of_packet(tl_moldudp64_receiver *receiver, tl_moldudp64_arrival *arrival)
{
    tl_moldudp64_packet *packet = &receiver->packet;
    while (packet->left != 0) {
        const uint64_t number = packet->head.number++;
        arrival->bytes = tl_moldudp64_next(packet, &arrival->size);
        if (number != receiver->expected)
            continue;
        receiver->messages[receiver->line] += !holds(receiver, number);
        return true;
    }
    return false;
}

static void let_go(tl_moldudp64_receiver *receiver, uint64_t number)
{
    if (!holds(receiver, number))
        return;
    receiver->slots[place_of(receiver, number)].number = 0;
    receiver->held--;
}

static bool of_window(tl_moldudp64_receiver *receiver, tl_moldudp64_arrival *arrival)
{
    if (receiver->expected == 0 || !holds(receiver, receiver->expected))
        return false;
    const uint32_t place = place_of(receiver, receiver->expected);
    arrival->bytes = receiver->bytes + (size_t)place * receiver->config.message_max;
    arrival->size = receiver->slots[place].size;
    return true;
}

tl_moldudp64_kind tl_moldudp64_arrived(tl_moldudp64_receiver *receiver, int64_t now_ns,
                                       tl_moldudp64_arrival *arrival)
{
    *arrival = (tl_moldudp64_arrival){.number = receiver->expected};
    if (receiver->lost_to != 0) {
        arrival->last = receiver->lost_to;
        receiver->lost += receiver->lost_to - receiver->expected + 1;
        receiver->expected = receiver->lost_to + 1;
        receiver->lost_to = 0;
        look(receiver, now_ns, true);
        return arrival->kind = TL_MOLDUDP64_LOST;
    }
    if (of_packet(receiver, arrival) || of_window(receiver, arrival)) {
        let_go(receiver, receiver->expected);
        receiver->expected++;
        if (receiver->packet.left == 0)
            look(receiver, now_ns, true);
        return arrival->kind = TL_MOLDUDP64_MESSAGE;
    }
    if (receiver->end != 0 && receiver->expected >= receiver->end && !receiver->ended) {
        receiver->ended = true;
        return arrival->kind = TL_MOLDUDP64_ENDED;
    }
    return arrival->kind = TL_MOLDUDP64_NOTHING;
}

/* Requests */

/* The last number of the gap: before the next message held, or the last that was sent. */
static uint64_t gap_end(const tl_moldudp64_receiver *receiver)
{
    uint64_t number = receiver->expected;
    const uint64_t most = receiver->told - number;
    const uint64_t window = receiver->config.window;
    for (uint64_t i = 1; receiver->held != 0 && i < window && i < most; i++)
        if (holds(receiver, number + i))
            return number + i - 1;
    return receiver->told - 1;
}

bool tl_moldudp64_receiver_due(tl_moldudp64_receiver *receiver, int64_t now_ns, uint8_t *out)
{
    if (now_ns < tl_moldudp64_receiver_due_ns(receiver))
        return false;
    const uint64_t last = gap_end(receiver);
    if (receiver->config.tries_max != 0 && receiver->tries == receiver->config.tries_max) {
        receiver->lost_to = last;
        return false;
    }
    uint64_t count = last - receiver->expected + 1;
    if (count > receiver->config.request_max)
        count = receiver->config.request_max;
    tl_moldudp64_bare(out, receiver->session, receiver->expected, (uint16_t)count);
    receiver->tries++;
    receiver->asked_ns = now_ns;
    receiver->asked_to = last;
    receiver->requests++;
    return true;
}

int64_t tl_moldudp64_receiver_due_ns(const tl_moldudp64_receiver *receiver)
{
    if (!gapes(receiver) || receiver->lost_to != 0)
        return INT64_MAX;
    return receiver->tries == 0 ? receiver->gap_ns + receiver->config.patience_ns
                                : receiver->asked_ns + receiver->config.retry_ns;
}
