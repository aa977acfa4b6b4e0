/* The bus: lanes that wrap and fill, a ring that laps its readers, a file taken over or refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "touchline/runtime/bus.h"

#define SECOND INT64_C(1000000000)

static char path[64];
static const tl_bus_geometry small = {.lanes = 2, .lane_slots = 64, .event_slots = 64};

static tl_bus *open_new(const tl_bus_geometry *geometry)
{
    tl_bus *bus;
    unlink(path);
    CHECK(tl_bus_create(&bus, path, geometry) == 0);
    return bus;
}

static tl_command numbered(uint64_t number)
{
    return (tl_command){.cl_ord_id = number, .price = (int64_t)(number * 3), .type = 'D'};
}

static size_t send_numbered(tl_lane *lane, uint64_t first, size_t count, int expected)
{
    tl_command cmds[512];
    size_t sent;
    CHECK(count <= 512);
    for (size_t i = 0; i < count; i++)
        cmds[i] = numbered(first + i);
    CHECK(tl_lane_send(lane, cmds, count, 0, &sent) == expected);
    return sent;
}

/* Take as the engine does; the commands must be the next ones in order. */
static uint64_t take(tl_bus *bus, uint32_t lane, uint64_t head, uint64_t first, uint32_t count)
{
    CHECK(tl_bus_lane_ready(bus, lane, head, count) == count);
    for (uint32_t i = 0; i < count; i++) {
        const tl_command *cmd = tl_bus_lane_slot(bus, lane, head + i);
        CHECK(cmd->cl_ord_id == first + i);
        CHECK(cmd->price == (int64_t)((first + i) * 3));
    }
    atomic_store(&bus->header->lane[lane].head, head + count);
    return head + count;
}

static void a_lane_keeps_order_as_it_wraps(void)
{
    tl_bus *bus = open_new(&small);
    tl_lane lane;
    uint64_t head = 0, state = 7, next = 1;
    CHECK(tl_lane_open(&lane, bus, 1, 0) == 0);
    for (int round = 0; round < 2000; round++) {
        const uint32_t count = 1 + (uint32_t)(random_next(&state) % 64);
        CHECK(send_numbered(&lane, next, count, 0) == count);
        CHECK(tl_bus_lane_ready(bus, 1, head, 1000) == count);
        head = take(bus, 1, head, next, count);
        next += count;
    }
    CHECK(tl_bus_lane_ready(bus, 0, 0, 1000) == 0);
    tl_lane_close(&lane);
    tl_bus_close(bus);
}

static void a_full_lane_times_out_and_says_how_many_went_in(void)
{
    tl_bus *bus = open_new(&(tl_bus_geometry){.lanes = 1, .lane_slots = 256, .event_slots = 64});
    tl_lane lane;
    CHECK(tl_lane_open(&lane, bus, 0, 0) == 0);
    CHECK(send_numbered(&lane, 1, 300, -ETIMEDOUT) == 256);
    CHECK(send_numbered(&lane, 257, 1, -ETIMEDOUT) == 0);
    CHECK(take(bus, 0, 0, 1, 10) == 10);
    CHECK(send_numbered(&lane, 257, 10, 0) == 10);
    CHECK(take(bus, 0, 10, 11, 256) == 266);
    tl_lane_close(&lane);
    tl_bus_close(bus);
}

static void a_lane_has_one_sender(void)
{
    tl_bus *bus = open_new(&small);
    tl_lane first, second;
    CHECK(tl_lane_open(&first, bus, 1, 0) == 0);
    CHECK(tl_lane_open(&second, bus, 1, 0) == -EADDRINUSE);
    CHECK(tl_lane_open(&second, bus, 2, 0) == -ECHRNG);
    CHECK(tl_lane_open(&second, bus, 0, 0) == 0);
    tl_lane_close(&second);
    tl_lane_close(&first);
    CHECK(tl_lane_open(&second, bus, 1, 0) == 0);
    tl_lane_close(&second);
    tl_bus_close(bus);
}

static void senders_of_a_shared_lane_take_turns(void)
{
    tl_bus *bus = open_new(&small);
    tl_lane first, second;
    CHECK(tl_lane_open(&first, bus, 0, 1) == 0);
    CHECK(tl_lane_open(&second, bus, 0, 1) == 0);
    uint64_t head = 0;
    for (uint64_t i = 0; i < 200; i++) {
        send_numbered(i % 2 ? &first : &second, i + 1, 1, 0);
        head = take(bus, 0, head, i + 1, 1);
    }
    CHECK(tl_lane_ids(&first, 3) == 1);
    CHECK(tl_lane_ids(&second, 1) == 4);
    CHECK(tl_lane_ids(&second, UINT32_MAX - 3) == 0);
    tl_lane_close(&first);
    tl_lane_close(&second);
    tl_bus_close(bus);
}

/* Leave the lane as a sender does that was killed after storing the stamps of `from` .. 63. */
static void die_in_mid_chunk(tl_bus *bus, uint64_t tail, uint32_t from)
{
    tl_command *slots = bus->commands + 64;
    atomic_store(&bus->header->lane[1].sending, 1);
    for (uint32_t i = 0; i < TL_LANE_CHUNK; i++)
        slots[(tail + i) & 63].cl_ord_id = 1000 + i;
    for (uint32_t i = TL_LANE_CHUNK; i-- > from;)
        slots[(tail + i) & 63].seq = tail + i + 1;
}

static void a_sender_that_dies_leaves_all_or_nothing(void)
{
    for (uint32_t from = 0; from <= TL_LANE_CHUNK; from++) {
        tl_bus *bus = open_new(&small);
        tl_lane lane;
        CHECK(tl_lane_open(&lane, bus, 1, 0) == 0);
        send_numbered(&lane, 1, 5, 0);
        tl_lane_close(&lane);
        CHECK(take(bus, 1, 0, 1, 5) == 5);
        die_in_mid_chunk(bus, 5, from);
        CHECK(tl_bus_lane_ready(bus, 1, 5, 100) == (from == 0 ? 64u : 0u));
        CHECK(tl_lane_open(&lane, bus, 1, 0) == 0);
        uint64_t head = 5;
        if (from == 0) {
            CHECK(tl_bus_lane_slot(bus, 1, 5)->cl_ord_id == 1000);
            head = 69;
            atomic_store(&bus->header->lane[1].head, head);
        }
        send_numbered(&lane, 6, 2, 0);
        CHECK(tl_bus_lane_ready(bus, 1, head, 100) == 2);
        take(bus, 1, head, 6, 2);
        tl_lane_close(&lane);
        tl_bus_close(bus);
    }
}

/* An event whose every word follows from its seq, written as the engine writes. */
static void publish(tl_bus *bus, uint64_t seq)
{
    tl_event *slot = &bus->events[seq & (bus->header->geometry.event_slots - 1)];
    _Atomic uint64_t *words = (_Atomic uint64_t *)slot;
    atomic_store_explicit(&words[0], 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint64_t i = 1; i < 8; i++)
        atomic_store_explicit(&words[i], seq * 8 + i, memory_order_relaxed);
    atomic_store_explicit(&words[0], seq, memory_order_release);
    atomic_store_explicit(&bus->header->events, seq, memory_order_release);
}

static void check_event(const tl_event *event, uint64_t seq)
{
    uint64_t words[8];
    memcpy(words, event, sizeof words);
    CHECK(words[0] == seq);
    for (uint64_t i = 1; i < 8; i++)
        CHECK(words[i] == seq * 8 + i);
}

static void a_reader_sees_each_event_once_and_knows_when_it_is_lapped(void)
{
    tl_bus *bus = open_new(&small);
    tl_event_reader reader = {bus, 1};
    tl_event out[100];
    CHECK(tl_event_reader_read(&reader, out, 100) == 0);
    for (uint64_t seq = 1; seq <= 40; seq++)
        publish(bus, seq);
    CHECK(tl_event_reader_read(&reader, out, 7) == 7);
    CHECK(tl_event_reader_read(&reader, out + 7, 100) == 33);
    for (uint64_t seq = 1; seq <= 40; seq++)
        check_event(&out[seq - 1], seq);
    for (uint64_t seq = 41; seq <= 104; seq++)
        publish(bus, seq);
    CHECK(tl_event_reader_read(&reader, out, 100) == 64);
    CHECK(reader.next == 105);
    for (uint64_t seq = 105; seq <= 169; seq++)
        publish(bus, seq);
    CHECK(tl_event_reader_wait(&reader, 0) == 1);
    CHECK(tl_event_reader_read(&reader, out, 100) == -EOVERFLOW);
    CHECK(reader.next == 105);
    CHECK(tl_bus_oldest_event(bus) == 169 - 56 + 1);
    reader.next = tl_bus_oldest_event(bus);
    CHECK(tl_event_reader_read(&reader, out, 100) == 56);
    check_event(&out[55], 169);
    tl_bus_close(bus);
}

#define RACE 2000000u

static _Atomic int race_over;

static void *race_writer(void *argument)
{
    tl_bus *bus = argument;
    for (uint64_t seq = 1; seq <= RACE; seq++) {
        publish(bus, seq);
        if (seq % 64 == 0) {
            atomic_thread_fence(memory_order_seq_cst);
            tl_doorbell_ring(&bus->header->readers);
        }
    }
    tl_doorbell_wake(&bus->header->readers);
    atomic_store(&race_over, 1);
    return NULL;
}

/* Read all around the place where the writer is writing: no copy may ever be torn. */
static void a_reader_never_sees_half_an_event(void)
{
    tl_bus *bus = open_new(&small);
    tl_event out[16];
    pthread_t writer;
    uint64_t seen = 0, state = 3;
    atomic_store(&race_over, 0);
    CHECK(pthread_create(&writer, NULL, race_writer, bus) == 0);
    /* On a busy machine the writer may be done before the reader begins: then read what is left. */
    while (!atomic_load(&race_over) || seen == 0) {
        const uint64_t newest = atomic_load_explicit(&bus->header->events, memory_order_acquire);
        const uint64_t next = (newest > 63 ? newest - 63 : 0) + 1 + random_next(&state) % 60;
        tl_event_reader reader = {bus, next};
        const int64_t count = tl_event_reader_read(&reader, out, 16);
        for (int64_t i = 0; i < count; i++)
            check_event(&out[i], next + (uint64_t)i);
        if (count > 0)
            seen += (uint64_t)count;
    }
    CHECK(pthread_join(writer, NULL) == 0);
    tl_bus_close(bus);
}

typedef int64_t read_function(tl_event_reader *reader, tl_event *out, size_t max);

/* A reader with its own pace accounts for every event: seen, or skipped knowingly. */
static void a_lapped_reader_goes_on_at_the_oldest(read_function *read_events)
{
    tl_bus *bus = open_new(&small);
    tl_event_reader reader = {bus, 1};
    tl_event out[16];
    pthread_t writer;
    uint64_t seen = 0, skipped = 0;
    CHECK(pthread_create(&writer, NULL, race_writer, bus) == 0);
    while (reader.next <= RACE) {
        const uint64_t next = reader.next;
        const int64_t count = read_events(&reader, out, 16);
        for (int64_t i = 0; i < count; i++)
            check_event(&out[i], next + (uint64_t)i);
        if (count > 0)
            seen += (uint64_t)count;
        if (count == -EOVERFLOW) {
            reader.next = tl_bus_oldest_event(bus);
            skipped += reader.next - next;
        }
        if (count == 0)
            CHECK(tl_event_reader_wait(&reader, 10 * SECOND) == 1);
    }
    CHECK(pthread_join(writer, NULL) == 0);
    CHECK(seen + skipped == RACE);
    tl_bus_close(bus);
}

static void a_following_reader_takes_what_comes_alone(void)
{
    tl_bus *bus = open_new(&small);
    tl_event_reader reader = {bus, 1};
    tl_event out[100];
    CHECK(tl_event_reader_follow(&reader, out, 100) == 0);
    publish(bus, 1);
    CHECK(tl_event_reader_follow(&reader, out, 100) == 1);
    check_event(&out[0], 1);
    for (uint64_t seq = 2; seq <= 21; seq++)
        publish(bus, seq);
    CHECK(tl_event_reader_follow(&reader, out, 100) == 20);
    check_event(&out[19], 21);
    for (uint64_t seq = 22; seq <= 200; seq++)
        publish(bus, seq);
    CHECK(tl_event_reader_follow(&reader, out, 100) == -EOVERFLOW);
    tl_bus_close(bus);
}

#define TRANSFER 200000u

static void *transfer_sender(void *argument)
{
    tl_bus *bus = argument;
    tl_lane lane;
    tl_command cmds[50];
    size_t sent;
    CHECK(tl_lane_open(&lane, bus, 1, 0) == 0);
    for (uint64_t next = 1; next <= TRANSFER; next += 50) {
        for (uint64_t i = 0; i < 50; i++)
            cmds[i] = numbered(next + i);
        CHECK(tl_lane_send(&lane, cmds, 50, 60 * SECOND, &sent) == 0);
    }
    tl_lane_close(&lane);
    return NULL;
}

static void sender_and_engine_wake_each_other(void)
{
    tl_bus *bus = open_new(&small);
    pthread_t sender;
    uint64_t head = 0;
    CHECK(pthread_create(&sender, NULL, transfer_sender, bus) == 0);
    while (head < TRANSFER) {
        const uint32_t ready = tl_bus_lane_ready(bus, 1, head, 64);
        if (ready != 0) {
            head = take(bus, 1, head, head + 1, ready);
            atomic_thread_fence(memory_order_seq_cst);
            tl_doorbell_ring(&bus->header->lane[1].space);
            continue;
        }
        const uint32_t armed = tl_doorbell_arm(&bus->header->engine);
        if (tl_bus_lane_ready(bus, 1, head, 1) == 0)
            tl_doorbell_wait(&bus->header->engine, armed, 60 * SECOND);
    }
    CHECK(pthread_join(sender, NULL) == 0);
    tl_bus_close(bus);
}

static void the_file_is_private_and_has_one_engine(void)
{
    tl_bus *bus = open_new(&small), *other;
    struct stat st;
    CHECK(stat(path, &st) == 0);
    CHECK((st.st_mode & 0777) == 0600);
    CHECK(tl_bus_create(&other, path, &small) == -EBUSY);
    CHECK(tl_bus_attach(&other, path) == 0);
    CHECK(tl_bus_engine_alive(other) == 1);
    tl_bus_release(bus);
    CHECK(tl_bus_engine_alive(other) == 0);
    tl_bus_close(other);
    tl_bus_close(bus);
}

static void a_dead_engines_file_goes_on_with_its_readers(void)
{
    tl_bus *bus = open_new(&small), *attached;
    CHECK(tl_bus_attach(&attached, path) == 0);
    publish(bus, 1);
    tl_bus_close(bus);
    CHECK(tl_bus_create(&bus, path, &small) == 0);
    publish(bus, 2);
    tl_event_reader reader = {attached, 1};
    tl_event out[4];
    CHECK(tl_event_reader_read(&reader, out, 4) == 2);
    tl_bus_close(bus);
    const tl_bus_geometry wider = {.lanes = 2, .lane_slots = 128, .event_slots = 64};
    CHECK(tl_bus_create(&bus, path, &wider) == 0);
    CHECK(tl_event_reader_read(&reader, out, 4) == -ESTALE);
    CHECK(tl_event_reader_wait(&reader, 0) == -ESTALE);
    tl_bus_close(attached);
    tl_bus_close(bus);
}

static void spoil(off_t at, uint64_t value)
{
    const int fd = open(path, O_WRONLY);
    CHECK(pwrite(fd, &value, sizeof value, at) == (ssize_t)sizeof value);
    close(fd);
}

static void a_file_that_is_no_bus_is_refused(void)
{
    tl_bus *bus;
    tl_bus_close(open_new(&small));
    spoil(8, 99);
    CHECK(tl_bus_attach(&bus, path) == -EPROTONOSUPPORT);
    tl_bus_close(open_new(&small));
    CHECK(truncate(path, 8192) == 0);
    CHECK(tl_bus_attach(&bus, path) == -EBADMSG);
    spoil(0, 42);
    CHECK(tl_bus_attach(&bus, path) == -EMEDIUMTYPE);
    CHECK(tl_bus_create(&bus, path, &small) == -EMEDIUMTYPE);
    CHECK(truncate(path, 0) == 0);
    CHECK(tl_bus_attach(&bus, path) == -EAGAIN);
    CHECK(unlink(path) == 0);
    CHECK(tl_bus_attach(&bus, path) == -ENOENT);
    CHECK(tl_bus_create(&bus, path, &(tl_bus_geometry){2, 100, 64, 0}) == -EINVAL);
    CHECK(tl_bus_create(&bus, path, &(tl_bus_geometry){9, 64, 64, 0}) == -EINVAL);
    CHECK(tl_bus_create(&bus, "/nonexistent/bus", &small) == -ENOENT);
    CHECK(tl_bus_error_text(EMEDIUMTYPE) != NULL);
    CHECK(tl_bus_error_text(ENOENT) == NULL);
}

/* A batch of 3 from lane 0 and 4 from lane 1, of which the journal holds `kept` commands. */
static void after_a_crash_each_command_is_taken_once(void)
{
    for (uint64_t kept = 0; kept <= 7; kept++) {
        tl_bus *bus = open_new(&small);
        const uint32_t counters[TL_BUS_LANES_MAX] = {5, 6}, counts[TL_BUS_LANES_MAX] = {3, 4};
        uint64_t head[TL_BUS_LANES_MAX] = {10, 20};
        tl_lane lane;
        tl_bus_note(bus, 101, head, counts);
        tl_bus_settle(bus, 100 + kept, counters, head);
        CHECK(head[0] == 10 + (kept < 3 ? kept : 3));
        CHECK(head[1] == 20 + (kept < 3 ? 0 : kept - 3));
        CHECK(atomic_load(&bus->header->lane[1].head) == head[1]);
        CHECK(tl_lane_open(&lane, bus, 1, 0) == 0);
        CHECK(tl_lane_ids(&lane, 1) == (UINT64_C(1) << 32 | 7));
        tl_lane_close(&lane);
        tl_bus_close(bus);
    }
}

int main(void)
{
    snprintf(path, sizeof path, "/dev/shm/touchline-test-ring-%d.bus", (int)getpid());
    a_lane_keeps_order_as_it_wraps();
    a_full_lane_times_out_and_says_how_many_went_in();
    a_lane_has_one_sender();
    senders_of_a_shared_lane_take_turns();
    a_sender_that_dies_leaves_all_or_nothing();
    a_reader_sees_each_event_once_and_knows_when_it_is_lapped();
    a_reader_never_sees_half_an_event();
    a_lapped_reader_goes_on_at_the_oldest(tl_event_reader_read);
    a_lapped_reader_goes_on_at_the_oldest(tl_event_reader_follow);
    a_following_reader_takes_what_comes_alone();
    sender_and_engine_wake_each_other();
    the_file_is_private_and_has_one_engine();
    a_dead_engines_file_goes_on_with_its_readers();
    a_file_that_is_no_bus_is_refused();
    after_a_crash_each_command_is_taken_once();
    unlink(path);
    return 0;
}
