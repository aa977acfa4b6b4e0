/* Requests read, appendages written. ouch.h says whence the layouts are. */
#include "touchline/wire/ouch.h"

#define OPTION_TAGS 32u

#define FAULT_TEXT(name, text) text,
const char *tl_ouch_fault_text(tl_ouch_fault fault)
{
    static const char *const texts[] = {TL_OUCH_FAULTS(FAULT_TEXT)};
    return (size_t)fault < sizeof texts / sizeof *texts ? texts[fault] : "unknown fault";
}

const char *tl_ouch_reject_text(uint16_t code)
{
#define REJECT_TEXT(name, number, text)                                                            \
    if (code == (number))                                                                          \
        return text;
    TL_OUCH_REJECTS(REJECT_TEXT)
#undef REJECT_TEXT
    return "unknown reason";
}

/* Bytes of an option's value; 0: there is no such tag. */
static const uint8_t option_sizes[OPTION_TAGS] = {
#define OPTION_SIZE(name, tag, size, rule) [tag] = (size),
    TL_OUCH_OPTIONS(OPTION_SIZE)
#undef OPTION_SIZE
};

/* Is every option known, there once, and as long as it should be? */
static bool options_good(const uint8_t *at, size_t size)
{
    uint32_t seen = 0;
    while (size != 0) {
        if (size < 2 || at[0] < 1 || at[0] >= size)
            return false;
        const uint8_t tag = at[1];
        if (tag >= OPTION_TAGS || option_sizes[tag] == 0 || option_sizes[tag] != at[0] - 1 ||
            (seen & UINT32_C(1) << tag) != 0)
            return false;
        seen |= UINT32_C(1) << tag;
        size -= 1u + at[0];
        at += 1u + at[0];
    }
    return true;
}

const uint8_t *tl_ouch_option(const tl_ouch_request *request, uint8_t tag)
{
    const uint8_t *at = request->options;
    for (size_t left = request->options_size; left != 0;) {
        if (at[1] == tag)
            return at + 2;
        left -= 1u + at[0];
        at += 1u + at[0];
    }
    return NULL;
}

/* The appendage behind the fields: its length says how long the message is. */
static tl_ouch_fault read_options(const uint8_t *bytes, size_t size, size_t fixed, bool must,
                                  tl_ouch_request *request)
{
    if (size == fixed && !must)
        return TL_OUCH_FAULT_NONE;
    if (size < fixed + 2 || size - fixed - 2 != tl_get_u16(bytes + fixed))
        return TL_OUCH_FAULT_SIZE;
    if (!options_good(bytes + fixed + 2, size - fixed - 2))
        return TL_OUCH_FAULT_OPTION;
    request->options = bytes + fixed + 2;
    request->options_size = size - fixed - 2;
    const uint8_t *firm = tl_ouch_option(request, TL_OUCH_FIRM);
    if (firm != NULL)
        memcpy(request->firm, firm, sizeof request->firm);
    return TL_OUCH_FAULT_NONE;
}

static void read_enter(const uint8_t *bytes, tl_ouch_request *request)
{
    tl_ouch_enter host;
    tl_ouch_enter_get((const tl_ouch_enter_wire *)bytes, &host);
    request->user_ref_num = host.user_ref_num;
    request->side = host.side;
    request->quantity = host.quantity;
    request->price = host.price;
    request->time_in_force = host.time_in_force;
    request->display = host.display;
    request->capacity = host.capacity;
    request->sweep = host.sweep;
    request->cross_type = host.cross_type;
    memcpy(request->symbol, host.symbol, sizeof host.symbol);
    memcpy(request->cl_ord_id, host.cl_ord_id, sizeof host.cl_ord_id);
}

static void read_replace(const uint8_t *bytes, tl_ouch_request *request)
{
    tl_ouch_replace host;
    tl_ouch_replace_get((const tl_ouch_replace_wire *)bytes, &host);
    request->user_ref_num = host.user_ref_num;
    request->orig_user_ref_num = host.orig_user_ref_num;
    request->quantity = host.quantity;
    request->price = host.price;
    request->time_in_force = host.time_in_force;
    request->display = host.display;
    request->sweep = host.sweep;
    memcpy(request->cl_ord_id, host.cl_ord_id, sizeof host.cl_ord_id);
}

static void read_change(const uint8_t *bytes, tl_ouch_request *request)
{
    if (bytes[0] == 'M') {
        const tl_ouch_modify_wire *modify = (const tl_ouch_modify_wire *)bytes;
        request->user_ref_num = tl_get_u32(modify->user_ref_num);
        request->quantity = tl_get_u32(modify->quantity);
        request->side = modify->side;
        return;
    }
    const tl_ouch_cancel_wire *cancel = (const tl_ouch_cancel_wire *)bytes;
    request->user_ref_num = tl_get_u32(cancel->user_ref_num);
    request->quantity = tl_get_u32(cancel->quantity);
}

static void read_firm(const uint8_t *bytes, tl_ouch_request *request)
{
    const tl_ouch_mass_cancel_wire *wire = (const tl_ouch_mass_cancel_wire *)bytes;
    request->user_ref_num = tl_get_u32(wire->user_ref_num);
    memcpy(request->firm, wire->firm, sizeof wire->firm);
    if (bytes[0] == 'C')
        memcpy(request->symbol, wire->symbol, sizeof wire->symbol);
}

static void read_fields(const uint8_t *bytes, tl_ouch_request *request)
{
    switch (bytes[0]) {
    case 'O':
        read_enter(bytes, request);
        break;
    case 'U':
        read_replace(bytes, request);
        break;
    case 'X':
    case 'M':
        read_change(bytes, request);
        break;
    case 'C':
    case 'D':
    case 'E':
        read_firm(bytes, request);
        break;
    default:
        break;
    }
}

tl_ouch_fault tl_ouch_read(const uint8_t *bytes, size_t size, tl_ouch_request *request)
{
    static const struct {
        uint8_t fixed;
        bool must;
    } types[256] = {
#define TYPE(name, fields, type, size, appendage) [type] = {size, appendage},
        TL_OUCH_REQUESTS(TYPE)
#undef TYPE
    };
    if (size == 0)
        return TL_OUCH_FAULT_EMPTY;
    const size_t fixed = types[bytes[0]].fixed;
    if (fixed == 0)
        return TL_OUCH_FAULT_TYPE;
    if (size < fixed)
        return TL_OUCH_FAULT_SIZE;
    *request = (tl_ouch_request){.type = (char)bytes[0]};
    read_fields(bytes, request);
    return read_options(bytes, size, fixed, types[bytes[0]].must, request);
}

size_t tl_ouch_answer_size(char type)
{
    switch (type) {
#define SIZE(name, fields, letter, size, appendage)                                                \
    case letter:                                                                                   \
        return (size) + ((appendage) == 1 ? 2u : 0u);
        TL_OUCH_ANSWERS(SIZE)
#undef SIZE
    default:
        return 0;
    }
}

size_t tl_ouch_put_options(uint8_t *message, size_t size, const char *firm)
{
    tl_put_u16(message + size, firm == NULL ? 0 : 6);
    if (firm == NULL)
        return size + 2;
    message[size + 2] = 5;
    message[size + 3] = TL_OUCH_FIRM;
    memcpy(message + size + 4, firm, 4);
    return size + 8;
}
