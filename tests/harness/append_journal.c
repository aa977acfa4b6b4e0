/* Commands into a journal as they are, past the gate that would refuse some of them: what journals
 * from before the gate hold, and long journals in seconds.
 *
 *   append_journal DIR SEGMENT_BYTES CAPACITY... < 64-byte commands
 *
 * Numbers and checksums are given here. A time of 0 becomes that of the command before; other times
 * stay. The journal is made when there is none.
 */
#include "touchline/runtime/journal.h"

#include <stdio.h>
#include <stdlib.h>

#define AT_ONCE 4096u

static int fail(const tl_journal_fault *fault)
{
    fprintf(stderr, "%s: %s\n", fault->path, fault->text);
    return 1;
}

static int append(tl_journal *journal, int64_t last_ns, tl_journal_fault *fault)
{
    static tl_command batch[AT_ONCE];
    size_t count;
    while ((count = fread(batch, sizeof *batch, AT_ONCE, stdin)) > 0)
        for (size_t i = 0; i < count; i++) {
            if (tl_journal_reserve(journal, 1, last_ns, fault) < 1)
                return fail(fault);
            if (batch[i].ts_ns == 0)
                batch[i].ts_ns = last_ns;
            last_ns = batch[i].ts_ns;
            batch[i].seq = tl_journal_seq_next(journal);
            tl_journal_append(journal, &batch[i]);
        }
    return 0;
}

int main(int argc, char **argv)
{
    tl_journal_fault fault = {0};
    tl_journal_config config = {.now_ns = 1, .avoid_cpu = -1};
    if (argc != 3 + TL_JOURNAL_CAPACITIES)
        return 2;
    config.dir = argv[1];
    config.segment_bytes = strtoull(argv[2], NULL, 10);
    for (int i = 0; i < TL_JOURNAL_CAPACITIES; i++)
        config.capacities[i] = (uint32_t)strtoul(argv[3 + i], NULL, 10);
    tl_journal *journal;
    if (tl_journal_open(&journal, &config, &fault) != 0)
        return fail(&fault);
    const tl_command *first;
    int64_t count, last_ns = config.now_ns;
    while ((count = tl_journal_recover(journal, &first, AT_ONCE, &fault)) > 0)
        last_ns = first[count - 1].ts_ns;
    const int code = count < 0 ? fail(&fault) : append(journal, last_ns, &fault);
    tl_journal_close(journal);
    return code;
}
