/* Any message of ITCH 5.0 as a record. itch.h says whence the layouts are. */
#include "touchline/wire/itch.h"

#define SIZE_OF(name, fields, type, size) [type] = (size),
const uint8_t tl_itch_sizes[256] = {TL_ITCH_MESSAGES(SIZE_OF)};

#define FAULT_TEXT(name, text) text,
const char *tl_itch_fault_text(tl_itch_fault fault)
{
    static const char *const texts[] = {TL_ITCH_FAULTS(FAULT_TEXT)};
    return (size_t)fault < sizeof texts / sizeof *texts ? texts[fault] : "unknown fault";
}

/* The bytes as the message that they are. */
#define AS(name) const tl_itch_##name##_wire *m = (const tl_itch_##name##_wire *)bytes

static void read_add(const uint8_t *bytes, tl_itch_record *record)
{
    AS(add_order);
    record->order_ref = tl_get_u64(m->order_ref);
    record->shares = tl_get_u32(m->shares);
    record->price = tl_get_u32(m->price);
    record->side = m->side;
    memcpy(record->stock, m->stock, sizeof m->stock);
}

static void read_executed(const uint8_t *bytes, tl_itch_record *record)
{
    AS(executed);
    record->order_ref = tl_get_u64(m->order_ref);
    record->shares = tl_get_u32(m->shares);
    record->match_number = tl_get_u64(m->match_number);
}

static void read_executed_price(const uint8_t *bytes, tl_itch_record *record)
{
    AS(executed_price);
    read_executed(bytes, record);
    record->code = m->printable;
    record->price = tl_get_u32(m->price);
}

static void read_replace(const uint8_t *bytes, tl_itch_record *record)
{
    AS(replace);
    record->order_ref = tl_get_u64(m->order_ref);
    record->new_order_ref = tl_get_u64(m->new_order_ref);
    record->shares = tl_get_u32(m->shares);
    record->price = tl_get_u32(m->price);
}

static void read_cross_trade(const uint8_t *bytes, tl_itch_record *record)
{
    AS(cross_trade);
    record->shares = tl_get_u64(m->shares);
    record->price = tl_get_u32(m->price);
    record->match_number = tl_get_u64(m->match_number);
    record->code = m->cross_type;
    memcpy(record->stock, m->stock, sizeof m->stock);
}

static void read_noii(const uint8_t *bytes, tl_itch_record *record)
{
    AS(noii);
    record->shares = tl_get_u64(m->paired_shares);
    record->price = tl_get_u32(m->far_price);
    record->code = m->cross_type;
    record->code_2 = m->imbalance_direction;
    memcpy(record->stock, m->stock, sizeof m->stock);
}

static void read_participant(const uint8_t *bytes, tl_itch_record *record)
{
    AS(participant);
    record->code = m->participant_state;
    memcpy(record->stock, m->stock, sizeof m->stock);
    memcpy(record->text, m->mpid, sizeof m->mpid);
}

/* Messages about a stock that have it behind the header, and then their codes. */
static void read_stock(const uint8_t *bytes, tl_itch_record *record)
{
    AS(trading_action);
    memcpy(record->stock, m->stock, sizeof m->stock);
    switch (m->type) {
    case TL_ITCH_TYPE_STOCK_DIRECTORY:
        record->code_2 = ((const tl_itch_stock_directory_wire *)bytes)->authenticity;
        break;
    case TL_ITCH_TYPE_TRADING_ACTION:
        record->code = m->trading_state;
        memcpy(record->text, m->reason, sizeof m->reason);
        break;
    case TL_ITCH_TYPE_OPERATIONAL_HALT:
        record->code = ((const tl_itch_operational_halt_wire *)bytes)->halt_action;
        record->code_2 = ((const tl_itch_operational_halt_wire *)bytes)->market_code;
        break;
    case TL_ITCH_TYPE_REG_SHO:
    case TL_ITCH_TYPE_RPII:
        record->code = ((const tl_itch_reg_sho_wire *)bytes)->action;
        break;
    default:
        break;
    }
}

/* The messages that change books come first, each with what it has and no more. */
static void read_body(const uint8_t *bytes, tl_itch_record *record)
{
    switch (bytes[0]) {
    case TL_ITCH_TYPE_ADD_ORDER:
        read_add(bytes, record);
        break;
    case TL_ITCH_TYPE_DELETE:
    case TL_ITCH_TYPE_CANCEL:
        record->order_ref = tl_get_u64(((const tl_itch_delete_wire *)bytes)->order_ref);
        if (bytes[0] == TL_ITCH_TYPE_CANCEL)
            record->shares = tl_get_u32(((const tl_itch_cancel_wire *)bytes)->shares);
        break;
    case TL_ITCH_TYPE_EXECUTED:
        read_executed(bytes, record);
        break;
    case TL_ITCH_TYPE_EXECUTED_PRICE:
        read_executed_price(bytes, record);
        break;
    case TL_ITCH_TYPE_REPLACE:
        read_replace(bytes, record);
        break;
    case TL_ITCH_TYPE_ADD_ORDER_MPID:
        read_add(bytes, record);
        memcpy(record->text, ((const tl_itch_add_order_mpid_wire *)bytes)->mpid, 4);
        break;
    case TL_ITCH_TYPE_TRADE:
        read_add(bytes, record);
        record->match_number = tl_get_u64(((const tl_itch_trade_wire *)bytes)->match_number);
        break;
    case TL_ITCH_TYPE_CROSS_TRADE:
        read_cross_trade(bytes, record);
        break;
    case TL_ITCH_TYPE_BROKEN_TRADE:
        record->match_number = tl_get_u64(((const tl_itch_broken_trade_wire *)bytes)->match_number);
        break;
    case TL_ITCH_TYPE_NOII:
        read_noii(bytes, record);
        break;
    case TL_ITCH_TYPE_PARTICIPANT:
        read_participant(bytes, record);
        break;
    case TL_ITCH_TYPE_SYSTEM_EVENT:
    case TL_ITCH_TYPE_MWCB_STATUS:
        record->code = ((const tl_itch_system_event_wire *)bytes)->event_code;
        break;
    case TL_ITCH_TYPE_MWCB_LEVELS:
        break;
    default:
        read_stock(bytes, record);
    }
}

static int has_side(uint8_t type)
{
    return type == TL_ITCH_TYPE_ADD_ORDER || type == TL_ITCH_TYPE_ADD_ORDER_MPID ||
           type == TL_ITCH_TYPE_TRADE;
}

tl_itch_fault tl_itch_decode(const uint8_t *bytes, size_t size, tl_itch_record *record)
{
    if (size == 0)
        return TL_ITCH_FAULT_EMPTY;
    if (size != tl_itch_sizes[bytes[0]])
        return tl_itch_sizes[bytes[0]] == 0 ? TL_ITCH_FAULT_TYPE : TL_ITCH_FAULT_SIZE;
    if (has_side(bytes[0])) {
        const char side = ((const tl_itch_add_order_wire *)bytes)->side;
        if (side != 'B' && side != 'S')
            return TL_ITCH_FAULT_SIDE;
    }
    const tl_itch_delete_wire *head = (const tl_itch_delete_wire *)bytes;
    *record = (tl_itch_record){.ts_ns = tl_get_u48(head->ts_ns),
                               .locate = tl_get_u16(head->locate),
                               .tracking = tl_get_u16(head->tracking),
                               .type = head->type};
    read_body(bytes, record);
    return TL_ITCH_FAULT_NONE;
}

size_t tl_itch_decode_blocks(const uint8_t *bytes, size_t size, tl_itch_record *records,
                             size_t room, size_t *used, tl_itch_fault *fault)
{
    size_t count = 0, at = 0;
    *fault = TL_ITCH_FAULT_NONE;
    while (count < room && size - at >= 2) {
        const size_t length = tl_get_u16(bytes + at);
        if (length > size - at - 2)
            break;
        *fault = tl_itch_decode(bytes + at + 2, length, &records[count]);
        if (*fault != TL_ITCH_FAULT_NONE)
            break;
        at += 2 + length;
        count++;
    }
    *used = at;
    return count;
}
