/* Messages that came before those they follow: kept in the order of their numbers, up to a bound.
 * What does not fit, or comes out of order once more, is dropped: the peer was asked to send
 * everything from the gap on again. */
#include "touchline/wire/fix_session_state.h"

#include <stdlib.h>
#include <string.h>

void tl_fix_held_forget(tl_fix_session *session)
{
    free(session->held);
    session->held = NULL;
    session->held_first = session->held_end = 0;
    session->held_count = session->held_last = 0;
}

void tl_fix_hold(tl_fix_session *session, const tl_fix_message *message)
{
    uint32_t room = (uint32_t)sizeof(held_message) + ((message->size + 7) & ~7u);
    if (session->held_count != 0 && message->msg_seq_num <= session->held_last)
        return;
    if (room > TL_FIX_HELD_BYTES - session->held_end)
        return;
    if (session->held == NULL && (session->held = malloc(TL_FIX_HELD_BYTES)) == NULL)
        return;
    held_message head = {message->msg_seq_num, message->size, room};
    memcpy(session->held + session->held_end, &head, sizeof head);
    memcpy(session->held + session->held_end + sizeof head, message->bytes, message->size);
    session->held_end += room;
    session->held_count++;
    session->held_last = message->msg_seq_num;
}

static const held_message *first(const tl_fix_session *session)
{
    return (const held_message *)(session->held + session->held_first);
}

bool tl_fix_is_held(const tl_fix_session *session, const tl_fix_message *message)
{
    return session->held_count != 0 && message->bytes == (const char *)(first(session) + 1);
}

/* The bytes of the last one stay until the next is asked for. */
void tl_fix_held_pop(tl_fix_session *session)
{
    session->held_first += first(session)->room;
    session->held_count--;
}

bool tl_fix_session_held(tl_fix_session *session, const char **bytes, size_t *size)
{
    uint64_t expected = fix_marks(session)->next_in;
    while (session->held_count != 0 && first(session)->msg_seq_num < expected)
        tl_fix_held_pop(session);
    if (session->held_count == 0) {
        if (session->held != NULL)
            tl_fix_held_forget(session);
        return false;
    }
    if (session->state == TL_FIX_AWAY || session->state == TL_FIX_OVER ||
        first(session)->msg_seq_num != expected)
        return false;
    *bytes = (const char *)(first(session) + 1);
    *size = first(session)->size;
    return true;
}
