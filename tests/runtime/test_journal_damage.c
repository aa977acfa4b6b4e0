/* What befalls a journal's files: lost, emptied, cut, exchanged. Whatever it is, what is read is a
 * prefix by the rule of the torn tail, or it is refused by name; and nothing is begun over it. */
#define _GNU_SOURCE
#include "journal_files.h"
#include "touchline/runtime/journal_head.h"

#define SEGMENTS 3u
#define WHOLE (SEGMENTS * SLOTS - 5)
#define FILES (SEGMENTS + 1) /* journal.head, then the segments */
#define FUZZ 4000

typedef struct image {
    size_t bytes; /* SIZE_MAX: there is no such file */
    char content[SEGMENT];
} image;

static uint32_t file_name(uint32_t file)
{
    return file == 0 ? TL_JOURNAL_HEAD : file;
}

static void image_put(uint32_t file, const image *from)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_path(path, dir, file_name(file));
    unlink(path);
    if (from->bytes == SIZE_MAX)
        return;
    const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, from->content, from->bytes) == (ssize_t)from->bytes);
    close(fd);
}

static void image_get(uint32_t file, image *to)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_path(path, dir, file_name(file));
    const int fd = open(path, O_RDONLY);
    *to = (image){.bytes = SIZE_MAX};
    if (fd < 0)
        return;
    to->bytes = (size_t)read(fd, to->content, SEGMENT);
    CHECK(to->bytes <= SEGMENT);
    close(fd);
}

static void images_get(image to[FILES])
{
    for (uint32_t file = 0; file < FILES; file++)
        image_get(file, &to[file]);
}

static void images_put(const image from[FILES])
{
    dir_empty();
    for (uint32_t file = 0; file < FILES; file++)
        image_put(file, &from[file]);
}

/* A journal of `count` commands, as its files. `now_ns` is what tells journals apart. */
static void images_of(image to[FILES], uint64_t count, int64_t now_ns)
{
    tl_journal_config with = config();
    with.now_ns = now_ns;
    dir_empty();
    tl_journal *j = open_with(&with, 0);
    append(j, count);
    tl_journal_close(j);
    images_get(to);
}

/* How many commands a reader gives, all of them checked; -errno with the fault. */
static int64_t read_through(tl_journal_fault *fault)
{
    tl_journal_reader *reader;
    const tl_command *first;
    int64_t count = tl_journal_reader_open(&reader, dir, fault), total = 0;
    if (count != 0)
        return count;
    while ((count = tl_journal_reader_next(reader, &first, 50, fault)) > 0)
        for (int64_t i = 0; i < count; i++) {
            CHECK(first[i].seq == (uint64_t)++total);
            CHECK(first[i].cl_ord_id == first[i].seq * 7);
        }
    tl_journal_reader_close(reader);
    return count < 0 ? count : total;
}

static uint32_t raised; /* by how much the newest segment's capacities are above config()'s */

static tl_journal_config config_raised(uint32_t by)
{
    tl_journal_config with = config();
    for (int i = 0; i < TL_JOURNAL_CAPACITIES; i++)
        with.capacities[i] += by;
    return with;
}

/* The same of recovery, which may then write. */
static int64_t recover_through(tl_journal_fault *fault)
{
    const tl_journal_config with = config_raised(raised);
    tl_journal *j;
    const tl_command *first;
    int64_t count = tl_journal_open(&j, &with, fault), total = 0;
    if (count != 0)
        return count;
    while ((count = tl_journal_recover(j, &first, 50, fault)) > 0)
        total += count;
    tl_journal_close(j);
    return count < 0 ? count : total;
}

static void check_refused(const tl_journal_fault *fault, const char *name)
{
    CHECK(fault->error == EBADMSG);
    CHECK(fault->text[0] != '\0');
    if (name != NULL && strstr(fault->path, name) == NULL) {
        fprintf(stderr, "%s: %s, which is not about %s\n", fault->path, fault->text, name);
        abort();
    }
}

/* Reader and recovery refuse what lies there, about this file, and change nothing. */
static void refused(uint32_t file)
{
    static image before[FILES], after[FILES];
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_fault fault;
    tl_journal_path(path, dir, file_name(file));
    images_get(before);
    CHECK(read_through(&fault) == -EBADMSG);
    check_refused(&fault, path);
    CHECK(recover_through(&fault) == -EBADMSG);
    check_refused(&fault, path);
    images_get(after);
    CHECK(memcmp(before, after, sizeof before) == 0);
}

static void a_segment_that_was_lost_is_damage(void)
{
    static image whole[FILES], spoilt;
    tl_journal_fault fault;
    images_of(whole, WHOLE, 1000);
    for (uint32_t file = 1; file <= SEGMENTS; file++)
        for (size_t left = 0; left <= SEGMENT; left += SEGMENT / 4) {
            images_put(whole);
            spoilt = (image){.bytes = left}; /* empty, short, or of the old size; all zeros */
            image_put(file, &spoilt);
            refused(file);
        }
    spoilt = (image){.bytes = SIZE_MAX};
    for (uint32_t file = 1; file <= SEGMENTS; file++) {
        images_put(whole);
        image_put(file, &spoilt);
        refused(file);
    }
    images_put(whole);
    image_put(3, &spoilt);
    CHECK(read_through(&fault) == -EBADMSG);
    CHECK(fault.seq == 2 * SLOTS + 1);
    CHECK(strstr(fault.text, "commands from 129 on are lost") != NULL);
}

static void the_only_segment_is_not_begun_anew(void)
{
    static image whole[FILES], spoilt;
    images_of(whole, 20, 1000);
    for (size_t left = 0; left <= SEGMENT; left += SEGMENT / 4) {
        images_put(whole);
        spoilt = (image){.bytes = left};
        image_put(1, &spoilt);
        refused(1);
    }
    images_put(whole);
    spoilt.bytes = SIZE_MAX;
    image_put(1, &spoilt);
    refused(1);
    spoilt.bytes = 0; /* and its head is gone as well */
    image_put(1, &spoilt);
    spoilt.bytes = SIZE_MAX;
    image_put(0, &spoilt);
    refused(1);
}

static void a_segment_without_its_header_is_damage(void)
{
    static image whole[FILES], spoilt;
    images_of(whole, WHOLE, 1000);
    for (uint32_t file = 1; file <= SEGMENTS; file++) {
        images_put(whole);
        spoilt = whole[file];
        memset(spoilt.content, 0, HEADER);
        image_put(file, &spoilt);
        refused(file);
        spoilt.bytes = 100; /* cut within the header */
        memcpy(spoilt.content, whole[file].content, 100);
        image_put(file, &spoilt);
        refused(file);
    }
}

static void nothing_is_begun_over_a_segment_that_holds_something(void)
{
    static image whole[FILES], next;
    tl_journal_fault fault;
    images_of(whole, SLOTS, 1000);
    next = (image){.bytes = SEGMENT};
    memset(next.content + HEADER, 'x', 64);
    image_put(2, &next);
    CHECK(recover_through(&fault) == -EBADMSG);
    check_refused(&fault, "/00000002.tlj");
    image_get(2, &whole[2]);
    CHECK(memcmp(&whole[2], &next, sizeof next) == 0);
}

static void segments_of_elsewhere_are_damage(void)
{
    static image whole[FILES], foreign[FILES];
    images_of(foreign, WHOLE, 2000);
    images_of(whole, WHOLE, 1000);
    for (uint32_t file = 1; file <= SEGMENTS; file++)
        for (uint32_t from = 1; from <= SEGMENTS; from++) {
            images_put(whole);
            image_put(file, &foreign[from]);
            refused(file);
            if (from == file)
                continue;
            images_put(whole);
            image_put(file, &whole[from]);
            refused(file);
        }
    images_put(whole);
    image_put(0, &foreign[0]);
    refused(1);
}

static void a_head_that_was_lost_is_damage(void)
{
    static image whole[FILES], spoilt;
    images_of(whole, WHOLE, 1000);
    for (size_t bytes = 0; bytes < sizeof(tl_journal_head); bytes += 9) {
        spoilt = whole[0];
        spoilt.bytes = bytes;
        image_put(0, &spoilt);
        refused(0);
        spoilt = whole[0];
        spoilt.content[bytes] ^= 4;
        image_put(0, &spoilt);
        refused(0);
    }
    spoilt.bytes = SIZE_MAX;
    image_put(0, &spoilt);
    refused(0);
}

static void head_says(uint32_t begun)
{
    static image at;
    image_get(0, &at);
    tl_journal_head *head = (tl_journal_head *)(void *)at.content;
    head->begun = begun;
    head->checksum = tl_journal_checksum(head, offsetof(tl_journal_head, checksum));
    image_put(0, &at);
}

/* Every moment at which a kill leaves things between two segments. */
static void a_kill_at_the_change_of_segments_loses_nothing(void)
{
    static image whole[FILES], ready;
    tl_journal_head head;
    tl_journal_fault fault;
    for (uint32_t known = 0; known <= SEGMENTS; known++) {
        images_of(whole, WHOLE, 1000);
        head_says(known);
        tl_journal_close(open_journal(WHOLE));
        CHECK(tl_journal_head_read(dir, &head, &fault) == 1);
        CHECK(head.begun == SEGMENTS);
    }
    for (uint32_t full = 0; full < SEGMENTS; full++)
        for (size_t bytes = 0; bytes <= SEGMENT; bytes += SEGMENT / 2) {
            dir_empty();
            tl_journal_close(open_journal(0));
            if (full == 0) { /* killed before the first segment was begun */
                head_says(0);
            } else {
                tl_journal *j = open_journal(0);
                append(j, full * SLOTS);
                tl_journal_close(j);
            }
            ready = (image){.bytes = bytes};
            image_put(full + 1, &ready);
            tl_journal *j = open_journal(full * SLOTS);
            append(j, 3);
            tl_journal_close(j);
            tl_journal_close(open_journal(full * SLOTS + 3));
        }
}

static void a_journal_of_another_version_is_refused_by_name(void)
{
    static image whole[FILES];
    tl_journal_fault fault;
    images_of(whole, WHOLE, 1000);
    for (uint32_t file = 1; file <= SEGMENTS; file++) {
        tl_journal_header *header = (tl_journal_header *)(void *)whole[file].content;
        header->version = TL_JOURNAL_VERSION - 1;
        header->checksum = tl_journal_header_checksum(header);
    }
    whole[0].bytes = SIZE_MAX;
    images_put(whole);
    CHECK(read_through(&fault) == -EBADMSG);
    char told[64];
    snprintf(told, sizeof told, "version %u; this is %u", TL_JOURNAL_VERSION - 1,
             TL_JOURNAL_VERSION);
    CHECK(strstr(fault.text, told) != NULL);
}

static void a_file_of_others_is_not_written(void)
{
    char path[TL_JOURNAL_PATH_BYTES], other[TL_JOURNAL_PATH_BYTES];
    tl_journal_fault fault;
    journal_of(5);
    tl_journal_path(path, dir, 1);
    CHECK(chmod(path, 0620) == 0);
    CHECK(recover_through(&fault) == -EPERM);
    CHECK(strstr(fault.text, "others may write it: its mode is 620") != NULL);
    CHECK(chmod(path, 0600) == 0);
    snprintf(other, sizeof other, "%s/elsewhere", dir);
    CHECK(rename(path, other) == 0);
    CHECK(symlink(other, path) == 0);
    CHECK(recover_through(&fault) == -EBADMSG);
    CHECK(strstr(fault.text, "symbolic link") != NULL);
    CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    CHECK(read_through(&fault) == -EBADMSG);
    CHECK(strstr(fault.text, "no regular file") != NULL);
}

/* One random change of one file. */
static void mutate(image files[FILES], uint64_t *random)
{
    image *file = &files[random_next(random) % FILES];
    const image *other = &files[random_next(random) % FILES];
    const size_t bytes = file->bytes == SIZE_MAX || file->bytes == 0 ? 1 : file->bytes;
    const size_t at = random_next(random) % bytes;
    const size_t count = random_next(random) % (bytes - at) + 1;
    switch (random_next(random) % 8) {
    case 0:
        file->content[at] ^= (char)(1u << random_next(random) % 8);
        break;
    case 1:
        memset(file->content + at, 0, count);
        break;
    case 2:
        memset(file->content + at, (int)(random_next(random) & 255), count);
        break;
    case 3:
        file->bytes = at;
        break;
    case 4:
        file->bytes = SIZE_MAX;
        break;
    case 5:
        *file = *other;
        break;
    case 6:
        memset(file->content, 0, SEGMENT);
        break;
    default:
        memmove(file->content + at / 64 * 64, other->content + count / 64 * 64,
                SEGMENT - (at > count ? at : count) / 64 * 64);
    }
}

/* Whatever is done to this journal of `count` commands, `kept_least` of them before its last
 * segment: it is read as far as a torn tail, or refused. */
static void any_damage_to(const image whole[FILES], int64_t kept_least, int64_t count,
                          uint64_t *seed)
{
    static image files[FILES];
    tl_journal_fault fault;
    for (int i = 0; i < FUZZ; i++) {
        memcpy(files, whole, sizeof files);
        for (uint64_t changes = random_next(seed) % 3 + 1; changes > 0; changes--)
            mutate(files, seed);
        images_put(files);
        const int64_t read = read_through(&fault);
        const int nothing = read == -ENOENT && files[0].bytes == SIZE_MAX &&
                            files[1].bytes == SIZE_MAX;
        CHECK(nothing || read == -EBADMSG || (read >= kept_least && read <= count));
        if (read == -EBADMSG)
            check_refused(&fault, NULL);
        if (i % 16 == 0 && read != -ENOENT) {
            const int64_t recovered = recover_through(&fault);
            CHECK(recovered == read || recovered == -EBADMSG);
        }
    }
}

static void any_damage_is_a_torn_tail_or_refused(uint64_t seed)
{
    static image whole[FILES];
    for (uint64_t count = 20; count <= WHOLE; count += SLOTS - 1) {
        images_of(whole, count, 1000);
        any_damage_to(whole, (int64_t)((count - 1) / SLOTS * SLOTS), (int64_t)count, &seed);
    }
}

/* And where segments end early, because the ones after them have larger capacities. */
static void any_damage_to_a_journal_that_grew_is_a_torn_tail_or_refused(uint64_t seed)
{
    static image whole[FILES];
    dir_empty();
    for (raised = 0; raised < SEGMENTS; raised++) {
        const tl_journal_config with = config_raised(raised);
        tl_journal *j = open_with(&with, raised * UINT64_C(15));
        append(j, 15);
        tl_journal_close(j);
    }
    raised = SEGMENTS - 1;
    images_get(whole);
    any_damage_to(whole, 30, 45, &seed);
    raised = 0;
}

int main(int argc, char **argv)
{
    dir_make("journal-damage");
    a_segment_that_was_lost_is_damage();
    the_only_segment_is_not_begun_anew();
    a_segment_without_its_header_is_damage();
    nothing_is_begun_over_a_segment_that_holds_something();
    segments_of_elsewhere_are_damage();
    a_head_that_was_lost_is_damage();
    a_kill_at_the_change_of_segments_loses_nothing();
    a_journal_of_another_version_is_refused_by_name();
    a_file_of_others_is_not_written();
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    any_damage_is_a_torn_tail_or_refused(seed);
    any_damage_to_a_journal_that_grew_is_a_torn_tail_or_refused(seed);
    dir_remove();
    return 0;
}
