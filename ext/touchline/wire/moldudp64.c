/* Packets of MoldUDP64 written, read and sent again. moldudp64.h says whence the layouts are. */
#include "touchline/wire/moldudp64.h"

#define SECOND_NS UINT64_C(1000000000)

#define FAULT_TEXT(name, text) text,
const char *tl_moldudp64_fault_text(tl_moldudp64_fault fault)
{
    static const char *const texts[] = {TL_MOLDUDP64_FAULTS(FAULT_TEXT)};
    return fault < TL_MOLDUDP64_FAULT_KINDS ? texts[fault] : "unknown fault";
}

void tl_moldudp64_bare(uint8_t *out, const char *session, uint64_t number, uint16_t count)
{
    tl_moldudp64_header head = {.number = number, .count = count};
    memcpy(head.session, session, sizeof head.session);
    tl_moldudp64_header_put((tl_moldudp64_header_wire *)out, &head);
}

void tl_moldudp64_begin(tl_moldudp64_builder *builder, uint8_t *out, size_t room,
                        const char *session, uint64_t number)
{
    *builder = (tl_moldudp64_builder){.out = out, .room = room, .size = TL_MOLDUDP64_HEAD};
    tl_moldudp64_bare(out, session, number, TL_MOLDUDP64_HEARTBEAT);
}

size_t tl_moldudp64_pack(tl_moldudp64_builder *builder, const uint8_t *blocks, size_t size)
{
    const size_t room = builder->room - builder->size;
    size_t at = 0;
    while (size - at >= 2 && builder->count < TL_MOLDUDP64_COUNT_MAX) {
        const size_t block = 2u + tl_get_u16(blocks + at);
        if (block > size - at || block > room - at)
            break;
        at += block;
        builder->count++;
    }
    memcpy(builder->out + builder->size, blocks, at);
    builder->size += at;
    return at;
}

size_t tl_moldudp64_finish(tl_moldudp64_builder *builder)
{
    tl_put_u16(((tl_moldudp64_header_wire *)builder->out)->count, (uint16_t)builder->count);
    return builder->size;
}

tl_moldudp64_fault tl_moldudp64_read(const uint8_t *bytes, size_t size,
                                     tl_moldudp64_packet *packet)
{
    if (size < TL_MOLDUDP64_HEAD)
        return TL_MOLDUDP64_FAULT_SHORT;
    tl_moldudp64_header_get((const tl_moldudp64_header_wire *)bytes, &packet->head);
    packet->at = bytes + TL_MOLDUDP64_HEAD;
    packet->left = packet->head.count == TL_MOLDUDP64_END ? 0 : packet->head.count;
    if (packet->head.number == 0 || packet->head.number > UINT64_MAX - packet->left)
        return TL_MOLDUDP64_FAULT_NUMBER;
    size_t at = TL_MOLDUDP64_HEAD;
    for (uint32_t i = 0; i < packet->left; i++) {
        if (size - at < 2)
            return TL_MOLDUDP64_FAULT_CUT;
        const size_t message_size = tl_get_u16(bytes + at);
        if (size - at - 2 < message_size)
            return TL_MOLDUDP64_FAULT_CUT;
        at += 2 + message_size;
    }
    return at == size ? TL_MOLDUDP64_FAULT_NONE : TL_MOLDUDP64_FAULT_LONG;
}

/* May one more answer go out? The burst fills again with time. */
static bool spend(tl_moldudp64_server *server, int64_t now_ns)
{
    const uint64_t passed = now_ns > server->last_ns ? (uint64_t)(now_ns - server->last_ns) : 0;
    uint64_t back;
    if (__builtin_mul_overflow(passed, server->per_s, &back) || back > server->spent)
        back = server->spent;
    server->spent -= back;
    server->last_ns = now_ns;
    if (server->spent / SECOND_NS >= server->burst)
        return false;
    server->spent += SECOND_NS;
    return true;
}

static tl_moldudp64_fault refusal(const tl_moldudp64_server *server, const uint8_t *request,
                                  size_t request_size, uint64_t newest,
                                  tl_moldudp64_header *wanted)
{
    if (request_size != TL_MOLDUDP64_HEAD)
        return TL_MOLDUDP64_FAULT_SIZE;
    tl_moldudp64_header_get((const tl_moldudp64_header_wire *)request, wanted);
    if (memcmp(wanted->session, server->session, sizeof server->session) != 0)
        return TL_MOLDUDP64_FAULT_SESSION;
    if (wanted->number == 0 || wanted->number > newest || wanted->count == 0)
        return TL_MOLDUDP64_FAULT_UNKNOWN;
    return TL_MOLDUDP64_FAULT_NONE;
}

tl_moldudp64_fault tl_moldudp64_answer(tl_moldudp64_server *server, const uint8_t *request,
                                       size_t request_size, uint64_t newest, int64_t now_ns,
                                       uint8_t *out, size_t room, size_t *size)
{
    tl_moldudp64_header wanted;
    tl_moldudp64_builder builder;
    *size = 0;
    const tl_moldudp64_fault fault = refusal(server, request, request_size, newest, &wanted);
    if (fault != TL_MOLDUDP64_FAULT_NONE)
        return fault;
    if (!spend(server, now_ns))
        return TL_MOLDUDP64_FAULT_RATE;
    tl_moldudp64_begin(&builder, out, room, server->session, wanted.number);
    for (uint64_t i = 0; i < wanted.count && newest - wanted.number >= i; i++) {
        if (builder.count == TL_MOLDUDP64_COUNT_MAX || builder.room - builder.size < 2)
            break;
        const size_t message_size =
            server->source(server->context, wanted.number + i, builder.out + builder.size + 2,
                           builder.room - builder.size - 2);
        if (message_size == SIZE_MAX || tl_moldudp64_add(&builder, message_size) == NULL)
            break;
    }
    if (builder.count == 0)
        return TL_MOLDUDP64_FAULT_UNKNOWN;
    *size = tl_moldudp64_finish(&builder);
    return TL_MOLDUDP64_FAULT_NONE;
}
