/* Answers of many messages, given in slices: what is under way, and what is left of it. */
#include "touchline/wire/fix_desk_state.h"

void tl_fix_task_began(tl_fix_desk *desk, uint32_t session)
{
    if (desk->sessions[session].tasks++ == 0)
        desk->working[desk->working_count++] = (uint16_t)session;
}

void tl_fix_task_over(tl_fix_desk *desk, uint32_t session)
{
    if (--desk->sessions[session].tasks > 0)
        return;
    for (uint32_t i = 0; i < desk->working_count; i++)
        if (desk->working[i] == session)
            desk->working[i--] = desk->working[--desk->working_count];
}

static int of_session(tl_fix_desk *desk, uint32_t session, int64_t utc_ns)
{
    tl_fix_seated *seated = &desk->sessions[session];
    bool over = false, more = false;
    if (seated->status != NULL) {
        const int rc = tl_fix_mass_status_slice(desk, session, utc_ns, &over);
        if (rc < 0)
            return rc;
        more |= rc > 0;
        if (over) {
            tl_fix_mass_status_close(seated->status);
            seated->status = NULL;
            tl_fix_task_over(desk, session);
        }
    }
    for (uint32_t i = 0; i < TL_FIX_CAPTURES_MAX; i++) {
        if (seated->captures[i] == NULL)
            continue;
        over = false;
        const int rc = tl_fix_capture_slice(desk, session, seated->captures[i], utc_ns, &over);
        if (rc < 0)
            return rc;
        more |= rc > 0;
        if (over) {
            tl_fix_capture_close(seated->captures[i]);
            seated->captures[i] = NULL;
            tl_fix_task_over(desk, session);
        }
    }
    return more;
}

int tl_fix_desk_work(tl_fix_desk *desk, int64_t utc_ns)
{
    bool more = false;
    for (uint32_t i = desk->working_count; i-- > 0;) { /* one that is over takes the last's place */
        const int rc = of_session(desk, desk->working[i], utc_ns);
        if (rc < 0)
            return desk->error = rc;
        more |= rc > 0;
    }
    return more;
}

bool tl_fix_desk_owes(const tl_fix_desk *desk, uint32_t session)
{
    return tl_fix_desk_pending(desk, session) > 0 || desk->sessions[session].status != NULL;
}

void tl_fix_desk_left(tl_fix_desk *desk, uint32_t session)
{
    if (session >= desk->config.sessions_max)
        return;
    tl_fix_seated *seated = &desk->sessions[session];
    if (seated->status != NULL) {
        tl_fix_mass_status_close(seated->status);
        seated->status = NULL;
        tl_fix_task_over(desk, session);
    }
    for (uint32_t i = 0; i < TL_FIX_CAPTURES_MAX; i++) {
        if (seated->captures[i] == NULL)
            continue;
        tl_fix_capture_close(seated->captures[i]);
        seated->captures[i] = NULL;
        tl_fix_task_over(desk, session);
    }
}
