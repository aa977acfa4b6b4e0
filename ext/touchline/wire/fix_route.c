/* Routes turned round. fix_route.h says what for. */
#include "touchline/wire/fix_route.h"

#include "touchline/wire/fix_text.h"

#define BIT(tag) (UINT64_C(1) << (tag) % 64)

/* In the order of the tags that they are turned into. */
static const struct {
    uint32_t from, to;
    const char *name;
} fields[TL_FIX_ROUTE_FIELDS] = {
    {57, 50, "TargetSubID"},        {50, 57, "SenderSubID"},
    {128, 115, "DeliverToCompID"},  {129, 116, "DeliverToSubID"},
    {115, 128, "OnBehalfOfCompID"}, {116, 129, "OnBehalfOfSubID"},
    {143, 142, "TargetLocationID"}, {142, 143, "SenderLocationID"},
    {145, 144, "DeliverToLocationID"}, {144, 145, "OnBehalfOfLocationID"},
};

uint32_t tl_fix_route_tag(uint32_t place)
{
    return place < TL_FIX_ROUTE_FIELDS ? fields[place].from : 0;
}

const char *tl_fix_route_name(uint32_t tag)
{
    for (uint32_t i = 0; i < TL_FIX_ROUTE_FIELDS; i++)
        if (fields[i].from == tag)
            return fields[i].name;
    return "";
}

bool tl_fix_route_add(tl_fix_route *route, uint32_t tag, const char *value, size_t size)
{
    for (uint32_t i = 0; i < TL_FIX_ROUTE_FIELDS; i++) {
        if (fields[i].from != tag)
            continue;
        const size_t with_tag = size + (fields[i].to < 100 ? 4 : 5);
        if (size == 0 || size > TL_FIX_ROUTE_VALUE_MAX ||
            route->size + with_tag > TL_FIX_ROUTE_BYTES)
            return false;
        tl_fix_put_text(route->text + route->size, fields[i].to, value, size);
        route->size = (uint8_t)(route->size + with_tag);
        return true;
    }
    return false;
}

/* Is any of the fields there? */
static inline bool has_route(const tl_fix_message *message)
{
    const uint64_t first = BIT(50) | BIT(57), second = BIT(115) | BIT(116);
    const uint64_t third = BIT(128) | BIT(129) | BIT(142) | BIT(143) | BIT(144) | BIT(145);
    return ((message->present[0] & first) | (message->present[1] & second) |
            (message->present[2] & third)) != 0;
}

uint32_t tl_fix_route_of(tl_fix_route *route, const tl_fix_message *message)
{
    uint32_t left_out = 0;
    route->size = 0;
    if (!has_route(message))
        return 0;
    for (uint32_t i = 0; i < TL_FIX_ROUTE_FIELDS; i++) {
        const tl_fix_field *field = tl_fix_find(message, fields[i].from);
        if (field == NULL)
            continue;
        const char *value = tl_fix_value(message, field);
        if ((!tl_fix_printable(value, field->size) ||
             !tl_fix_route_add(route, fields[i].from, value, field->size)) &&
            left_out == 0)
            left_out = fields[i].from;
    }
    return left_out;
}
