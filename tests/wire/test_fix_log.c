/* The message log: lines nobody can forge, secrets nobody can read, files that stay few. */
#define _GNU_SOURCE
#include "touchline/wire/fix_log.h"
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOH "\x01"
#define NOON INT64_C(1795953600123456789) /* 2026-11-29 12:00:00.123456789 UTC */

static char directory[] = "/tmp/fix-log-XX" "XX" "XX";
static const tl_fix_log_config usual = {300, 1 << 20, 2, 1000};

static tl_fix_log *opened(const tl_fix_log_config *config)
{
    tl_fix_log *log;
    CHECK(tl_fix_log_open(&log, directory, config) == 0);
    CHECK(tl_fix_log_name(log, 0, "B") == 0);
    return log;
}

static const char *content(const char *name)
{
    static char bytes[1 << 16];
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    const int fd = open(path, O_RDONLY);
    if (fd < 0)
        return "";
    const ssize_t got = read(fd, bytes, sizeof bytes - 1);
    close(fd);
    CHECK(got >= 0);
    bytes[got] = 0;
    return bytes;
}

static void clean(void)
{
    struct dirent *entry;
    DIR *found = opendir(directory);
    while ((entry = readdir(found)) != NULL)
        unlinkat(dirfd(found), entry->d_name, 0);
    closedir(found);
}

static void say(tl_fix_log *log, uint32_t session, const char *text)
{
    tl_fix_log_message(log, session, NOON, '<', text, strlen(text));
}

static void a_message_is_a_line_that_no_other_can_forge(void)
{
    tl_fix_log *log = opened(&usual);
    say(log, 0, "8=FIX.4.4" SOH "35=D" SOH "58=a\n20261129 > 35=8\r\x7f\xc3\\" SOH);
    tl_fix_log_note(log, 0, NOON, "logged on");
    tl_fix_log_close(log);
    CHECK(strcmp(content("B.log"),
                 "20261129-12:00:00.123456789 < 8=FIX.4.4|35=D|58=a\\x0a20261129 > 35=8\\x0d\\x7f"
                 "\\xc3\\|\n20261129-12:00:00.123456789 - logged on\n") == 0);
    clean();
}

static void secrets_of_a_logon_are_masked(void)
{
    tl_fix_log *log = opened(&usual);
    say(log, 0, "8=FIX.4.4" SOH "35=A" SOH "554=sesame" SOH "925=new" SOH "98=0" SOH);
    say(log, 0, "8=FIX.4.2" SOH "35=A" SOH "95=9" SOH "96=ses" SOH "554=x" SOH "10=000" SOH);
    say(log, 0, "8=FIX.4.4" SOH "35=A" SOH "554=cut");
    tl_fix_log_close(log);
    const char *found = content("B.log");
    CHECK(strstr(found, "35=A|554=***|925=***|98=0|\n") != NULL);
    CHECK(strstr(found, "95=9|96=***\n") != NULL);
    CHECK(strstr(found, "ses") == NULL && strstr(found, "cut") == NULL);
    clean();
}

/* However many bytes are looked at at a time. */
static void every_byte_is_written_by_its_rule_wherever_it_stands(void)
{
    for (int byte = 0; byte < 256; byte++) {
        char bytes[48], expected[128] = "20261129-12:00:00.123456789 < ";
        const int place = byte % (int)sizeof bytes;
        char *at = expected + strlen(expected);
        memset(bytes, 'x', sizeof bytes);
        bytes[place] = (char)byte;
        memset(at, 'x', (size_t)place);
        at += place;
        at += sprintf(at, byte == 1 ? "|" : byte < 0x20 || byte > 0x7e ? "\\x%02x" : "%c", byte);
        memset(at, 'x', sizeof bytes - 1 - (size_t)place);
        strcpy(at + sizeof bytes - 1 - (size_t)place, "\n");
        tl_fix_log *log = opened(&usual);
        tl_fix_log_message(log, 0, NOON, '<', bytes, sizeof bytes);
        tl_fix_log_close(log);
        CHECK(strcmp(content("B.log"), expected) == 0);
        clean();
    }
}

/* A mask is longer than what it hides. */
static void a_logon_of_empty_secrets_finds_room(void)
{
    static char bytes[1 << 14];
    tl_fix_log *log = opened(&usual);
    for (int i = 0; i < 3; i++) {
        char *at = stpcpy(bytes, "8=FIX.4.4" SOH "35=A" SOH);
        while (at + 5 < bytes + sizeof bytes)
            at = stpcpy(at, "554=" SOH);
        tl_fix_log_message(log, 0, NOON, '<', bytes, (size_t)(at - bytes));
    }
    tl_fix_log_close(log);
    CHECK(strstr(content("B.log"), "35=A|554=***|554=***|") != NULL);
    clean();
}

static void files_rotate_and_stay_few(void)
{
    const tl_fix_log_config small = {4, 4096, 2, 0};
    tl_fix_log *log = opened(&small);
    for (int i = 0; i < 1000; i++) {
        say(log, 0, "8=FIX.4.4" SOH "9=5" SOH "35=0" SOH "10=163" SOH);
        tl_fix_log_tick(log, i + 1);
    }
    tl_fix_log_close(log);
    CHECK(strlen(content("B.log.1")) >= 4096 && strlen(content("B.log.1")) < 5000);
    CHECK(strlen(content("B.log.2")) >= 4096);
    CHECK(content("B.log.3")[0] == 0);
    clean();
}

static void many_sessions_need_few_descriptors(void)
{
    tl_fix_log *log = opened(&usual);
    char name[16];
    for (uint32_t session = 0; session < 600; session++) {
        snprintf(name, sizeof name, "S%u", session % 300);
        CHECK(tl_fix_log_name(log, session % 300, name) == 0);
        say(log, session % 300, "8=FIX.4.4" SOH);
        tl_fix_log_tick(log, 1);
        CHECK(tl_fix_log_tick(log, INT64_C(1) << 40) == INT64_MAX);
    }
    const int next = open("/dev/null", O_RDONLY);
    CHECK(next >= 0 && next < 100);
    close(next);
    CHECK(tl_fix_log_lost(log) == 0);
    tl_fix_log_close(log);
    CHECK(strlen(content("S299.log")) == 2 * strlen("20261129-12:00:00.123456789 < 8=FIX.4.4|\n"));
    clean();
}

static void what_can_not_be_written_is_counted(void)
{
    tl_fix_log *log = opened(&usual);
    char path[128];
    CHECK(tl_fix_log_name(log, 1, "../B") == -EINVAL && tl_fix_log_name(log, 1, "") == -EINVAL);
    CHECK(tl_fix_log_name(log, 300, "B") == -EINVAL);
    say(log, 5, "8=FIX.4.4" SOH); /* has no name */
    say(log, 500, "8=FIX.4.4" SOH);
    CHECK(tl_fix_log_lost(log) == 2);
    snprintf(path, sizeof path, "%s/B.log", directory);
    CHECK(symlink("/dev/full", path) == 0);
    say(log, 0, "8=FIX.4.4" SOH);
    tl_fix_log_tick(log, 1);
    tl_fix_log_tick(log, INT64_C(1) << 40);
    CHECK(tl_fix_log_lost(log) == 3);
    tl_fix_log_close(log);
    clean();
}

static void a_long_message_is_cut_and_says_so(void)
{
    static char bytes[1 << 16];
    tl_fix_log *log = opened(&usual);
    for (int i = 0; i < 9; i++) {
        memset(bytes, i < 8 ? 'x' : 2, sizeof bytes);
        tl_fix_log_message(log, 0, NOON, '<', bytes, sizeof bytes);
    }
    tl_fix_log_close(log);
    CHECK(strstr(content("B.log"), "xxx...\n") != NULL);
    clean();
}

int main(void)
{
    CHECK(mkdtemp(directory) != NULL);
    a_message_is_a_line_that_no_other_can_forge();
    secrets_of_a_logon_are_masked();
    every_byte_is_written_by_its_rule_wherever_it_stands();
    a_logon_of_empty_secrets_finds_room();
    files_rotate_and_stay_few();
    many_sessions_need_few_descriptors();
    what_can_not_be_written_is_counted();
    a_long_message_is_cut_and_says_so();
    CHECK(rmdir(directory) == 0);
    return 0;
}
