/* The OUCH desk in any flow, killed at any moment: the journal gives each session the same. */
#include "ouch_venue.h"

static void random_request(uint64_t *random, uint32_t *next)
{
    const uint32_t session = (uint32_t)(random_next(random) % SESSIONS);
    const uint64_t price = 99000 + 50 * (random_next(random) % 40); /* half of them off tick */
    const uint32_t quantity = 1 + (uint32_t)(random_next(random) % 100);
    const uint32_t some = 1 + (uint32_t)(random_next(random) % (next[session] + 1));
    switch (random_next(random) % 12) {
    case 0:
        cancel(session, some, (uint32_t)(random_next(random) % 3) * 20);
        return;
    case 1:
        replace(session, some, ++next[session], quantity, price);
        return;
    case 2:
        if (random_next(random) % 8 == 0)
            of_firm(session, "CDEE"[random_next(random) % 4], ++next[session],
                    session == 0 ? "FRMA" : session == 1 ? "FRMB" : "FRMC", "");
        return;
    case 3:
        ask(session, (const uint8_t *)"Q", 1);
        return;
    default:
        enter(session, ++next[session], "BS"[random_next(random) % 2], quantity, "AAA", price,
              "003"[random_next(random) % 3]);
    }
}

/* A desk that dies is followed by one that has the journal, and what the lane still holds. */
static void die(void)
{
    step();
    check_replay();
    tl_ouch_desk *next = open_desk(0);
    uint64_t from = 0;
    for (uint32_t i = 0; i < journaled; i++) {
        CHECK(tl_ouch_desk_replay(next, &journal[i], 1, &slots[from],
                                  (size_t)(event_end[i] - from)) == 0);
        from = event_end[i];
    }
    tl_ouch_desk_named(next);
    tl_ouch_desk_close(desk);
    desk = next;
}

static void the_journal_gives_the_same_streams(uint64_t seed)
{
    uint64_t random = seed;
    uint32_t next[SESSIONS] = {0};
    begin();
    for (int i = 0; i < 3000; i++) {
        random_request(&random, next);
        if (random_next(&random) % 3 == 0)
            step();
        if (random_next(&random) % 500 == 0)
            die();
    }
    step();
    CHECK(streams[0][0].count > 500);
    end();
}

int main(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++)
        the_journal_gives_the_same_streams(seed);
    return 0;
}
