/* The engine thread. runner.h draws the flow. Owns engine and journal; is the only consumer of the
 * lanes and the only writer of the event ring. The busy path makes no system call but for waking a
 * sleeper and, when asked to, syncing the journal. */
#define _GNU_SOURCE
#include "touchline/runtime/runner.h"

#include "touchline/runtime/clock.h"
#include "touchline/runtime/gate.h"
#include "touchline/runtime/stamp.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(TL_GATE_LANES == TL_BUS_LANES_MAX, "the gate knows every lane");
_Static_assert(TL_JOURNAL_CAPACITIES * sizeof(uint32_t) == sizeof(tl_engine_capacities),
               "a journal holds every capacity, in the engine's order");

#define LANE_BATCH 64u       /* commands taken from one lane in a pass: none starves another */
#define LANE_BATCH_SYNC 256u /* more share one sync, which costs the same for all */
#define RECOVER_BATCH 4096u
#define LOOKS_MAX 512            /* looks before parking or yielding: a few microseconds */
#define LOOKS_A_TIME 16u         /* between two looks at the clock; LOOKS_MAX is a multiple */
#define LINGER_NS INT64_C(60000) /* an engine that had work stays awake so long: a client's answer
                                    to an answer finds it so, and nobody waits longer for its
                                    processor */
#define BEAT_LOOKS 65536u        /* idle looks between heartbeats when never sleeping */
#define PARK_NS INT64_C(100000000) /* a parked engine still shows its heartbeat */

struct tl_runner {
    tl_engine *engine;
    tl_journal *journal;
    tl_gate gate;
    tl_bus *bus;
    tl_bus_header *header;
    tl_event_sink sink;
    tl_stamp stamp;
    int64_t host_ns; /* the host's clock as read last */
    int64_t (*utc_ns)(void);
    int64_t (*steady_ns)(void);
    uint64_t head[TL_BUS_LANES_MAX];
    uint32_t count[TL_BUS_LANES_MAX]; /* of the batch at hand, lane by lane */
    uint32_t lanes;
    uint32_t lane_batch;
    uint32_t wait;
    int32_t cpu;
    uint32_t idle; /* looks in vain since the last batch */
    int64_t linger_ns;     /* 0 where others have no processor meanwhile */
    uint32_t crowded;      /* 1: who sent the last batch was on this processor */
    int64_t idle_since_ns; /* on the steady clock */
    _Atomic int stop;
    tl_command batch[TL_BUS_LANES_MAX * LANE_BATCH_SYNC];
};

/* The clock */

static void clock_tell(tl_runner *r)
{
    atomic_store_explicit(&r->header->clock_step_ns, r->stamp.off_ns, memory_order_relaxed);
    atomic_store_explicit(&r->header->clock_refusals, r->stamp.refusals, memory_order_relaxed);
}

/* Read the host's clock, and compare it with the steady one when that was long ago. */
static void clock_read(tl_runner *r)
{
    r->host_ns = r->utc_ns();
    if (!tl_stamp_looked(&r->stamp, r->host_ns)) {
        tl_stamp_look(&r->stamp, r->host_ns, r->steady_ns());
        clock_tell(r);
    }
}

/* An operator takes the host's clock as it is: the command says by how much the stamps step, and is
 * the first with the new time. */
static void clock_accept(tl_runner *r, tl_command *cmd)
{
    cmd->price = tl_stamp_accept(&r->stamp, r->host_ns, r->steady_ns());
    clock_tell(r);
}

static void clock_begin(tl_runner *r, const tl_runner_config *config, int64_t last_ns)
{
    const int64_t step = config->clock_step_max_ns, gap = config->clock_gap_max_ns;
    r->host_ns = r->utc_ns();
    tl_stamp_begin(&r->stamp, step > 0 ? step : TL_STAMP_STEP_MAX_NS,
                   gap > 0 ? gap : TL_STAMP_GAP_MAX_NS, last_ns, r->host_ns, r->steady_ns());
    clock_tell(r);
}

/* The ring laps a reader that is too slow, so there is always room. */
static void batch_step(tl_runner *r, const tl_command *cmds, size_t count)
{
    const size_t done = tl_engine_step_batch(r->engine, cmds, count, &r->sink, UINT64_MAX);
    assert(done == count);
    (void)done;
}

/* Recovery */

static tl_engine_capacities capacities_due(const tl_runner *r)
{
    tl_engine_capacities due;
    memcpy(&due, tl_journal_capacities(r->journal), sizeof due);
    return due;
}

/* From here on the journal was written with larger capacities, or will be: so is the engine. */
static int engine_grow(tl_runner *r, tl_journal_fault *fault)
{
    const tl_engine_capacities due = capacities_due(r);
    if (memcmp(&due, tl_engine_get_capacities(r->engine), sizeof due) == 0)
        return 0;
    const int rc = tl_engine_grow(r->engine, &due);
    return rc == 0 ? 0
                   : tl_journal_fail(fault, -rc, "", 0, "cannot give the engine more room: %s",
                                     rc == -EINVAL ? "a capacity is out of bounds" : strerror(-rc));
}

/* Replay the journal straight into the ring, so that it ends up holding the newest events and
 * readers that were attached before go on as if nothing had been. */
static int journal_replay(tl_runner *r, tl_runner_recovery *recovery, int64_t *last_ns,
                          tl_journal_fault *fault)
{
    const tl_command *first = NULL;
    int64_t count;
    atomic_store(&r->header->recovered, 0);
    atomic_store(&r->header->recover_total, tl_journal_held(r->journal));
    while ((count = tl_journal_recover(r->journal, &first, RECOVER_BATCH, fault)) > 0) {
        if (engine_grow(r, fault) != 0)
            return -fault->error;
        for (int64_t i = 0; i < count; i++)
            tl_gate_recall(&r->gate, &first[i]);
        batch_step(r, first, (size_t)count);
        *last_ns = first[count - 1].ts_ns;
        /* For whoever watches the start; it orders nothing. */
        atomic_store_explicit(&r->header->recovered, first[count - 1].seq, memory_order_relaxed);
    }
    if (count < 0)
        return (int)count;
    if (engine_grow(r, fault) != 0)
        return -fault->error;
    recovery->commands = tl_journal_seq_next(r->journal) - 1;
    recovery->events = tl_engine_event_seq(r->engine);
    recovery->state_hash = tl_engine_hash(r->engine);
    recovery->overlooked = r->gate.overlooked;
    recovery->overlooked_first = r->gate.overlooked_first;
    memcpy(recovery->torn, tl_journal_torn(r->journal), sizeof recovery->torn);
    assert(r->sink.next == recovery->events + 1);
    tl_bus_settle(r->bus, recovery->commands, r->gate.counters, r->head);
    return 0;
}

static void status_recovered(tl_runner *r, const tl_runner_recovery *recovery)
{
    tl_bus_header *h = r->header;
    memcpy(h->torn_text, recovery->torn, sizeof h->torn_text);
    memset(h->error_text, 0, sizeof h->error_text);
    atomic_store(&h->error, 0);
    atomic_store(&h->draining, 0);
    atomic_store(&h->recovered, recovery->commands);
    atomic_store(&h->recover_total, recovery->commands);
    atomic_store(&h->commands, recovery->commands);
    atomic_store(&h->journal_bytes, tl_journal_bytes(r->journal));
    atomic_store(&h->started_ns, r->host_ns);
    atomic_store(&h->heartbeat_ns, r->host_ns);
    atomic_store(&h->pid, (uint32_t)getpid());
    atomic_store(&h->events, recovery->events);
    atomic_store(&h->journal_id, tl_journal_id(r->journal));
    tl_doorbell_wake(&h->readers);
}

/* A failure for those attached to see: the text first, `failed` last. */
static void status_failed(tl_runner *r, const tl_journal_fault *fault)
{
    snprintf(r->header->error_text, sizeof r->header->error_text, "%.*s: %.*s", 100, fault->path,
             140, fault->text);
    atomic_store(&r->header->error, (uint32_t)fault->error);
    atomic_store(&r->header->state, TL_BUS_FAILED);
    tl_doorbell_wake(&r->header->readers);
}

/* Before anything is made. */
static int capacities_check(const tl_runner_config *config, tl_journal_fault *fault)
{
    const tl_capacity *row = tl_engine_capacities_fault(&config->capacities);
    if (row == NULL)
        return 0;
    const uint32_t value = ((const uint32_t *)&config->capacities)[row - tl_capacities];
    return tl_journal_fail(fault, EINVAL, config->journal_dir, 0,
                           "%s %" PRIu32 " is outside %" PRIu32 " to %" PRIu32, row->name, value,
                           row->lowest, row->highest);
}

static int parts_open(tl_runner *r, const tl_runner_config *config, tl_journal_fault *fault)
{
    const tl_engine_capacities *capacities = &config->capacities;
    tl_journal_config journal = {
        .dir = config->journal_dir,
        .sync_batch = config->sync_batch,
        .segment_bytes = config->segment_bytes,
        .now_ns = r->utc_ns(),
        .avoid_cpu = config->cpu,
    };
    memcpy(journal.capacities, capacities, sizeof journal.capacities);
    *fault = (tl_journal_fault){0};
    int rc = capacities_check(config, fault);
    if (rc == 0)
        rc = tl_journal_open(&r->journal, &journal, fault);
    if (rc != 0)
        return rc;
    /* As large as the journal begins with; the replay makes it grow as the journal says. */
    const tl_engine_capacities begins_with = capacities_due(r);
    rc = tl_engine_open(&r->engine, &begins_with);
    if (rc != 0)
        return tl_journal_fail(fault, -rc, config->journal_dir, 0, "cannot open the engine: %s",
                               rc == -EINVAL ? "a capacity is out of bounds" : strerror(-rc));
    const tl_gate_config gate = {capacities->instruments_max, capacities->accounts_max,
                                 config->programs_trade};
    if (tl_gate_open(&r->gate, &gate) != 0)
        return tl_journal_fail(fault, ENOMEM, config->journal_dir, 0, "no memory for names");
    return 0;
}

int tl_runner_open(tl_runner **out, const tl_runner_config *config, tl_runner_recovery *recovery,
                   tl_journal_fault *fault)
{
    assert(config->bus->owner);
    tl_runner *r = calloc(1, sizeof *r);
    *recovery = (tl_runner_recovery){0};
    *fault = (tl_journal_fault){0};
    if (r == NULL)
        return tl_journal_fail(fault, ENOMEM, config->journal_dir, 0, "no memory for a runner");
    r->bus = config->bus;
    r->header = config->bus->header;
    r->lanes = r->header->geometry.lanes;
    r->lane_batch = config->sync_batch ? LANE_BATCH_SYNC : LANE_BATCH;
    r->wait = config->wait;
    r->cpu = config->cpu;
    r->linger_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? LINGER_NS : 0;
    r->utc_ns = config->utc_ns != NULL ? config->utc_ns : tl_clock_utc_ns;
    r->steady_ns = config->steady_ns != NULL ? config->steady_ns : tl_clock_steady_ns;
    r->sink = (tl_event_sink){r->bus->events, r->header->geometry.event_slots - 1, 1};
    atomic_store(&r->header->state, TL_BUS_STARTING);
    int64_t last_ns = 0;
    int rc = parts_open(r, config, fault);
    if (rc == 0) {
        const uint64_t had = atomic_load(&r->header->journal_id);
        if (had != 0 && had != tl_journal_id(r->journal))
            tl_bus_wipe(r->bus);
        rc = journal_replay(r, recovery, &last_ns, fault);
    }
    if (rc != 0) {
        status_failed(r, fault);
        tl_runner_close(r);
        return rc;
    }
    clock_begin(r, config, last_ns);
    status_recovered(r, recovery);
    *out = r;
    return 0;
}

void tl_runner_close(tl_runner *r)
{
    if (r == NULL)
        return;
    tl_journal_close(r->journal);
    tl_gate_close(&r->gate);
    if (r->engine != NULL)
        tl_engine_close(r->engine);
    free(r);
}

uint64_t tl_runner_hash(const tl_runner *r)
{
    return tl_engine_hash(r->engine);
}

/* A batch */

/* How many commands wait; notes them lane by lane. */
static uint32_t batch_find(tl_runner *r)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < r->lanes; i++) {
        r->count[i] = tl_bus_lane_ready(r->bus, i, r->head[i], r->lane_batch);
        total += r->count[i];
    }
    return total;
}

/* The segment has less room than the batch wants: leave the last ones for the next pass. */
static void batch_trim(tl_runner *r, uint32_t total, uint32_t room)
{
    for (uint32_t i = r->lanes; total > room;) {
        i--;
        const uint32_t over = total - room;
        const uint32_t less = over < r->count[i] ? over : r->count[i];
        r->count[i] -= less;
        total -= less;
    }
}

static uint32_t batch_journal(tl_runner *r)
{
    uint64_t seq = tl_journal_seq_next(r->journal);
    uint32_t total = 0;
    for (uint32_t i = 0; i < r->lanes; i++)
        for (uint32_t n = 0; n < r->count[i]; n++) {
            tl_command *cmd = &r->batch[total++];
            *cmd = *tl_bus_lane_slot(r->bus, i, r->head[i] + n);
            tl_gate_pass(&r->gate, i, cmd);
            cmd->seq = seq++;
            if (__builtin_expect(cmd->type == TL_MSG_TYPE_CLOCK, 0))
                clock_accept(r, cmd);
            cmd->ts_ns = r->stamp.last_ns;
            tl_journal_append(r->journal, cmd);
        }
    return total;
}

/* Everybody may see that the batch is done: producers their room, readers the newest event. */
static void batch_publish(tl_runner *r, uint32_t total)
{
    tl_bus_header *h = r->header;
    const uint32_t place = tl_bus_place();
    atomic_store_explicit(&h->place, place, memory_order_relaxed);
    r->crowded = 0;
    for (uint32_t i = 0; i < r->lanes; i++)
        if (r->count[i] != 0) {
            r->head[i] += r->count[i];
            r->crowded |=
                atomic_load_explicit(&h->lane[i].space.place, memory_order_relaxed) == place;
            /* Release: the slots have been read before their producer may write them. */
            atomic_store_explicit(&h->lane[i].head, r->head[i], memory_order_release);
        }
    /* Release: the events up to here are stamped. The figures after it order nothing. */
    atomic_store_explicit(&h->events, r->sink.next - 1, memory_order_release);
    atomic_store_explicit(&h->commands, tl_journal_seq_next(r->journal) - 1, memory_order_relaxed);
    atomic_store_explicit(&h->journal_bytes, tl_journal_bytes(r->journal), memory_order_relaxed);
    atomic_store_explicit(&h->heartbeat_ns, r->host_ns, memory_order_relaxed);
    atomic_store_explicit(&h->batches,
                          atomic_load_explicit(&h->batches, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    /* Pairs with the fence in tl_doorbell_arm: a sleeper sees the stores above or is seen. */
    atomic_thread_fence(memory_order_seq_cst);
    tl_doorbell_ring(&h->readers);
    for (uint32_t i = 0; i < r->lanes && total != 0; i++)
        tl_doorbell_ring(&h->lane[i].space);
}

/* One pass: 1 when it did something, 0 when no command waited, -errno when the journal failed. */
static int batch_run(tl_runner *r, tl_journal_fault *fault)
{
    uint32_t total = batch_find(r);
    if (total == 0)
        return 0;
    clock_read(r);
    const int64_t now_ns = tl_stamp_next(&r->stamp, r->host_ns);
    const int64_t room = tl_journal_reserve(r->journal, total, now_ns, fault);
    if (room < 0)
        return (int)room;
    if (room < total)
        batch_trim(r, total, (uint32_t)room);
    tl_bus_note(r->bus, tl_journal_seq_next(r->journal), r->head, r->count);
    total = batch_journal(r);
    const int rc = tl_journal_commit(r->journal, fault);
    if (rc != 0)
        return rc;
    batch_step(r, r->batch, total);
    batch_publish(r, total);
    return 1;
}

/* Between batches */

static int stopping(const tl_runner *r)
{
    /* Acquire: what the stopper did before is visible after run returns. */
    return atomic_load_explicit(&r->stop, memory_order_acquire);
}

static void beat(tl_runner *r)
{
    clock_read(r);
    atomic_store_explicit(&r->header->heartbeat_ns, r->host_ns, memory_order_relaxed);
}

static void park(tl_runner *r)
{
    const uint32_t armed = tl_doorbell_arm(&r->header->engine);
    if (batch_find(r) == 0 && !stopping(r)) {
        atomic_store_explicit(&r->header->place, tl_bus_place() | TL_BUS_ASLEEP,
                              memory_order_relaxed);
        tl_doorbell_wait(&r->header->engine, armed, PARK_NS);
        atomic_store_explicit(&r->header->place, tl_bus_place(), memory_order_relaxed);
        beat(r);
    }
}

/* Is the last batch hardly any time ago, and nobody in need of this processor? */
static bool lingers(tl_runner *r)
{
    if (r->crowded)
        return false;
    if (r->idle < LOOKS_MAX)
        return true;
    if (r->linger_ns == 0 || r->idle % LOOKS_A_TIME != 0)
        return r->linger_ns != 0;
    const int64_t now_ns = tl_clock_steady_ns();
    if (r->idle < LOOKS_MAX + LOOKS_A_TIME)
        r->idle_since_ns = now_ns;
    return now_ns - r->idle_since_ns < r->linger_ns;
}

static void idle(tl_runner *r)
{
    r->idle++;
    if (r->wait == TL_WAIT_PARK && !lingers(r))
        park(r);
    else if (r->wait == TL_WAIT_YIELD && (r->crowded || r->idle > LOOKS_MAX))
        sched_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    if (r->idle % BEAT_LOOKS == 0)
        beat(r);
}

static int pin(const tl_runner *r, cpu_set_t *before, tl_journal_fault *fault)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    if (r->cpu < 0)
        return 0;
    if (r->cpu < CPU_SETSIZE)
        CPU_SET((size_t)r->cpu, &one);
    if (sched_getaffinity(0, sizeof *before, before) != 0 ||
        sched_setaffinity(0, sizeof one, &one) != 0)
        return tl_journal_fail(fault, errno, "", 0, "cannot run on processor %d: %s", r->cpu,
                               strerror(errno));
    return 0;
}

/* Lanes refuse from now on; do what waits in them. */
static int drain(tl_runner *r, tl_journal_fault *fault)
{
    /* Sequentially consistent, against the fence after a publication: a producer sees this, or its
     * commands are seen below, or they stay in a bus that nobody removes. */
    atomic_store(&r->header->draining, 1);
    atomic_store(&r->header->state, TL_BUS_DRAINING);
    for (uint32_t i = 0; i < r->lanes; i++)
        tl_doorbell_wake(&r->header->lane[i].space);
    int rc = 1;
    while (rc > 0)
        rc = batch_run(r, fault);
    return rc;
}

int tl_runner_run(tl_runner *r, tl_journal_fault *fault)
{
    cpu_set_t before;
    *fault = (tl_journal_fault){0};
    int rc = pin(r, &before, fault);
    if (rc == 0) {
        beat(r);
        atomic_store(&r->header->state, TL_BUS_RUNNING);
        while (rc >= 0 && !stopping(r)) {
            rc = batch_run(r, fault);
            if (rc == 0)
                idle(r);
            else
                r->idle = 0;
        }
        if (rc >= 0)
            rc = drain(r, fault);
        if (r->cpu >= 0)
            sched_setaffinity(0, sizeof before, &before);
    }
    atomic_store(&r->stop, 0);
    if (rc < 0) {
        status_failed(r, fault);
        return rc;
    }
    atomic_store(&r->header->state, TL_BUS_STOPPED);
    tl_doorbell_wake(&r->header->readers);
    return 0;
}

void tl_runner_stop(tl_runner *r)
{
    /* Release, then the bell without asking: this is rare. */
    atomic_store_explicit(&r->stop, 1, memory_order_release);
    tl_doorbell_wake(&r->header->engine);
}
