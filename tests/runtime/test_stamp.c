/* What the runner stamps while the host's clock steps; the clocks are handed in. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "touchline/runtime/runner.h"
#include "touchline/runtime/stamp.h"

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)
#define YEARS (3650 * DAY) /* ten */
#define NOON INT64_C(1790000000000000000) /* in 2026 */

static char dir[64], path[64];
static int64_t utc, steady;

static int64_t utc_ns(void)
{
    return utc;
}

static int64_t steady_ns(void)
{
    return steady;
}

/* Time goes on, and the host's clock steps besides. */
static void pass(int64_t ns, int64_t step)
{
    steady += ns;
    utc += ns + step;
}

static void clean(void)
{
    DIR *list = opendir(dir);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        unlinkat(dirfd(list), entry->d_name, 0);
    if (list != NULL)
        closedir(list);
    unlink(path);
    utc = NOON;
    steady = 1000 * SECOND;
}

typedef struct venue {
    tl_bus *bus;
    tl_runner *runner;
    tl_runner_recovery recovery;
} venue;

static venue opened(void)
{
    const tl_bus_geometry geometry = {.lanes = 3, .lane_slots = 64, .event_slots = 1024};
    venue v;
    tl_journal_fault fault;
    CHECK(tl_bus_create(&v.bus, path, &geometry) == 0);
    const tl_runner_config config = {.bus = v.bus,
                                     .journal_dir = dir,
                                     .capacities = {2, 4, 64, 16, 64},
                                     .wait = TL_WAIT_PARK,
                                     .cpu = -1,
                                     .segment_bytes = 65536,
                                     .programs_trade = 1,
                                     .utc_ns = utc_ns,
                                     .steady_ns = steady_ns};
    CHECK(tl_runner_open(&v.runner, &config, &v.recovery, &fault) == 0);
    return v;
}

static void closed(venue *v)
{
    tl_runner_close(v->runner);
    tl_bus_close(v->bus);
}

/* Do what waits in the lanes, or only look around. */
static void run(venue *v)
{
    tl_journal_fault fault;
    tl_runner_stop(v->runner);
    CHECK(tl_runner_run(v->runner, &fault) == 0);
    atomic_store(&v->bus->header->draining, 0);
}

/* The answer to one command of a type, sent on a lane. */
static tl_event asked(venue *v, uint32_t number, uint8_t type)
{
    tl_lane lane;
    tl_event event;
    size_t sent;
    CHECK(tl_lane_open(&lane, v->bus, number, 0) == 0);
    const tl_command cmd = {.type = type, .cl_ord_id = tl_lane_ids(&lane, 1), .price = 77};
    tl_event_reader reader = {v->bus, atomic_load(&v->bus->header->events) + 1};
    CHECK(tl_lane_send(&lane, &cmd, 1, SECOND, &sent) == 0);
    tl_lane_close(&lane);
    run(v);
    CHECK(tl_event_reader_read(&reader, &event, 1) == 1);
    return event;
}

static int64_t stamp(venue *v)
{
    return asked(v, 1, TL_MSG_TYPE_CHECKPOINT).ts_ns;
}

static int64_t alarm_of(const venue *v)
{
    return atomic_load(&v->bus->header->clock_step_ns);
}

static uint64_t refusals(const venue *v)
{
    return atomic_load(&v->bus->header->clock_refusals);
}

static void a_clock_that_is_kept_is_stamped_as_it_is(void)
{
    clean();
    venue v = opened();
    CHECK(stamp(&v) == NOON);
    pass(5 * SECOND, 0);
    CHECK(stamp(&v) == NOON + 5 * SECOND);
    pass(1, 0);
    CHECK(stamp(&v) == NOON + 5 * SECOND + 1);
    pass(365 * DAY, 60 * SECOND);
    CHECK(stamp(&v) == utc);
    pass(SECOND, -61 * SECOND); /* a little back: stamps wait for it */
    CHECK(stamp(&v) == utc + 60 * SECOND);
    CHECK(alarm_of(&v) == 0 && refusals(&v) == 0);
    closed(&v);
}

static void a_jump_ahead_is_not_believed_and_ends_when_the_clock_is_set_right(void)
{
    clean();
    venue v = opened();
    CHECK(stamp(&v) == NOON);
    pass(5 * SECOND, YEARS);
    CHECK(stamp(&v) == NOON + 5 * SECOND);
    CHECK(alarm_of(&v) == YEARS && refusals(&v) == 1);
    pass(5 * SECOND, 0);
    CHECK(stamp(&v) == NOON + 10 * SECOND);
    pass(10, 0); /* within the millisecond in which the clocks are not compared again */
    CHECK(stamp(&v) == NOON + 10 * SECOND + 10);
    CHECK(refusals(&v) == 1);
    pass(5 * SECOND, DAY);
    CHECK(stamp(&v) == NOON + 15 * SECOND + 10);
    CHECK(alarm_of(&v) == YEARS + DAY && refusals(&v) == 2);
    pass(5 * SECOND, -YEARS - DAY);
    CHECK(stamp(&v) == NOON + 20 * SECOND + 10);
    CHECK(alarm_of(&v) == 0 && refusals(&v) == 2);
    closed(&v);
}

static void an_idle_engine_shows_the_alarm_too(void)
{
    clean();
    venue v = opened();
    pass(SECOND, 61 * SECOND);
    run(&v);
    CHECK(alarm_of(&v) == 61 * SECOND);
    CHECK(atomic_load(&v.bus->header->heartbeat_ns) == utc);
    closed(&v);
}

static void small_steps_are_no_way_around_the_bound(void)
{
    clean();
    venue v = opened();
    for (int step = 1; step <= 6; step++) {
        pass(0, 10 * SECOND);
        CHECK(stamp(&v) == NOON + step * 10 * SECOND);
    }
    pass(0, SECOND);
    CHECK(stamp(&v) == NOON + 60 * SECOND); /* what was believed stays, and time goes on */
    CHECK(alarm_of(&v) == SECOND && refusals(&v) == 1);
    pass(SECOND, 0);
    CHECK(stamp(&v) == NOON + 61 * SECOND);
    pass(SECOND, -2 * SECOND);
    CHECK(stamp(&v) == NOON + 61 * SECOND && alarm_of(&v) == 0);
    closed(&v);
}

static void a_clock_set_back_does_not_hold_time_still(void)
{
    clean();
    venue v = opened();
    CHECK(stamp(&v) == NOON);
    pass(5 * SECOND, -DAY);
    CHECK(stamp(&v) == NOON + 5 * SECOND);
    CHECK(alarm_of(&v) == -DAY && refusals(&v) == 1);
    closed(&v);
}

static void an_operator_alone_takes_the_clock_and_stamps_go_back_once(void)
{
    clean();
    utc = NOON + YEARS;
    venue v = opened();
    CHECK(stamp(&v) == NOON + YEARS); /* a new journal has nothing to hold it against */
    pass(SECOND, -YEARS);
    tl_event event = asked(&v, 1, TL_MSG_TYPE_CLOCK);
    CHECK(event.exec_type == TL_EXEC_TYPE_REJECTED && event.reason == TL_REASON_NOT_THIS_LANE);
    CHECK(event.ts_ns == NOON + YEARS + SECOND && alarm_of(&v) == -YEARS);
    event = asked(&v, TL_LANE_ADMIN, TL_MSG_TYPE_CLOCK);
    CHECK(event.exec_type == TL_EXEC_TYPE_CLOCK && event.ts_ns == NOON + SECOND);
    CHECK(event.value == -YEARS);
    CHECK(alarm_of(&v) == 0);
    pass(SECOND, 0);
    CHECK(stamp(&v) == NOON + 2 * SECOND);
    tl_event before[8], after[8];
    tl_event_reader reader = {v.bus, 1};
    CHECK(tl_event_reader_read(&reader, before, 8) == 4);
    const uint64_t hash = tl_runner_hash(v.runner);
    closed(&v);
    unlink(path);
    v = opened(); /* a replay repeats it */
    CHECK(v.recovery.state_hash == hash && v.recovery.events == 4);
    reader = (tl_event_reader){v.bus, 1};
    CHECK(tl_event_reader_read(&reader, after, 8) == 4);
    CHECK(memcmp(before, after, 4 * sizeof *before) == 0);
    CHECK(alarm_of(&v) == 0);
    pass(SECOND, 0);
    CHECK(stamp(&v) == NOON + 3 * SECOND);
    closed(&v);
}

static void a_clock_that_is_wrong_on_its_face_is_never_taken(void)
{
    clean();
    venue v = opened();
    CHECK(stamp(&v) == NOON);
    pass(SECOND, 20 * YEARS);
    CHECK(asked(&v, TL_LANE_ADMIN, TL_MSG_TYPE_CLOCK).value == 0);
    CHECK(stamp(&v) == NOON + SECOND && alarm_of(&v) == 20 * YEARS);
    closed(&v);
}

/* The clock ran ahead, the venue was started meanwhile, and the clock is right again. */
static void a_restart_after_a_bad_stamp_goes_on_from_it_with_an_alarm(void)
{
    clean();
    utc = NOON + YEARS;
    venue v = opened();
    CHECK(stamp(&v) == NOON + YEARS);
    closed(&v);
    utc = NOON;
    v = opened();
    CHECK(alarm_of(&v) == -YEARS && refusals(&v) == 1);
    pass(5 * SECOND, 0);
    CHECK(stamp(&v) == NOON + YEARS + 5 * SECOND);
    CHECK(asked(&v, TL_LANE_ADMIN, TL_MSG_TYPE_CLOCK).value == -YEARS);
    CHECK(stamp(&v) == NOON + 5 * SECOND && alarm_of(&v) == 0);
    closed(&v);
    v = opened();
    CHECK(alarm_of(&v) == 0 && refusals(&v) == 0);
    CHECK(stamp(&v) == NOON + 5 * SECOND);
    closed(&v);
}

static void a_restart_far_ahead_is_an_alarm_and_weeks_of_rest_are_none(void)
{
    clean();
    venue v = opened();
    CHECK(stamp(&v) == NOON);
    closed(&v);
    utc = NOON + 366 * DAY;
    v = opened();
    CHECK(alarm_of(&v) == 0 && stamp(&v) == utc);
    closed(&v);
    utc += YEARS;
    v = opened();
    CHECK(alarm_of(&v) == YEARS && refusals(&v) == 1);
    pass(SECOND, 0);
    CHECK(stamp(&v) == NOON + 366 * DAY + SECOND);
    closed(&v);
}

static void a_clock_that_was_never_set_begins_at_2020_with_an_alarm(void)
{
    clean();
    utc = 12 * SECOND;
    venue v = opened();
    CHECK(alarm_of(&v) == 12 * SECOND - TL_STAMP_EARLIEST_NS);
    CHECK(stamp(&v) == TL_STAMP_EARLIEST_NS);
    closed(&v);
}

/* What a journal may hold that was not written by this runner: no sum overflows. */
static void any_last_stamp_can_be_gone_on_from(void)
{
    const int64_t lasts[] = {INT64_MIN, -1, 0, 1, TL_STAMP_EARLIEST_NS - 1, INT64_MAX};
    for (size_t i = 0; i < sizeof lasts / sizeof lasts[0]; i++) {
        tl_stamp s;
        tl_stamp_begin(&s, 60 * SECOND, 366 * DAY, lasts[i], NOON, SECOND);
        const bool believed = lasts[i] < INT64_MAX;
        CHECK((s.off_ns == 0) == believed);
        tl_stamp_look(&s, NOON + SECOND, 2 * SECOND);
        CHECK(tl_stamp_next(&s, NOON + SECOND) == (believed ? NOON + SECOND : INT64_MAX));
    }
}

int main(void)
{
    snprintf(dir, sizeof dir, "/tmp/touchline-test-stamp-%d", (int)getpid());
    snprintf(path, sizeof path, "/dev/shm/touchline-test-stamp-%d.bus", (int)getpid());
    a_clock_that_is_kept_is_stamped_as_it_is();
    a_jump_ahead_is_not_believed_and_ends_when_the_clock_is_set_right();
    an_idle_engine_shows_the_alarm_too();
    small_steps_are_no_way_around_the_bound();
    a_clock_set_back_does_not_hold_time_still();
    an_operator_alone_takes_the_clock_and_stamps_go_back_once();
    a_clock_that_is_wrong_on_its_face_is_never_taken();
    a_restart_after_a_bad_stamp_goes_on_from_it_with_an_alarm();
    a_restart_far_ahead_is_an_alarm_and_weeks_of_rest_are_none();
    a_clock_that_was_never_set_begins_at_2020_with_an_alarm();
    any_last_stamp_can_be_gone_on_from();
    clean();
    rmdir(dir);
    return 0;
}
