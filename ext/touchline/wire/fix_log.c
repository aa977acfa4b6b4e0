/* The message log. fix_log.h says what a line is. */
#define _GNU_SOURCE
#include "touchline/wire/fix_log.h"

#include "touchline/wire/fix_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOH '\x01'
#define NAME_BYTES 72
#define LINE_HEAD 48 /* time, direction, blanks, the end of the line */

typedef struct log_file {
    char name[NAME_BYTES];
    char *buffer;       /* NULL: no line waits */
    size_t used;
    uint32_t lines;
    uint32_t next_open; /* plus one, in the list of open files, the one used last first; 0: end */
    uint64_t size;
    int64_t since_ns;   /* monotonic: the first of the lines that wait; 0: to be found out */
    int fd;             /* -1: not open */
} log_file;

struct tl_fix_log {
    tl_fix_log_config config;
    int directory;
    log_file *files; /* by session */
    uint32_t *waiting; /* sessions with lines that wait */
    uint32_t waiting_count;
    uint32_t first_open, open_count;
    uint64_t lost;
};

int tl_fix_log_open(tl_fix_log **out, const char *directory, const tl_fix_log_config *config)
{
    tl_fix_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return -ENOMEM;
    log->config = *config;
    log->files = calloc(config->sessions_max, sizeof *log->files);
    log->waiting = calloc(config->sessions_max, sizeof *log->waiting);
    log->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int rc = log->directory < 0 ? -errno : !log->files || !log->waiting ? -ENOMEM : 0;
    if (rc != 0) {
        if (log->directory >= 0)
            close(log->directory);
        free(log->files);
        free(log->waiting);
        free(log);
        return rc;
    }
    for (uint32_t session = 0; session < config->sessions_max; session++)
        log->files[session].fd = -1;
    *out = log;
    return 0;
}

int tl_fix_log_name(tl_fix_log *log, uint32_t session, const char *name)
{
    if (session >= log->config.sessions_max || strlen(name) + 16 > NAME_BYTES ||
        strchr(name, '/') != NULL || name[0] == 0 || name[0] == '.')
        return -EINVAL;
    snprintf(log->files[session].name, NAME_BYTES, "%s.log", name);
    return 0;
}

/* Files */

/* Keep the open files few: the one that was used longest ago goes. */
static void close_oldest(tl_fix_log *log)
{
    uint32_t *link = &log->first_open;
    while (log->files[*link - 1].next_open != 0)
        link = &log->files[*link - 1].next_open;
    log_file *file = &log->files[*link - 1];
    close(file->fd);
    file->fd = -1;
    *link = 0;
    log->open_count--;
}

static void to_front(tl_fix_log *log, uint32_t session)
{
    uint32_t *link = &log->first_open;
    while (*link != 0 && *link != session + 1)
        link = &log->files[*link - 1].next_open;
    if (*link != 0)
        *link = log->files[session].next_open;
    log->files[session].next_open = log->first_open;
    log->first_open = session + 1;
}

static bool open_file(tl_fix_log *log, uint32_t session)
{
    log_file *file = &log->files[session];
    struct stat found;
    if (file->fd < 0) {
        if (log->open_count == TL_FIX_LOG_OPEN_MAX)
            close_oldest(log);
        file->fd = openat(log->directory, file->name,
                          O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file->fd < 0)
            return false;
        log->open_count++;
        file->size = fstat(file->fd, &found) == 0 ? (uint64_t)found.st_size : 0;
    }
    to_front(log, session);
    return true;
}

/* NAME.log becomes NAME.log.1, that NAME.log.2, and so on; the last goes. */
static void rotate(tl_fix_log *log, log_file *file)
{
    char from[NAME_BYTES + 16], to[NAME_BYTES + 16];
    for (uint32_t n = log->config.keep; n > 0; n--) {
        snprintf(to, sizeof to, "%s.%u", file->name, n);
        snprintf(from, sizeof from, n > 1 ? "%s.%u" : "%s", file->name, n - 1);
        renameat(log->directory, from, log->directory, to);
    }
    if (log->config.keep == 0)
        unlinkat(log->directory, file->name, 0);
}

static void write_out(tl_fix_log *log, uint32_t session)
{
    log_file *file = &log->files[session];
    bool good = open_file(log, session);
    size_t at = 0;
    while (good && at < file->used) {
        const ssize_t put = write(file->fd, file->buffer + at, file->used - at);
        if (put > 0)
            at += (size_t)put;
        else if (put < 0 && errno != EINTR)
            good = false;
    }
    if (!good)
        log->lost += file->lines;
    file->size += at;
    free(file->buffer);
    file->buffer = NULL;
    file->used = file->lines = 0;
    if (file->fd >= 0 && file->size >= log->config.rotate_bytes) {
        rotate(log, file);
        close(file->fd);
        file->fd = openat(log->directory, file->name,
                          O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        file->size = 0;
        if (file->fd < 0) {
            file->fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* stays in the list of open ones */
            log->lost++;
        }
    }
}

static void forget_waiting(tl_fix_log *log, uint32_t at)
{
    log->waiting[at] = log->waiting[--log->waiting_count];
}

/* Room for so many bytes at the end of a session's lines; NULL: the line is lost. */
static char *room(tl_fix_log *log, uint32_t session, size_t bytes)
{
    if (session >= log->config.sessions_max || log->files[session].name[0] == 0 ||
        bytes > TL_FIX_LOG_BUFFER) {
        log->lost++;
        return NULL;
    }
    log_file *file = &log->files[session];
    if (file->used + bytes > TL_FIX_LOG_BUFFER) {
        for (uint32_t at = 0; at < log->waiting_count; at++)
            if (log->waiting[at] == session)
                forget_waiting(log, at);
        write_out(log, session);
    }
    if (file->buffer == NULL) {
        file->buffer = malloc(TL_FIX_LOG_BUFFER);
        if (file->buffer == NULL) {
            log->lost++;
            return NULL;
        }
        file->since_ns = 0;
        log->waiting[log->waiting_count++] = session;
    }
    return file->buffer + file->used;
}

/* Lines */

static char *escaped(char *at, unsigned char byte)
{
    static const char digits[16] = "0123456789abcdef";
    *at++ = '\\';
    *at++ = 'x';
    *at++ = digits[byte >> 4];
    *at++ = digits[byte & 15];
    return at;
}

/* Nothing but printable ASCII and separators? A loop without a branch: many bytes at a time. */
static bool is_plain(const char *bytes, size_t size)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        odd |= ((unsigned char)(byte - 0x20) > 0x7e - 0x20) & (byte != SOH);
    }
    return odd == 0;
}

static char *copied_plain(char *restrict at, const char *restrict bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = bytes[i] == SOH ? '|' : bytes[i];
    return at + size;
}

static char *copied(char *at, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if (__builtin_expect(byte >= 0x20 && byte < 0x7f, 1))
            *at++ = (char)byte;
        else if (byte == SOH)
            *at++ = '|';
        else
            at = escaped(at, byte);
    }
    return at;
}

/* The end of a secret that begins at `at`: nothing of it is written. */
static size_t secret_end(const char *bytes, size_t size, size_t at)
{
    const char *end = memchr(bytes + at, SOH, size - at);
    return end != NULL ? (size_t)(end - bytes) : size;
}

static bool begins(const char *bytes, size_t left, const char *text)
{
    const size_t width = strlen(text);
    return left >= width && memcmp(bytes, text, width) == 0;
}

/* A Logon with its secrets masked. RawData may hold separators: everything to the next field that
 * a Logon has after it would have to be guessed, so all that follows it is left out. */
static char *masked(char *at, const char *bytes, size_t size)
{
    size_t from = 0;
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && bytes[i - 1] != SOH)
            continue;
        const char *field = bytes + i;
        const bool raw = begins(field, size - i, "96=");
        if (!raw && !begins(field, size - i, "554=") && !begins(field, size - i, "925="))
            continue;
        const size_t value = i + (raw ? 3 : 4);
        at = copied(at, bytes + from, value - from);
        memcpy(at, "***", 3);
        at += 3;
        from = raw ? size : secret_end(bytes, size, value);
        i = from;
    }
    return copied(at, bytes + from, size - from);
}

static bool is_logon(const char *bytes, size_t size)
{
    const char *type = memmem(bytes, size < 64 ? size : 64, "\x01" "35=A\x01", 6);
    return type != NULL;
}

static char *head(char *at, int64_t utc_ns, char direction)
{
    at = tl_fix_write_time(at, utc_ns, 9);
    *at++ = ' ';
    *at++ = direction;
    *at++ = ' ';
    return at;
}

static void ended(tl_fix_log *log, uint32_t session, char *at)
{
    log_file *file = &log->files[session];
    *at++ = '\n';
    file->used = (size_t)(at - file->buffer);
    file->lines++;
}

void tl_fix_log_message(tl_fix_log *log, uint32_t session, int64_t utc_ns, char direction,
                        const char *bytes, size_t size)
{
    const size_t most = TL_FIX_LOG_BUFFER / 4 - LINE_HEAD;
    const size_t shown = size < most ? size : most; /* the rest of a very long one is left out */
    const bool logon = is_logon(bytes, shown), plain = !logon && is_plain(bytes, shown);
    char *at = room(log, session, LINE_HEAD + shown * (plain ? 1 : 4) + 16);
    if (at == NULL)
        return;
    at = head(at, utc_ns, direction);
    at = plain   ? copied_plain(at, bytes, shown)
         : logon ? masked(at, bytes, shown)
                 : copied(at, bytes, shown);
    if (shown < size) {
        memcpy(at, "...", 3);
        at += 3;
    }
    ended(log, session, at);
}

void tl_fix_log_note(tl_fix_log *log, uint32_t session, int64_t utc_ns, const char *text)
{
    const size_t size = strlen(text) < 512 ? strlen(text) : 512;
    char *at = room(log, session, LINE_HEAD + 4 * size);
    if (at == NULL)
        return;
    at = head(at, utc_ns, '-');
    ended(log, session, copied(at, text, size));
}

int64_t tl_fix_log_tick(tl_fix_log *log, int64_t mono_ns)
{
    int64_t next = INT64_MAX;
    for (uint32_t at = 0; at < log->waiting_count;) {
        log_file *file = &log->files[log->waiting[at]];
        if (file->since_ns == 0)
            file->since_ns = mono_ns;
        const int64_t due = file->since_ns + log->config.flush_ns;
        if (due <= mono_ns) {
            const uint32_t session = log->waiting[at];
            forget_waiting(log, at);
            write_out(log, session);
            continue;
        }
        next = due < next ? due : next;
        at++;
    }
    return next;
}

uint64_t tl_fix_log_lost(const tl_fix_log *log)
{
    return log->lost;
}

void tl_fix_log_close(tl_fix_log *log)
{
    if (log == NULL)
        return;
    while (log->waiting_count > 0) {
        const uint32_t session = log->waiting[0];
        forget_waiting(log, 0);
        write_out(log, session);
    }
    for (uint32_t session = 0; session < log->config.sessions_max; session++)
        if (log->files[session].fd >= 0)
            close(log->files[session].fd);
    close(log->directory);
    free(log->files);
    free(log->waiting);
    free(log);
}
