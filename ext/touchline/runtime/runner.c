/* The engine thread's batches. runner.h draws the flow. Owns engine and journal; is the only
 * consumer of the lanes and the only writer of the event ring. The busy path makes no system call
 * but for waking a sleeper and, when asked to, syncing the journal. */
#define _GNU_SOURCE
#include "touchline/runtime/clock.h"
#include "touchline/runtime/runner_state.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#define LOOKS_MAX 512            /* looks before parking or yielding: a few microseconds */
#define LOOKS_A_TIME 16u         /* between two looks at the clock; LOOKS_MAX is a multiple */
#define BEAT_LOOKS 65536u        /* idle looks between heartbeats when never sleeping */
#define PARK_NS INT64_C(100000000) /* a parked engine still shows its heartbeat */

/* The clock */

/* Read the host's clock, and compare it with the steady one when that was long ago. */
static void clock_read(tl_runner *r)
{
    r->host_ns = r->utc_ns();
    if (!tl_stamp_looked(&r->stamp, r->host_ns)) {
        tl_stamp_look(&r->stamp, r->host_ns, r->steady_ns());
        tl_runner_clock_tell(r);
    }
}

/* An operator takes the host's clock as it is: the command says by how much the stamps step, and is
 * the first with the new time. */
static void clock_accept(tl_runner *r, tl_command *cmd)
{
    cmd->price = tl_stamp_accept(&r->stamp, r->host_ns, r->steady_ns());
    tl_runner_clock_tell(r);
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
            if (__builtin_expect(cmd->type == TL_MSG_TYPE_SECURITY_STATUS, 0))
                tl_auctions_note(&r->auctions, cmd);
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
    tl_runner_step(r, r->batch, total);
    batch_publish(r, total);
    return 1;
}

/* A command of the runner's own, in a batch of its own, so that it is counted to no lane. */
static int own_run(tl_runner *r, tl_command *cmd, tl_journal_fault *fault)
{
    const int64_t now_ns = tl_stamp_next(&r->stamp, r->host_ns);
    const int64_t room = tl_journal_reserve(r->journal, 1, now_ns, fault);
    if (room < 0)
        return (int)room;
    memset(r->count, 0, sizeof r->count);
    tl_bus_note(r->bus, tl_journal_seq_next(r->journal), r->head, r->count);
    cmd->seq = tl_journal_seq_next(r->journal);
    cmd->ts_ns = now_ns;
    tl_journal_append(r->journal, cmd);
    const int rc = tl_journal_commit(r->journal, fault);
    if (rc != 0)
        return rc;
    tl_runner_step(r, cmd, 1);
    batch_publish(r, 1);
    return 1;
}

/* Are there orders past their time, to whom nobody has come? Rule 8.10. */
static int expiry_due(const tl_runner *r)
{
    return tl_engine_next_expiry(r->engine) <= tl_stamp_peek(&r->stamp, r->host_ns);
}

/* What the runner has to say, if anything, and what waits in the lanes: one auction between two
 * batches, so that orders do not wait for all of them. */
static int pass(tl_runner *r, tl_journal_fault *fault)
{
    tl_command *own = &r->batch[0];
    int told = 0;
    if (expiry_due(r)) {
        *own = (tl_command){.type = TL_MSG_TYPE_EXPIRE};
        return own_run(r, own, fault);
    }
    if (tl_auctions_due(&r->auctions, r->host_ns) &&
        tl_auctions_next(&r->auctions, r->engine, r->host_ns, own))
        told = own_run(r, own, fault);
    const int rc = told < 0 ? told : batch_run(r, fault);
    return rc != 0 ? rc : told;
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
            rc = pass(r, fault);
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
        tl_runner_failed(r, fault);
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
