/* The store's calls: opening, marks, appending, finding. */
#include "touchline/wire/fix_store.h"
#include "touchline/wire/fix_store_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_parts(tl_fix_store *store, const char *directory)
{
    uint32_t sessions = store->config.sessions_max;
    store->marks = calloc(sessions, sizeof *store->marks);
    store->reset_in = calloc(sessions, sizeof *store->reset_in);
    store->logged_answered = calloc(sessions, sizeof *store->logged_answered);
    store->logged_key = calloc(sessions, sizeof *store->logged_key);
    store->index = calloc(sessions, sizeof *store->index);
    if (store->marks == NULL || store->reset_in == NULL || store->logged_answered == NULL ||
        store->logged_key == NULL || store->index == NULL)
        return -ENOMEM;
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    store->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory < 0)
        return -errno;
    int error = tl_fix_marks_open(store);
    if (error == 0)
        error = tl_fix_store_log_open(store);
    if (error == 0)
        tl_fix_marks_boot(store);
    return error;
}

int tl_fix_store_open(tl_fix_store **out, const char *directory, const tl_fix_store_config *config)
{
    *out = NULL;
    if (config->sessions_max == 0 || config->sessions_max > 65536 ||
        config->segment_bytes < 1u << 20 || config->segment_bytes > 1u << 30 ||
        config->segment_bytes % 4096 != 0 ||
        (uint64_t)config->sessions_max * sizeof(record) > config->segment_bytes / 2)
        return -EINVAL;
    tl_fix_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return -ENOMEM;
    store->config = *config;
    store->directory = store->marks_file = store->segment_file = -1;
    store->cached_block = UINT64_MAX;
    *out = store;
    return open_parts(store, directory);
}

void tl_fix_store_close(tl_fix_store *store)
{
    if (store == NULL)
        return;
    for (uint32_t i = 0; i < store->segments_count; i++)
        munmap(store->segments[i].at, store->segments[i].bytes);
    if (store->segment_file >= 0)
        close(store->segment_file);
    tl_fix_marks_close(store);
    if (store->directory >= 0)
        close(store->directory);
    for (uint32_t i = 0; store->index != NULL && i < store->config.sessions_max; i++)
        free(store->index[i].places);
    free(store->segments);
    free(store->index);
    free(store->logged_key);
    free(store->logged_answered);
    free(store->reset_in);
    free(store->marks);
    free(store);
}

const char *tl_fix_store_fault(const tl_fix_store *store)
{
    return store->fault;
}

const tl_fix_marks *tl_fix_store_marks(const tl_fix_store *store, uint32_t session)
{
    return &store->marks[session];
}

void tl_fix_store_took(tl_fix_store *store, uint32_t session, uint64_t next_in, uint64_t lane_sent,
                       int64_t now_ns)
{
    tl_fix_marks *marks = &store->marks[session];
    marks->next_in = next_in;
    marks->lane_sent = lane_sent;
    marks->last_in_ns = now_ns;
    if (marks->created_ns == 0)
        marks->created_ns = now_ns;
    tl_fix_marks_write(store, session);
}

void tl_fix_store_answered(tl_fix_store *store, uint32_t session, uint64_t answered)
{
    tl_fix_marks *marks = &store->marks[session];
    marks->answered = answered < marks->next_in ? answered : marks->next_in;
}

/* Room for `bytes` at the end of the log. */
static int make_room(tl_fix_store *store, uint32_t bytes)
{
    uint32_t size = store->segments[store->segments_count - 1].bytes;
    return size - store->end >= bytes ? 0 : tl_fix_store_log_roll(store);
}

int tl_fix_store_reset(tl_fix_store *store, uint32_t session, uint64_t next_out, uint64_t next_in,
                       int64_t now_ns)
{
    if (next_out - 1 >= UINT64_MAX >> 1 || next_in - 1 >= UINT64_MAX >> 1)
        return -EINVAL;
    int error = make_room(store, sizeof(record));
    if (error != 0)
        return error;
    tl_fix_marks *marks = &store->marks[session];
    session_index *index = &store->index[session];
    record entry = {.session = session,
                    .msg_seq_num = next_out,
                    .answered = next_in,
                    .key = marks->key,
                    .ts_ns = now_ns,
                    .epoch = index->epoch + 1,
                    .kind = RECORD_RESET};
    tl_fix_store_log_write(store, &entry, NULL);
    tl_fix_index_forget(store, session);
    index->epoch++;
    index->seen = true;
    marks->next_out = next_out;
    marks->next_in = marks->answered = next_in;
    store->reset_in[session] = store->logged_answered[session] = next_in;
    marks->created_ns = now_ns;
    tl_fix_marks_write(store, session);
    return 0;
}

int tl_fix_store_append(tl_fix_store *store, uint32_t session, const tl_fix_stored *message)
{
    if (message->size > MESSAGE_BYTES_MAX || message->body_at > message->size ||
        message->body_at > UINT16_MAX || message->msg_type_at > UINT8_MAX)
        return -EINVAL;
    tl_fix_marks *marks = &store->marks[session];
    session_index *index = &store->index[session];
    int error = make_room(store, record_bytes(message->size));
    if (error == 0)
        error = tl_fix_index_room(index, marks->next_out / BLOCK_MESSAGES, store->first_segment);
    if (error != 0)
        return error;
    if (message->key > marks->key)
        marks->key = message->key;
    record entry = {.session = session,
                    .bytes = message->size,
                    .msg_seq_num = marks->next_out,
                    .answered = marks->answered,
                    .key = message->key,
                    .ts_ns = message->sending_time_ns,
                    .back = index->last,
                    .epoch = index->epoch,
                    .body_at = (uint16_t)message->body_at,
                    .msg_type_at = (uint8_t)message->msg_type_at,
                    .kind = message->kind};
    tl_fix_index_add(index, marks->next_out, tl_fix_store_log_write(store, &entry, message->bytes));
    store->logged_answered[session] = marks->answered;
    marks->next_out++;
    marks->last_out_ns = message->sending_time_ns;
    if (marks->created_ns == 0)
        marks->created_ns = message->sending_time_ns;
    return 0;
}

/* Places of the messages of a block, from its last one backwards. */
static void fill_cache(tl_fix_store *store, uint32_t session, uint64_t block)
{
    const session_index *index = &store->index[session];
    memset(store->cached, 0, sizeof store->cached);
    store->cached_session = session;
    store->cached_block = block;
    uint64_t place = index->places[block - index->first_block];
    for (unsigned i = 0; i < BLOCK_MESSAGES; i++) {
        const record *entry = record_at(store, place);
        if (entry == NULL || entry->msg_seq_num / BLOCK_MESSAGES != block)
            return;
        store->cached[entry->msg_seq_num % BLOCK_MESSAGES] = place;
        place = entry->back;
    }
}

static const record *find(tl_fix_store *store, uint32_t session, uint64_t msg_seq_num)
{
    const session_index *index = &store->index[session];
    uint64_t block = msg_seq_num / BLOCK_MESSAGES;
    if (block < index->first_block || block - index->first_block >= index->count)
        return NULL;
    if (block - index->first_block + 1 == index->count) { /* still growing */
        const record *entry = record_at(store, index->last);
        while (entry != NULL && entry->msg_seq_num > msg_seq_num)
            entry = record_at(store, entry->back);
        return entry != NULL && entry->msg_seq_num == msg_seq_num ? entry : NULL;
    }
    if (store->cached_session != session || store->cached_block != block)
        fill_cache(store, session, block);
    return record_at(store, store->cached[msg_seq_num % BLOCK_MESSAGES]);
}

bool tl_fix_store_find(tl_fix_store *store, uint32_t session, uint64_t msg_seq_num,
                       tl_fix_stored *out)
{
    const record *entry = find(store, session, msg_seq_num);
    if (entry == NULL)
        return false;
    *out = (tl_fix_stored){.bytes = (const char *)(entry + 1),
                           .size = entry->bytes,
                           .body_at = entry->body_at,
                           .msg_type_at = entry->msg_type_at,
                           .kind = entry->kind,
                           .sending_time_ns = entry->ts_ns,
                           .key = entry->key};
    return true;
}

uint64_t tl_fix_store_first(tl_fix_store *store, uint32_t session, uint64_t from)
{
    const session_index *index = &store->index[session];
    uint32_t low = 0, high = index->count;
    while (low < high) { /* the first block that ends with a kept message at or above `from` */
        uint32_t middle = low + (high - low) / 2;
        const record *entry = record_at(store, index->places[middle]);
        if (entry != NULL && entry->msg_seq_num >= from)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == index->count)
        return store->marks[session].next_out;
    uint64_t lowest = 0;
    uint64_t place = index->places[low];
    for (unsigned i = 0; i <= BLOCK_MESSAGES; i++) {
        const record *entry = record_at(store, place);
        if (entry == NULL || entry->msg_seq_num < from)
            break;
        lowest = entry->msg_seq_num;
        place = entry->back;
    }
    return lowest;
}

int tl_fix_store_sync(tl_fix_store *store)
{
    if (!store->config.durable || !store->dirty)
        return 0;
    if (fdatasync(store->segment_file) < 0) {
        snprintf(store->fault, sizeof store->fault, "fdatasync: %s", strerror(errno));
        return -errno;
    }
    store->dirty = false;
    store->head->synced = place_of(store->first_segment + store->segments_count - 1, store->end);
    return 0;
}
