/* Framing, and the two ends of SoupBinTCP. soupbin.h says whence the rules are. */
#include "touchline/wire/soupbin.h"

tl_soupbin_frame tl_soupbin_find(const uint8_t *bytes, size_t size, size_t payload_max,
                                 tl_soupbin_packet *packet)
{
    if (size < 2)
        return TL_SOUPBIN_PART;
    const size_t length = tl_get_u16(bytes);
    if (length == 0 || length - 1 > payload_max)
        return TL_SOUPBIN_BROKEN;
    if (size < 2 + length)
        return TL_SOUPBIN_PART;
    *packet = (tl_soupbin_packet){.type = (char)bytes[2],
                                  .payload = bytes + TL_SOUPBIN_HEAD,
                                  .payload_size = length - 1,
                                  .size = 2 + length};
    return TL_SOUPBIN_WHOLE;
}

/* Texts */

/* A text without the spaces on both sides, ended by a zero; its length. */
static size_t trim(char *to, const char *from, size_t width)
{
    while (width != 0 && from[0] == ' ') {
        from++;
        width--;
    }
    const size_t size = tl_text_length(from, width);
    memcpy(to, from, size);
    to[size] = '\0';
    return size;
}

/* Digits with spaces on either side, as a number of 64 bits. */
static bool read_number(const char *field, size_t width, uint64_t *number)
{
    char digits[21];
    const size_t size = trim(digits, field, width);
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        if (digits[i] < '0' || digits[i] > '9' ||
            __builtin_mul_overflow(*number, UINT64_C(10), number) ||
            __builtin_add_overflow(*number, (uint64_t)(digits[i] - '0'), number))
            return false;
    }
    return size != 0;
}

static void put_right(char *to, size_t width, const char *text, size_t size)
{
    memset(to, ' ', width - size);
    memcpy(to + width - size, text, size);
}

static void put_number(char to[20], uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put_right(to, 20, digits + at, sizeof digits - at);
}

static void keep(char to[11], const char *text)
{
    const size_t size = strnlen(text, 10);
    memcpy(to, text, size);
    to[size] = '\0';
}

/* What both ends do */

static void open_end(tl_soupbin_end *end, const tl_soupbin_config *config, const char *session,
                     int64_t now_ns)
{
    *end = (tl_soupbin_end){.config = *config,
                            .opened_ns = now_ns,
                            .heard_ns = now_ns,
                            .sent_ns = now_ns};
    keep(end->session, session);
}

static void fail(tl_soupbin_end *end, tl_soupbin_event *event, const char *why)
{
    end->state = TL_SOUPBIN_CLOSED;
    event->kind = TL_SOUPBIN_EVENT_FAULT;
    event->fault = why;
}

/* The first packet of the bytes; false: there is none, and `event` says what there is. */
static bool find(tl_soupbin_end *end, const uint8_t *bytes, size_t size, int64_t now_ns,
                 tl_soupbin_packet *packet, tl_soupbin_event *event)
{
    event->kind = TL_SOUPBIN_EVENT_NOTHING;
    if (end->state == TL_SOUPBIN_CLOSED)
        return false;
    switch (tl_soupbin_find(bytes, size, end->config.payload_max, packet)) {
    case TL_SOUPBIN_PART:
        return false;
    case TL_SOUPBIN_BROKEN:
        fail(end, event, "a packet has no type, or is longer than allowed");
        return false;
    case TL_SOUPBIN_WHOLE:
        break;
    }
    end->heard_ns = now_ns;
    event->message = packet->payload;
    event->message_size = packet->payload_size;
    return true;
}

static size_t put_bare(tl_soupbin_end *end, char type, int64_t now_ns, uint8_t *out)
{
    tl_soupbin_head(out, type, 0);
    end->sent_ns = now_ns;
    return TL_SOUPBIN_HEAD;
}

static size_t due(tl_soupbin_end *end, char heartbeat, int64_t now_ns, uint8_t *out,
                  const char **fault)
{
    *fault = NULL;
    if (end->state == TL_SOUPBIN_CLOSED)
        return 0;
    if (now_ns - end->heard_ns >= end->config.silence_ns) {
        end->state = TL_SOUPBIN_CLOSED;
        *fault = "nothing was heard for too long";
        return 0;
    }
    if (now_ns - end->sent_ns < end->config.heartbeat_ns || end->state != TL_SOUPBIN_OPEN)
        return 0;
    return put_bare(end, heartbeat, now_ns, out);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t tl_soupbin_due_ns(const tl_soupbin_end *end)
{
    const int64_t silence = end->heard_ns + end->config.silence_ns;
    if (end->state == TL_SOUPBIN_CLOSED)
        return INT64_MAX;
    if (end->state != TL_SOUPBIN_OPEN)
        return sooner(silence, end->opened_ns + end->config.login_ns);
    return sooner(silence, end->sent_ns + end->config.heartbeat_ns);
}

/* The server's end */

void tl_soupbin_server_open(tl_soupbin_end *end, const tl_soupbin_config *config,
                            const char *session, int64_t now_ns)
{
    open_end(end, config, session, now_ns);
}

static void ask(tl_soupbin_end *end, const tl_soupbin_packet *packet, tl_soupbin_event *event)
{
    if (end->state != TL_SOUPBIN_LOGGING_IN) {
        fail(end, event, "a second login request");
        return;
    }
    if (packet->payload_size != sizeof(tl_soupbin_login_request_wire)) {
        fail(end, event, "a login request is 46 bytes long");
        return;
    }
    const tl_soupbin_login_request_wire *request =
        (const tl_soupbin_login_request_wire *)packet->payload;
    if (!read_number(request->sequence, sizeof request->sequence, &event->number)) {
        fail(end, event, "the login's sequence number is no number");
        return;
    }
    trim(event->username, request->username, sizeof request->username);
    trim(event->password, request->password, sizeof request->password);
    trim(event->session, request->session, sizeof request->session);
    end->state = TL_SOUPBIN_ASKED;
    event->kind = TL_SOUPBIN_EVENT_LOGIN;
}

size_t tl_soupbin_server_take(tl_soupbin_end *end, const uint8_t *bytes, size_t size,
                              int64_t now_ns, tl_soupbin_event *event)
{
    tl_soupbin_packet packet;
    if (!find(end, bytes, size, now_ns, &packet, event))
        return 0;
    switch (packet.type) {
    case TL_SOUPBIN_LOGIN_REQUEST:
        ask(end, &packet, event);
        break;
    case TL_SOUPBIN_UNSEQUENCED:
        if (end->state == TL_SOUPBIN_OPEN)
            event->kind = TL_SOUPBIN_EVENT_UNSEQUENCED;
        else
            fail(end, event, "a message before the login was accepted");
        break;
    case TL_SOUPBIN_LOGOUT_REQUEST:
        end->state = TL_SOUPBIN_CLOSED;
        event->kind = TL_SOUPBIN_EVENT_LOGOUT;
        break;
    case TL_SOUPBIN_CLIENT_HEARTBEAT:
    case TL_SOUPBIN_DEBUG:
        break;
    default:
        fail(end, event, "a packet of a type that no client sends");
    }
    return packet.size;
}

size_t tl_soupbin_server_accept(tl_soupbin_end *end, const tl_soupbin_event *event, uint64_t count,
                                int64_t now_ns, uint8_t out[TL_SOUPBIN_REPLY_MAX])
{
    const bool ours = event->session[0] == '\0' || strcmp(event->session, end->session) == 0;
    if (!ours || event->number > count + 1)
        return tl_soupbin_server_reject(end, TL_SOUPBIN_NO_SESSION, out);
    end->state = TL_SOUPBIN_OPEN;
    end->next = event->number == 0 ? count + 1 : event->number;
    end->sent_ns = now_ns;
    tl_soupbin_login_accepted_wire *reply = (tl_soupbin_login_accepted_wire *)tl_soupbin_head(
        out, TL_SOUPBIN_LOGIN_ACCEPTED, sizeof(tl_soupbin_login_accepted_wire));
    put_right(reply->session, sizeof reply->session, end->session, strlen(end->session));
    put_number(reply->sequence, end->next);
    return TL_SOUPBIN_HEAD + sizeof *reply;
}

size_t tl_soupbin_server_reject(tl_soupbin_end *end, char reason,
                                uint8_t out[TL_SOUPBIN_REPLY_MAX])
{
    end->state = TL_SOUPBIN_CLOSED;
    *tl_soupbin_head(out, TL_SOUPBIN_LOGIN_REJECTED, 1) = (uint8_t)reason;
    return TL_SOUPBIN_HEAD + 1;
}

size_t tl_soupbin_server_due(tl_soupbin_end *end, int64_t now_ns,
                             uint8_t out[TL_SOUPBIN_REPLY_MAX], const char **fault)
{
    if (end->state == TL_SOUPBIN_LOGGING_IN && now_ns - end->opened_ns >= end->config.login_ns) {
        end->state = TL_SOUPBIN_CLOSED;
        *fault = "no login request came in time";
        return 0;
    }
    return due(end, TL_SOUPBIN_SERVER_HEARTBEAT, now_ns, out, fault);
}

/* The client's end */

size_t tl_soupbin_client_open(tl_soupbin_end *end, const tl_soupbin_config *config,
                              const char *username, const char *password, const char *session,
                              uint64_t next, int64_t now_ns, uint8_t out[TL_SOUPBIN_REPLY_MAX])
{
    open_end(end, config, session, now_ns);
    tl_soupbin_login_request_wire *request = (tl_soupbin_login_request_wire *)tl_soupbin_head(
        out, TL_SOUPBIN_LOGIN_REQUEST, sizeof(tl_soupbin_login_request_wire));
    tl_put_text(request->username, sizeof request->username, username, strlen(username));
    tl_put_text(request->password, sizeof request->password, password, strlen(password));
    put_right(request->session, sizeof request->session, end->session, strlen(end->session));
    put_number(request->sequence, next);
    end->next = next;
    return TL_SOUPBIN_HEAD + sizeof *request;
}

/* A server that answers with another session or number than it was asked for has other messages. */
static void answered(tl_soupbin_end *end, const tl_soupbin_packet *packet, tl_soupbin_event *event)
{
    char session[11];
    const tl_soupbin_login_accepted_wire *reply =
        (const tl_soupbin_login_accepted_wire *)packet->payload;
    if (end->state != TL_SOUPBIN_LOGGING_IN || packet->payload_size != sizeof *reply ||
        !read_number(reply->sequence, sizeof reply->sequence, &event->number) ||
        event->number == 0) {
        fail(end, event, "an acceptance of a login that is none");
        return;
    }
    trim(session, reply->session, sizeof reply->session);
    if ((end->session[0] != '\0' && strcmp(end->session, session) != 0) ||
        (end->next != 0 && end->next != event->number)) {
        fail(end, event, "the login was accepted for another session or number");
        return;
    }
    keep(end->session, session);
    end->next = event->number;
    end->state = TL_SOUPBIN_OPEN;
    event->kind = TL_SOUPBIN_EVENT_ACCEPTED;
}

static void refused(tl_soupbin_end *end, const tl_soupbin_packet *packet, tl_soupbin_event *event)
{
    if (end->state != TL_SOUPBIN_LOGGING_IN || packet->payload_size != 1) {
        fail(end, event, "a refusal of a login that is none");
        return;
    }
    end->state = TL_SOUPBIN_CLOSED;
    event->kind = TL_SOUPBIN_EVENT_REJECTED;
    event->reason = (char)packet->payload[0];
}

size_t tl_soupbin_client_take(tl_soupbin_end *end, const uint8_t *bytes, size_t size,
                              int64_t now_ns, tl_soupbin_event *event)
{
    tl_soupbin_packet packet;
    if (!find(end, bytes, size, now_ns, &packet, event))
        return 0;
    const bool of_stream = packet.type == TL_SOUPBIN_SEQUENCED ||
                           packet.type == TL_SOUPBIN_UNSEQUENCED ||
                           packet.type == TL_SOUPBIN_END_OF_SESSION;
    if (of_stream && end->state != TL_SOUPBIN_OPEN) {
        fail(end, event, "a message before the login was accepted");
        return packet.size;
    }
    switch (packet.type) {
    case TL_SOUPBIN_LOGIN_ACCEPTED:
        answered(end, &packet, event);
        break;
    case TL_SOUPBIN_LOGIN_REJECTED:
        refused(end, &packet, event);
        break;
    case TL_SOUPBIN_SEQUENCED:
        event->kind = TL_SOUPBIN_EVENT_SEQUENCED;
        event->number = end->next++;
        break;
    case TL_SOUPBIN_UNSEQUENCED:
        event->kind = TL_SOUPBIN_EVENT_UNSEQUENCED;
        break;
    case TL_SOUPBIN_END_OF_SESSION:
        end->state = TL_SOUPBIN_CLOSED;
        event->kind = TL_SOUPBIN_EVENT_ENDED;
        break;
    case TL_SOUPBIN_SERVER_HEARTBEAT:
    case TL_SOUPBIN_DEBUG:
        break;
    default:
        fail(end, event, "a packet of a type that no server sends");
    }
    return packet.size;
}

size_t tl_soupbin_client_due(tl_soupbin_end *end, int64_t now_ns,
                             uint8_t out[TL_SOUPBIN_REPLY_MAX], const char **fault)
{
    return due(end, TL_SOUPBIN_CLIENT_HEARTBEAT, now_ns, out, fault);
}
