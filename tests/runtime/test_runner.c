/* The engine thread: what was sent is journalled, stepped and published once, whatever happens. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "touchline/runtime/runner.h"

#define SECOND INT64_C(1000000000)

static char dir[64], path[64];
static const tl_bus_geometry geometry = {.lanes = 3, .lane_slots = 4096, .event_slots = 65536};
static const tl_engine_capacities capacities = {2, 4, 4096, 16, 64};

static void journal_remove(void)
{
    DIR *list = opendir(dir);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        unlinkat(dirfd(list), entry->d_name, 0);
    if (list != NULL)
        closedir(list);
}

static void clean(void)
{
    journal_remove();
    unlink(path);
}

static tl_runner_config config(tl_bus *bus)
{
    return (tl_runner_config){.bus = bus,
                              .journal_dir = dir,
                              .capacities = capacities,
                              .wait = TL_WAIT_PARK,
                              .cpu = -1,
                              .segment_bytes = 65536};
}

static tl_bus *open_bus(void)
{
    tl_bus *bus;
    CHECK(tl_bus_create(&bus, path, &geometry) == 0);
    return bus;
}

static tl_runner *open_runner(tl_bus *bus, tl_runner_recovery *recovery)
{
    const tl_runner_config with = config(bus);
    tl_runner *runner;
    tl_journal_fault fault;
    CHECK(tl_runner_open(&runner, &with, recovery, &fault) == 0);
    return runner;
}

static void *run(void *runner)
{
    tl_journal_fault fault;
    return (void *)(intptr_t)tl_runner_run(runner, &fault);
}

/* One listing, one account, then orders that rest, trade and are refused. */
static tl_command command(uint32_t lane, uint64_t counter, uint64_t *state)
{
    tl_command cmd = {.cl_ord_id = (uint64_t)lane << 32 | counter, .account = 1};
    const uint64_t draw = random_next(state);
    cmd.type = counter == 1 ? TL_MSG_TYPE_SECURITY_DEFINITION
               : counter == 2 ? TL_MSG_TYPE_ACCOUNT
                              : TL_MSG_TYPE_NEW_ORDER;
    cmd.ord_type = TL_ORD_TYPE_LIMIT;
    cmd.time_in_force = TL_TIME_IN_FORCE_DAY;
    cmd.side = draw & 1 ? TL_SIDE_BUY : TL_SIDE_SELL;
    cmd.price = (int64_t)(90 + draw / 2 % 20);
    cmd.qty = (int64_t)(draw / 64 % 30);
    return cmd;
}

static void send_commands(tl_bus *bus, uint32_t number, uint64_t first, uint64_t count)
{
    uint64_t state = number * 1000 + first;
    tl_command cmds[1500];
    tl_lane lane;
    size_t sent;
    CHECK(count <= 1500);
    for (uint64_t i = 0; i < count; i++)
        cmds[i] = command(number, first + i, &state);
    CHECK(tl_lane_open(&lane, bus, number, 0) == 0);
    CHECK(tl_lane_send(&lane, cmds, count, 30 * SECOND, &sent) == 0);
    tl_lane_close(&lane);
}

static void await_commands(tl_bus *bus, uint64_t count)
{
    tl_event_reader reader = {bus, 1};
    while (atomic_load(&bus->header->commands) < count) {
        reader.next = atomic_load(&bus->header->events) + 1;
        if (atomic_load(&bus->header->commands) < count)
            tl_event_reader_wait(&reader, SECOND / 100);
    }
}

/* Each lane's commands must stand in the journal in the order sent, each once. */
static uint64_t journal_check(uint64_t per_lane)
{
    tl_journal_reader *reader;
    tl_journal_fault fault;
    const tl_command *first;
    uint64_t next[3] = {1, 1, 1}, total = 0;
    int64_t count, ts_ns = 0;
    CHECK(tl_journal_reader_open(&reader, dir, &fault) == 0);
    while ((count = tl_journal_reader_next(reader, &first, 1000, &fault)) > 0)
        for (int64_t i = 0; i < count; i++) {
            const uint64_t lane = first[i].cl_ord_id >> 32;
            CHECK(lane < 3);
            CHECK((first[i].cl_ord_id & UINT32_MAX) == next[lane]);
            CHECK(first[i].ts_ns >= ts_ns);
            ts_ns = first[i].ts_ns;
            next[lane]++;
            total++;
        }
    CHECK(count == 0);
    tl_journal_reader_close(reader);
    for (int lane = 0; lane < 3; lane++)
        CHECK(next[lane] <= per_lane + 1);
    return total;
}

static void what_is_sent_is_done_and_recovered(uint32_t wait, uint32_t sync_batch)
{
    clean();
    tl_bus *bus = open_bus();
    tl_runner_config with = config(bus);
    tl_runner_recovery recovery;
    tl_runner *runner;
    tl_journal_fault fault;
    pthread_t thread;
    with.wait = wait;
    with.sync_batch = sync_batch;
    CHECK(tl_runner_open(&runner, &with, &recovery, &fault) == 0);
    CHECK(recovery.commands == 0);
    CHECK(pthread_create(&thread, NULL, run, runner) == 0);
    for (uint32_t lane = 0; lane < 3; lane++)
        send_commands(bus, lane, 1, 1500);
    await_commands(bus, 4500);
    tl_runner_stop(runner);
    void *result;
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == NULL);
    CHECK(atomic_load(&bus->header->state) == TL_BUS_STOPPED);
    const uint64_t hash = tl_runner_hash(runner), events = atomic_load(&bus->header->events);
    tl_runner_close(runner);
    CHECK(journal_check(1500) == 4500);
    runner = open_runner(bus, &recovery);
    CHECK(recovery.commands == 4500);
    CHECK(recovery.events == events);
    CHECK(recovery.state_hash == hash);
    CHECK(recovery.torn[0] == '\0');
    tl_runner_close(runner);
    tl_bus_close(bus);
}

static void stop_before_run_returns_at_once(void)
{
    clean();
    tl_bus *bus = open_bus();
    tl_runner_recovery recovery;
    tl_journal_fault fault;
    tl_runner *runner = open_runner(bus, &recovery);
    tl_runner_stop(runner);
    CHECK(tl_runner_run(runner, &fault) == 0);
    tl_runner_close(runner);
    tl_bus_close(bus);
}

static pid_t fork_engine(void)
{
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        tl_runner_recovery recovery;
        tl_journal_fault fault;
        tl_runner_run(open_runner(open_bus(), &recovery), &fault);
        _exit(0);
    }
    return pid;
}

#define SENT 60000u

static void *send_all(void *argument)
{
    tl_bus *bus = argument;
    for (uint64_t first = 1; first <= SENT; first += 500)
        send_commands(bus, 1, first, 500);
    return NULL;
}

/* The sender never hears of it: it sends on while the engine dies and comes back, many times. */
static void a_killed_engine_takes_each_command_once(void)
{
    clean();
    tl_bus_close(open_bus());
    tl_bus *bus;
    pthread_t sender;
    uint64_t state = 11;
    CHECK(tl_bus_attach(&bus, path) == 0);
    pid_t engine = fork_engine();
    CHECK(pthread_create(&sender, NULL, send_all, bus) == 0);
    for (int kill_count = 0; kill_count < 13; kill_count++) {
        await_commands(bus, 1 + random_next(&state) % 4500 + 4500 * (uint64_t)kill_count);
        CHECK(kill(engine, SIGKILL) == 0);
        CHECK(waitpid(engine, NULL, 0) == engine);
        engine = fork_engine();
    }
    await_commands(bus, SENT);
    CHECK(pthread_join(sender, NULL) == 0);
    CHECK(kill(engine, SIGKILL) == 0);
    CHECK(waitpid(engine, NULL, 0) == engine);
    CHECK(journal_check(SENT) == SENT);
    tl_bus_close(bus);
}

static void a_failing_journal_stops_the_engine_and_loses_nothing(void)
{
    clean();
    tl_bus *bus = open_bus();
    tl_runner_recovery recovery;
    tl_runner *runner = open_runner(bus, &recovery);
    tl_journal_fault fault;
    struct rlimit limit;
    pthread_t sender;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 10000;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(pthread_create(&sender, NULL, send_all, bus) == 0);
    CHECK(tl_runner_run(runner, &fault) == -EFBIG);
    const uint64_t done = atomic_load(&bus->header->commands);
    CHECK(atomic_load(&bus->header->state) == TL_BUS_FAILED);
    CHECK(atomic_load(&bus->header->error) == EFBIG);
    CHECK(strstr(bus->header->error_text, ".tlj: cannot make the segment") != NULL);
    CHECK(done >= 960 && done < SENT);
    CHECK(journal_check(SENT) == done);
    const uint64_t hash = tl_runner_hash(runner);
    tl_runner_close(runner);
    limit.rlim_cur = before;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    runner = open_runner(bus, &recovery);
    CHECK(recovery.state_hash == hash);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, runner) == 0);
    CHECK(pthread_join(sender, NULL) == 0);
    await_commands(bus, SENT);
    tl_runner_stop(runner);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(journal_check(SENT) == SENT);
    tl_runner_close(runner);
    tl_bus_close(bus);
}

static void another_journal_forgets_the_old_ones_events(void)
{
    clean();
    tl_bus *bus = open_bus();
    tl_runner_recovery recovery;
    pthread_t thread;
    tl_runner *runner = open_runner(bus, &recovery);
    CHECK(pthread_create(&thread, NULL, run, runner) == 0);
    send_commands(bus, 1, 1, 100);
    await_commands(bus, 100);
    tl_runner_stop(runner);
    CHECK(pthread_join(thread, NULL) == 0);
    tl_runner_close(runner);
    atomic_store(&bus->header->draining, 0); /* as if it had been killed */
    send_commands(bus, 1, 101, 10); /* for the journal that is about to go */
    journal_remove();
    runner = open_runner(bus, &recovery);
    CHECK(recovery.commands == 0);
    CHECK(atomic_load(&bus->header->events) == 0);
    CHECK(tl_bus_lane_ready(bus, 1, atomic_load(&bus->header->lane[1].head), 1) == 0);
    tl_event_reader reader = {bus, 1};
    tl_event out;
    CHECK(tl_event_reader_read(&reader, &out, 1) == 0);
    tl_runner_close(runner);
    tl_bus_close(bus);
}

int main(void)
{
    snprintf(dir, sizeof dir, "/tmp/touchline-test-runner-%d", (int)getpid());
    snprintf(path, sizeof path, "/dev/shm/touchline-test-runner-%d.bus", (int)getpid());
    what_is_sent_is_done_and_recovered(TL_WAIT_PARK, 0);
    what_is_sent_is_done_and_recovered(TL_WAIT_YIELD, 0);
    what_is_sent_is_done_and_recovered(TL_WAIT_SPIN, 0);
    what_is_sent_is_done_and_recovered(TL_WAIT_PARK, 1);
    stop_before_run_returns_at_once();
    a_killed_engine_takes_each_command_once();
    a_failing_journal_stops_the_engine_and_loses_nothing();
    another_journal_forgets_the_old_ones_events();
    clean();
    rmdir(dir);
    return 0;
}
