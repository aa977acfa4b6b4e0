/* What a lane may send: numbers of its own, names that are names. gate.h says who asks. */
#include "touchline/runtime/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(TL_GATE_LANES == TL_TEXT_LANES, "a text can name every lane");

int tl_gate_open(tl_gate *gate, const tl_gate_config *config)
{
    *gate = (tl_gate){.config = *config};
    for (uint32_t kind = TL_TEXT_SYMBOL; kind <= TL_TEXT_SESSION; kind++) {
        uint32_t keys = config->instruments_max;
        if (kind == TL_TEXT_ACCOUNT)
            keys = config->accounts_max;
        else if (kind == TL_TEXT_SESSION)
            keys = TL_SESSIONS_MAX;
        gate->keys_max[kind] = keys;
        gate->names[kind] = calloc(keys, sizeof(uint64_t));
        if (gate->names[kind] == NULL) {
            tl_gate_close(gate);
            return -ENOMEM;
        }
    }
    return 0;
}

void tl_gate_close(tl_gate *gate)
{
    for (uint32_t kind = 0; kind < TL_GATE_KINDS; kind++) {
        free(gate->names[kind]);
        gate->names[kind] = NULL;
    }
}

/* Texts */

static const unsigned char *text_of(const tl_command *cmd)
{
    return (const unsigned char *)cmd + offsetof(tl_command, order_id);
}

/* Bytes of the UTF-8 character at `at` of `length` bytes; 0 when it is none, or a control one. */
static size_t character_bytes(const unsigned char *at, size_t length)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = at[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes > length)
        return 0;
    uint32_t point = first & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3fu);
    }
    const int surrogate = point >= 0xd800 && point <= 0xdfff;
    const int control = point < 0xa0;
    return point < least[bytes] || point > 0x10ffff || surrogate || control ? 0 : bytes;
}

/* Characters, then nothing but zeros. The length in bytes, or -1. */
static int text_length(const unsigned char *text)
{
    size_t length = 0;
    while (length < TL_TEXT_BYTES && text[length] != 0) {
        const size_t bytes = character_bytes(text + length, TL_TEXT_BYTES - length);
        if (bytes == 0)
            return -1;
        length += bytes;
    }
    for (size_t i = length; i < TL_TEXT_BYTES; i++)
        if (text[i] != 0)
            return -1;
    return (int)length;
}

/* Digits, at most one dot with digits on both sides, and above 0. */
static int size_valid(const unsigned char *text, int length)
{
    int dots = 0, above_zero = 0;
    for (int i = 0; i < length; i++) {
        if (text[i] == '.')
            dots++;
        else if (text[i] < '0' || text[i] > '9')
            return 0;
        above_zero |= text[i] >= '1' && text[i] <= '9';
    }
    return above_zero && dots <= 1 && text[0] != '.' && text[length - 1] != '.';
}

int tl_text_valid(const tl_command *cmd)
{
    const unsigned char *text = text_of(cmd);
    const int length = text_length(text);
    if (length < 0)
        return 0;
    switch (cmd->field) {
    case TL_TEXT_TICK_SIZE:
    case TL_TEXT_LOT_SIZE:
        return length > 0 && size_valid(text, length);
    case TL_TEXT_CURRENCY:
        return 1;
    case TL_TEXT_CL_ORD_ID:
    case TL_TEXT_REQUEST_FIELD:
    case TL_TEXT_SYMBOL:
    case TL_TEXT_ACCOUNT:
    case TL_TEXT_SESSION:
        return length > 0;
    default:
        return 0;
    }
}

/* FNV-1a; 0 stands for no name. */
static uint64_t text_hash(const tl_command *cmd)
{
    const unsigned char *text = text_of(cmd);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < TL_TEXT_BYTES; i++)
        hash = (hash ^ text[i]) * UINT64_C(0x100000001b3);
    return hash != 0 ? hash : 1;
}

/* The names that mean one number alone; a size or a currency may be that of many. */
static int names_one(uint32_t kind)
{
    return kind == TL_TEXT_SYMBOL || kind == TL_TEXT_ACCOUNT || kind == TL_TEXT_SESSION;
}

static uint8_t name_refusal(const tl_gate *gate, const tl_command *cmd)
{
    const uint32_t kind = cmd->field;
    if (cmd->key >= gate->keys_max[kind])
        return TL_REASON_INVALID_TEXT;
    const uint64_t hash = text_hash(cmd), had = gate->names[kind][cmd->key];
    if (had != 0)
        return had == hash ? 0 : TL_REASON_NAMED_ALREADY;
    for (uint32_t key = 0; names_one(kind) && key < gate->keys_used[kind]; key++)
        if (gate->names[kind][key] == hash)
            return TL_REASON_NAMED_ALREADY;
    return 0;
}

/* Numbers */

/* More than half of what is left is too far: no one command can use a lane's numbers up. */
static int jumps(const tl_gate *gate, uint32_t lane, uint32_t counter)
{
    const uint32_t last = gate->counters[lane];
    return counter > last && counter - last > (UINT32_MAX - last) / 2 + 1;
}

static uint8_t number_refusal(const tl_gate *gate, uint32_t lane, uint64_t cl_ord_id)
{
    if (cl_ord_id == 0)
        return 0;
    if (cl_ord_id >> 32 != lane || jumps(gate, lane, (uint32_t)cl_ord_id))
        return TL_REASON_FOREIGN_CL_ORD_ID;
    return 0;
}

static uint64_t number_named(const tl_command *cmd)
{
    return (uint64_t)tl_text_lane(cmd) << 32 | cmd->key;
}

/* Commands */

static uint8_t text_refusal(const tl_gate *gate, uint32_t lane, const tl_command *cmd)
{
    if (cmd->field == TL_TEXT_OPERATOR)
        return 0; /* a piece of a longer text, which names nothing */
    if (!tl_text_valid(cmd))
        return TL_REASON_INVALID_TEXT;
    if (!TL_TEXT_OF_REQUEST(cmd->field))
        return name_refusal(gate, cmd);
    if (tl_text_lane(cmd) != lane || jumps(gate, lane, cmd->key))
        return TL_REASON_FOREIGN_CL_ORD_ID;
    return 0;
}

static int administers(const tl_command *cmd)
{
    switch (cmd->type) {
    case TL_MSG_TYPE_TEXT:
        return !TL_TEXT_OF_REQUEST(cmd->field);
    case TL_MSG_TYPE_MASS_CANCEL:
        return (cmd->flags & TL_FLAG_EXPIRE) != 0;
    case TL_MSG_TYPE_SECURITY_DEFINITION:
    case TL_MSG_TYPE_SECURITY_STATUS:
    case TL_MSG_TYPE_ACCOUNT:
    case TL_MSG_TYPE_ACCOUNT_STATUS:
    case TL_MSG_TYPE_SELF_TRADE:
    case TL_MSG_TYPE_ALLOCATION:
    case TL_MSG_TYPE_LIMIT:
    case TL_MSG_TYPE_VENUE_STATUS:
    case TL_MSG_TYPE_CLOCK:
    case TL_MSG_TYPE_EXPIRE:
        return 1;
    default:
        return 0;
    }
}

static void learn(tl_gate *gate, uint32_t lane, const tl_command *cmd)
{
    uint32_t counter = (uint32_t)cmd->cl_ord_id;
    if (cmd->type == TL_MSG_TYPE_TEXT) {
        counter = cmd->key;
        if (cmd->field == TL_TEXT_OPERATOR)
            return;
        if (!TL_TEXT_OF_REQUEST(cmd->field)) {
            gate->names[cmd->field][cmd->key] = text_hash(cmd);
            if (cmd->key >= gate->keys_used[cmd->field])
                gate->keys_used[cmd->field] = cmd->key + 1;
            return;
        }
    }
    if (counter > gate->counters[lane])
        gate->counters[lane] = counter;
}

uint8_t tl_gate_refusal(tl_gate *gate, uint32_t lane, const tl_command *cmd)
{
    uint8_t reason = cmd->type == TL_MSG_TYPE_TEXT ? text_refusal(gate, lane, cmd)
                                                   : number_refusal(gate, lane, cmd->cl_ord_id);
    if (reason == 0 && gate->config.programs_trade && lane != TL_LANE_ADMIN && administers(cmd))
        reason = TL_REASON_NOT_THIS_LANE;
    if (reason == 0)
        learn(gate, lane, cmd);
    return reason;
}

static void overlook(tl_gate *gate, const tl_command *cmd)
{
    if (gate->overlooked++ == 0)
        gate->overlooked_first = cmd->seq;
}

void tl_gate_recall(tl_gate *gate, const tl_command *cmd)
{
    if (cmd->type == TL_MSG_TYPE_TRESPASS)
        return;
    uint64_t number = cmd->cl_ord_id;
    if (cmd->type == TL_MSG_TYPE_TEXT)
        number = TL_TEXT_OF_REQUEST(cmd->field) ? number_named(cmd) : 0;
    const uint32_t lane = (uint32_t)(number >> 32);
    if (lane >= TL_GATE_LANES) {
        overlook(gate, cmd);
        return;
    }
    const uint8_t reason = cmd->type == TL_MSG_TYPE_TEXT ? text_refusal(gate, lane, cmd)
                                                         : number_refusal(gate, lane, number);
    if (reason == 0)
        learn(gate, lane, cmd);
    else
        overlook(gate, cmd);
}

void tl_gate_mark(tl_command *cmd, uint32_t lane, uint8_t reason)
{
    cmd->ord_type = cmd->type;
    cmd->time_in_force = cmd->field;
    cmd->type = TL_MSG_TYPE_TRESPASS;
    cmd->side = (uint8_t)lane;
    cmd->field = reason;
    cmd->flags = 0;
}
