/* Routes turned round. fix_route.h says what for. */
#include "touchline/wire/fix_route.h"

#include "touchline/wire/fix_text.h"

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

uint32_t tl_fix_route_of(tl_fix_route *route, const tl_fix_message *message)
{
    uint32_t left_out = 0;
    route->size = 0;
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
