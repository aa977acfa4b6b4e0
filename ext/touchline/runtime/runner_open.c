/* The engine thread's start: parts opened, the journal replayed, those attached told; and its end.
 * runner.h draws the flow. */
#include "touchline/runtime/clock.h"
#include "touchline/runtime/runner_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(TL_GATE_LANES == TL_BUS_LANES_MAX, "the gate knows every lane");
_Static_assert(TL_JOURNAL_CAPACITIES * sizeof(uint32_t) == sizeof(tl_engine_capacities),
               "a journal holds every capacity, in the engine's order");

#define RECOVER_BATCH 4096u
#define LINGER_NS INT64_C(60000) /* an engine that had work stays awake so long: a client's answer
                                    to an answer finds it so, and nobody waits longer for its
                                    processor */

static void clock_begin(tl_runner *r, const tl_runner_config *config, int64_t last_ns)
{
    const int64_t step = config->clock_step_max_ns, gap = config->clock_gap_max_ns;
    r->host_ns = r->utc_ns();
    tl_stamp_begin(&r->stamp, step > 0 ? step : TL_STAMP_STEP_MAX_NS,
                   gap > 0 ? gap : TL_STAMP_GAP_MAX_NS, last_ns, r->host_ns, r->steady_ns());
    tl_runner_clock_tell(r);
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
        tl_runner_step(r, first, (size_t)count);
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

/* The text first, `failed` last. */
void tl_runner_failed(tl_runner *r, const tl_journal_fault *fault)
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
    if (rc == 0 && tl_auctions_open(&r->auctions, r->engine, config->indicative_every_ns) != 0)
        rc = tl_journal_fail(fault, ENOMEM, config->journal_dir, 0, "no memory for auctions");
    if (rc != 0) {
        tl_runner_failed(r, fault);
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
    tl_auctions_close(&r->auctions);
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
