/* What the store knows is found again: the log read once, its torn end cut off, the marks held
 * against it. The log is right about what was sent, the marks about what was received.
 *
 * A record that does not fit its checksum is the torn end when no record follows it, or when the
 * machine has started anew since and it is beyond what was on the disk for certain; else damage. */
#include "touchline/wire/fix_store_log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool record_good(const segment *part, uint32_t number, uint32_t at, record *out)
{
    if (part->bytes - at < sizeof *out)
        return false;
    memcpy(out, part->at + at, sizeof *out);
    if (out->size == 0 || out->bytes > MESSAGE_BYTES_MAX || out->size != record_bytes(out->bytes) ||
        out->size > part->bytes - at || out->kind == 0 || out->kind > RECORD_MARK)
        return false;
    uint32_t seed = part->seed ^ (uint32_t)place_of(number, at);
    return out->crc == tl_fix_store_crc(seed, part->at + at + 8, out->size - 8);
}

static int damage(tl_fix_store *store, uint32_t number, uint32_t at)
{
    snprintf(store->fault, sizeof store->fault, "out-%08u.log: the record at byte %u", number, at);
    return -EBADMSG;
}

static void begin_epoch(tl_fix_store *store, const record *entry)
{
    uint32_t session = entry->session;
    tl_fix_marks *marks = &store->marks[session];
    session_index *index = &store->index[session];
    tl_fix_index_forget(store, session);
    if (entry->epoch > index->epoch) {
        index->epoch = entry->epoch;
        *marks = (tl_fix_marks){.next_out = 1, .next_in = 1, .key = marks->key};
        if (entry->kind == RECORD_RESET)
            marks->next_in = store->reset_in[session] = entry->answered;
    }
    store->logged_answered[session] = 0;
}

/* logged_epoch: of the records seen so far. */
static int take_in(tl_fix_store *store, const record *entry, uint64_t place, uint32_t *logged_epoch)
{
    uint32_t session = entry->session;
    if (session >= store->config.sessions_max)
        return 0; /* of a time when there were more */
    tl_fix_marks *marks = &store->marks[session];
    session_index *index = &store->index[session];
    if (!index->seen || entry->epoch != logged_epoch[session])
        begin_epoch(store, entry);
    index->seen = true;
    logged_epoch[session] = entry->epoch;
    if (entry->key > store->logged_key[session])
        store->logged_key[session] = entry->key;
    if (entry->epoch != index->epoch)
        return 0; /* the marks know of a reset that the log lost */
    store->logged_answered[session] = entry->answered;
    if (entry->kind == RECORD_RESET || entry->kind == RECORD_MARK) {
        marks->created_ns = entry->ts_ns;
        if (entry->msg_seq_num > marks->next_out)
            marks->next_out = entry->msg_seq_num;
        return 0;
    }
    int error = tl_fix_index_room(index, entry->msg_seq_num / BLOCK_MESSAGES, store->first_segment);
    if (error != 0)
        return error;
    tl_fix_index_add(index, entry->msg_seq_num, place);
    if (entry->msg_seq_num >= marks->next_out)
        marks->next_out = entry->msg_seq_num + 1;
    if (entry->ts_ns > marks->last_out_ns)
        marks->last_out_ns = entry->ts_ns;
    return 0;
}

static bool any_after(const segment *part, uint32_t number, uint32_t at)
{
    record entry;
    for (at += 8; at <= part->bytes - 8; at += 8) {
        uint64_t word;
        memcpy(&word, part->at + at, 8);
        if (word != 0 && record_good(part, number, at, &entry))
            return true;
    }
    return false;
}

static void wipe(segment *part, uint32_t from)
{
    for (uint32_t at = from; at + 8 <= part->bytes; at += 8) {
        uint64_t word;
        memcpy(&word, part->at + at, 8);
        if (word != 0)
            memset(part->at + at, 0, 8);
    }
}

static bool blank(const segment *part, uint32_t from)
{
    for (uint32_t at = from; at + 8 <= part->bytes; at += 8) {
        uint64_t word;
        memcpy(&word, part->at + at, 8);
        if (word != 0)
            return false;
    }
    return true;
}

/* Records end at `at` of that segment. A segment that is not the last was left when the next record
 * did not fit: zeros remain. */
static int find_end(tl_fix_store *store, uint32_t index, uint32_t at)
{
    segment *part = &store->segments[index];
    uint32_t number = store->first_segment + index;
    bool last = index + 1 == store->segments_count;
    bool clean = blank(part, at);
    bool cut = !store->same_boot && place_of(number, at) >= store->head->synced;
    if (!clean && !cut && (!last || any_after(part, number, at)))
        return damage(store, number, at);
    if (clean && !last)
        return 0;
    while (store->segments_count > index + 1)
        tl_fix_store_log_drop(store, true);
    wipe(part, at);
    store->end = store->ready = at;
    return 0;
}

static int scan_segment(tl_fix_store *store, uint32_t index, uint32_t *logged_epoch)
{
    const segment part = store->segments[index];
    uint32_t number = store->first_segment + index;
    uint32_t at = sizeof(segment_head);
    record entry;
    madvise(part.at, part.bytes, MADV_SEQUENTIAL);
    while (record_good(&part, number, at, &entry)) {
        use(store, place_of(number, at), entry.size);
        int error = take_in(store, &entry, place_of(number, at), logged_epoch);
        if (error != 0)
            return error;
        at += entry.size;
    }
    madvise(part.at, part.bytes, MADV_NORMAL);
    int error = find_end(store, index, at);
    madvise(part.at, part.bytes, MADV_DONTNEED);
    return error;
}

static int map_all(tl_fix_store *store)
{
    int fd = dup(store->directory);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (names == NULL) {
        int error = -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    uint32_t first = UINT32_MAX, last = 0;
    rewinddir(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        unsigned number;
        char name[32];
        if (sscanf(entry->d_name, "out-%8u.log", &number) != 1)
            continue;
        tl_fix_segment_name(name, number);
        if (strcmp(name, entry->d_name) != 0)
            continue;
        first = number < first ? number : first;
        last = number > last ? number : last;
    }
    closedir(names);
    unlinkat(store->directory, "out-new", 0);
    store->first_segment = last == 0 ? 1 : first;
    for (uint32_t number = first; number <= last && last != 0; number++) {
        int error = tl_fix_store_log_map(store, number);
        if (error != 0)
            return error;
    }
    return 0;
}

static void settle(tl_fix_store *store)
{
    for (uint32_t i = 0; i < store->config.sessions_max; i++) {
        tl_fix_marks *marks = &store->marks[i];
        if (!store->index[i].seen && marks->next_out == 1 && marks->next_in == 1)
            continue;
        marks->key = store->logged_key[i];
        if (store->logged_answered[i] == 0)
            store->logged_answered[i] = store->reset_in[i];
        marks->answered = store->logged_answered[i];
        if (marks->next_in < marks->answered)
            marks->next_in = marks->answered;
        store->index[i].seen = true;
        tl_fix_marks_write(store, i);
    }
}

int tl_fix_store_log_open(tl_fix_store *store)
{
    int error = map_all(store);
    uint32_t *logged_epoch = calloc(store->config.sessions_max, sizeof *logged_epoch);
    if (logged_epoch == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; error == 0 && i < store->segments_count; i++)
        error = scan_segment(store, i, logged_epoch);
    free(logged_epoch);
    if (error != 0)
        return error;
    settle(store);
    return store->segments_count == 0 ? tl_fix_store_log_roll(store) : 0;
}
