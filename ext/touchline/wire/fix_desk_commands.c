/* What goes to the engine for a request. */
#include <string.h>

#include "touchline/wire/fix_desk_state.h"

/* The first piece of a text, whole characters as many as a command holds. Its size. */
static size_t put_piece(tl_command *out, uint8_t kind, uint32_t flags, uint64_t number,
                        const char *text, size_t size)
{
    const size_t piece = tl_fix_whole_characters(text, size, TL_TEXT_BYTES);
    *out = (tl_command){.type = TL_MSG_TYPE_TEXT, .field = kind, .side = TL_LANE_FIX};
    out->flags = (uint8_t)flags;
    out->key = (uint32_t)number;
    memcpy(tl_command_text(out), text, piece);
    return piece;
}

/* A field in as many pieces as it takes. */
static tl_command *put_field(tl_command *out, uint32_t tag, uint64_t number, const char *text,
                             size_t size)
{
    for (size_t at = 0; at < size;)
        at += put_piece(out++, TL_TEXT_REQUEST_FIELD, tag, number, text + at, size - at);
    return out;
}

uint32_t tl_fix_desk_commands(const tl_fix_desk *desk, const tl_fix_message *message,
                              const tl_fix_pending *pending, const tl_command *cmd,
                              tl_command commands[TL_FIX_SUBMIT_MAX])
{
    const tl_fix_cl_ord_id *name = &pending->name, *orig = &pending->orig;
    const uint64_t number = cmd->cl_ord_id;
    tl_command *out = commands;
    uint32_t tag;
    const size_t first = put_piece(out, TL_TEXT_CL_ORD_ID, pending->session, number, name->text,
                                   name->size);
    out++->side = tl_text_side(TL_LANE_FIX, pending->session);
    out = put_field(out, 11, number, name->text + first, name->size - first);
    out = put_field(out, 41, number, orig->text, orig->size);
    for (uint32_t i = 0; desk->asked.size != 0 && (tag = tl_fix_route_tag(i)) != 0; i++) {
        const tl_fix_field *field = tl_fix_find(message, tag);
        if (field != NULL)
            out = put_field(out, tag, number, tl_fix_value(message, field), field->size);
    }
    *out++ = *cmd;
    return (uint32_t)(out - commands);
}
