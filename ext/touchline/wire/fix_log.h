/* The message log: what each session received and sent, a line each, for people and grep.
 *
 *   LOG_DIR/BROKER1.log      20261129-05:53:26.123456789 < 8=FIX.4.4|9=63|35=A|...|554=***|10=001|
 *   LOG_DIR/BROKER1.log.1    the one before, of at most `keep`
 *
 * `<` came in, `>` went out, `-` says what happened. Fields are separated by |; a byte that is no
 * printable character of ASCII is written \xNN, so that no message can forge a line.
 * Passwords (554, 925, and 96 of a Logon) are ***. It is no truth of anything: lines are collected
 * and written some at a time, and what the disk does not take is counted and gone. Belongs to one
 * thread. Few files are open at a time, however many sessions there are.
 */
#ifndef TOUCHLINE_FIX_LOG_H
#define TOUCHLINE_FIX_LOG_H

#include <stddef.h>
#include <stdint.h>

#define TL_FIX_LOG_OPEN_MAX 64u
#define TL_FIX_LOG_BUFFER 65536u

typedef struct tl_fix_log tl_fix_log;

typedef struct tl_fix_log_config {
    uint32_t sessions_max;
    uint64_t rotate_bytes; /* a file that is larger is put aside */
    uint32_t keep;         /* files put aside that stay */
    int64_t flush_ns;      /* a line waits at most so long, if tl_fix_log_tick is called */
} tl_fix_log_config;

/* 0 or -errno; the directory must be there. */
int tl_fix_log_open(tl_fix_log **out, const char *directory, const tl_fix_log_config *config);
/* Writes what waits. */
void tl_fix_log_close(tl_fix_log *log);
/* The file of a session is called `name` and .log; before its first line. 0, -EINVAL, -ENOMEM. */
int tl_fix_log_name(tl_fix_log *log, uint32_t session, const char *name);
void tl_fix_log_message(tl_fix_log *log, uint32_t session, int64_t utc_ns, char direction,
                        const char *bytes, size_t size);
void tl_fix_log_note(tl_fix_log *log, uint32_t session, int64_t utc_ns, const char *text);
/* Write what has waited long enough. When it is to be called again; INT64_MAX: no line waits. */
int64_t tl_fix_log_tick(tl_fix_log *log, int64_t mono_ns);
/* Lines that the disk did not take. */
uint64_t tl_fix_log_lost(const tl_fix_log *log);

#endif
