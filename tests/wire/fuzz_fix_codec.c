/* Mutated messages through framing, splitting, checking and the readers of text; what must hold of
 * every answer is checked. `fuzz_fix_codec [INPUTS [SEED [CORPUS]]]`; the same seed, the same
 * inputs. CORPUS is a directory of whole messages, one a file, to be mutated beside those below. */
#include "check.h"
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_text.h"

#include <dirent.h>

#define INPUT_MAX 4096
#define INPUTS 200000

static const char *const seeds[] = {
    "35=D|49=A|56=B|34=7|52=20260102-03:04:05.678|11=x|55=S|54=1|60=20260102-03:04:05|38=1|40=2|"
    "44=1.5|453=2|448=a|447=D|452=1|802=1|523=s|803=1|448=b|447=D|452=3|58=t|354=3|355=a|b|",
    "35=A|49=A|56=B|34=1|52=20260102-03:04:05|98=0|108=30|95=7|96=a|141=N|141=Y|553=u|554=p|",
    "35=2|49=A|56=B|34=9223372036854775807|52=20260102-03:04:05|7=1|16=0|",
    "35=V|49=A|56=B|34=3|52=20260102-03:04:05|262=r|263=1|264=1|267=2|269=0|269=1|146=1|55=S|",
    "35=D|49=A|56=B|34=2|52=20260102-03:04:05|212=5|213=<|38=|627=1|628=h|11=x|55=S|54=1|"
    "18=1 6|60=20260102-03:04:05|38=1|40=1|5001=u|1128=9|",
    /* plain ones, for what is remembered of a message */
    "35=D|49=A|56=B|34=8|52=20260102-03:04:05.678|11=y-1|1=a|55=S|54=1|"
    "60=20260102-03:04:05.678|38=100|40=2|44=10.50|59=0|",
    "35=D|34=9|49=A|52=20260102-03:04:06.001|56=B|11=y-2|21=1|38=100|40=2|44=10.5|54=2|55=S|"
    "60=20260102-03:04:06.001|",
    "35=F|49=A|56=B|34=10|52=20260102-03:04:05.678|11=z|41=y-1|55=S|54=1|"
    "60=20260102-03:04:05.678|",
};
static const char *const tokens[] = {"-1", "0", "=", "|", "2147483648", "18446744073709551616",
                                     "|95=", "|96=", "|453=", "|448=", "|10=000|", "8=FIX.4.4|9=",
                                     "|0011=", "|99999=x|", "\xC3", "|802=3|", "|35=D|",
                                     "|141=Y|", "|212=-1|213=x|", "|354=100000000|355=x|"};

static tl_fix_message message, slow;

static size_t insert(char *text, size_t size, size_t at, const char *added)
{
    size_t length = strlen(added);
    if (size + length > INPUT_MAX)
        return size;
    memmove(text + at + length, text + at, size - at);
    memcpy(text + at, added, length);
    return size + length;
}

static size_t mutate(char *text, size_t size, uint64_t *random)
{
    uint64_t kind = random_next(random) % 6;
    size_t at = random_next(random) % (size + 1), length = random_next(random) % 24;
    if (kind == 0 && at < size)
        text[at] = (char)random_next(random);
    if (kind == 1 && at < size)
        text[at] = (char)('0' + random_next(random) % 10);
    if (kind == 2)
        return insert(text, size, at,
                      tokens[random_next(random) % (sizeof tokens / sizeof *tokens)]);
    if (length > size - at)
        length = size - at;
    if (kind == 3) {
        memmove(text + at, text + at + length, size - at - length);
        return size - length;
    }
    if (kind == 4 && size + length <= INPUT_MAX) { /* a piece once more, somewhere else */
        char piece[24];
        memcpy(piece, text + at, length);
        size_t to = random_next(random) % (size + 1);
        memmove(text + to + length, text + to, size - to);
        memcpy(text + to, piece, length);
        return size + length;
    }
    return size;
}

/* The quick way of splitting comes to what the slow one does. */
static void check_same(const tl_fix_dialect *dialect, const char *bytes, size_t size, int rc)
{
    CHECK(tl_fix_parse_slowly(&slow, dialect, bytes, size) == rc);
    if (rc != 0)
        return;
    CHECK(memcmp(&message, &slow, offsetof(tl_fix_message, shape)) == 0);
    CHECK(memcmp(message.fields, slow.fields, message.count * sizeof *message.fields) == 0);
    for (uint32_t tag = 0; tag < TL_FIX_LOW_TAGS; tag++)
        CHECK(!tl_fix_has_low(&message, tag) || message.place[tag] == slow.place[tag]);
}

static void check_parsed(const tl_fix_dialect *dialect, const char *bytes, size_t size)
{
    tl_fix_verdict verdict = tl_fix_check(&message, dialect);
    CHECK(verdict.reason == -1 || (verdict.reason <= 16 && *verdict.text != '\0'));
    CHECK(message.malformed == UINT32_MAX || verdict.reason == message.malformed_reason);
    size_t end = 0;
    static const char ticks[][5] = {"0.01", "1", "0.05"};
    tl_fix_unit unit;
    CHECK(tl_fix_read_unit(ticks[size % 3], strlen(ticks[size % 3]), &unit));
    for (uint32_t i = 0; i < message.count; i++) {
        const tl_fix_field *field = &message.fields[i];
        CHECK(field->at > end && field->at + field->size < size);
        CHECK(bytes[field->at - 1] == '=' && bytes[field->at + field->size] == TL_FIX_SOH);
        end = field->at + field->size;
        const tl_fix_field *found = tl_fix_find(&message, field->tag);
        CHECK(found == NULL || found->tag == field->tag);
        int64_t number;
        char text[64];
        const char *value = tl_fix_value(&message, field);
        if (tl_fix_read_units(value, field->size, &unit, &number) == TL_FIX_NUMBER_GOOD) {
            char *stop = tl_fix_write_units(text, number, &unit);
            int64_t again;
            CHECK(tl_fix_read_units(text, (size_t)(stop - text), &unit, &again) == 0);
            CHECK(again == number);
        }
        if (tl_fix_read_time(value, field->size, &number))
            tl_fix_write_time(text, number, 9);
        const tl_fix_field *first;
        uint32_t fields;
        for (bool more = tl_fix_group(&message, dialect, field->tag, 0, &first, &fields); more;
             more = tl_fix_group_next(&message, &first, &fields))
            CHECK(fields > 0 && first + fields <= message.fields + message.count);
    }
}

/* All of a stream; every message is split in each dialect. */
static void try_input(const char *given, size_t count)
{
    static const char *const begin_strings[] = {"FIX.4.2", "FIX.4.4", "FIXT.1.1"};
    char *bytes = malloc(count + 1); /* so that a read past the end is seen */
    CHECK(bytes != NULL);
    if (count > 0)
        memcpy(bytes, given, count);
    size_t at = 0;
    for (;;) {
        tl_fix_frame frame = tl_fix_find_message(bytes + at, count - at, INPUT_MAX);
        CHECK(frame.skip + frame.size <= count - at);
        at += frame.skip;
        if (frame.framing != TL_FIX_FRAME_WHOLE)
            break;
        CHECK(frame.size > 0);
        for (size_t i = 0; i < 3; i++) {
            const tl_fix_dialect *dialect = tl_fix_dialect_find(begin_strings[i], "9");
            int rc = tl_fix_parse(&message, dialect, bytes + at, frame.size);
            check_same(dialect, bytes + at, frame.size, rc);
            if (rc == 0)
                check_parsed(dialect, bytes + at, frame.size);
        }
        at += frame.size;
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_input((const char *)data, size);
    return 0;
}

#ifndef TOUCHLINE_LIBFUZZER
#define CORPUS_MAX 1024

static char *corpus[CORPUS_MAX];
static size_t corpus_count;

/* The body of the message in a file, with '|' for SOH. */
static void add_seed(const char *directory, const char *name)
{
    char path[1024], bytes[INPUT_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    size_t size = fread(bytes, 1, sizeof bytes, file), from = 0;
    fclose(file);
    for (int fields = 0; fields < 2; from++) { /* behind BodyLength(9) */
        CHECK(from < size);
        fields += bytes[from] == TL_FIX_SOH;
    }
    CHECK(size >= from + 7 && size < sizeof bytes && corpus_count < CORPUS_MAX);
    size -= from + 7; /* before CheckSum(10) */
    char *body = malloc(size + 1);
    CHECK(body != NULL);
    for (size_t i = 0; i < size; i++)
        body[i] = bytes[from + i] == TL_FIX_SOH || bytes[from + i] == '\0' ? '|' : bytes[from + i];
    body[size] = '\0';
    corpus[corpus_count++] = body;
}

static void read_corpus(const char *directory)
{
    struct dirent **files; /* in order: the same inputs everywhere */
    const int count = scandir(directory, &files, NULL, alphasort);
    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        if (files[i]->d_name[0] != '.')
            add_seed(directory, files[i]->d_name);
        free(files[i]);
    }
    free(files);
}

static void try_mutation(uint64_t *random)
{
    static const char *const begin_strings[] = {"FIX.4.2", "FIX.4.4", "FIXT.1.1"};
    char body[INPUT_MAX + 1], stream[INPUT_MAX + 64];
    const size_t own = sizeof seeds / sizeof *seeds;
    const size_t which = random_next(random) % (own + corpus_count);
    const char *seed = which < own ? seeds[which] : corpus[which - own];
    size_t size = strlen(seed);
    memcpy(body, seed, size);
    for (uint64_t i = random_next(random) % 6; i > 0; i--)
        size = mutate(body, size, random);
    for (size_t i = 0; i < size; i++)
        if (body[i] == '|')
            body[i] = TL_FIX_SOH;
    size_t head = (size_t)sprintf(stream, "8=%s\x01" "9=%zu\x01",
                                  begin_strings[random_next(random) % 3], size);
    memcpy(stream + head, body, size);
    size += head;
    size += (size_t)sprintf(stream + size, "10=%03u\x01", tl_fix_checksum(stream, size));
    if (random_next(random) % 8 == 0 && size < INPUT_MAX)
        size = mutate(stream, size, random);
    try_input(stream, size);
}

int main(int count, char **arguments)
{
    uint64_t inputs = count > 1 ? strtoull(arguments[1], NULL, 10) : INPUTS;
    uint64_t random = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    if (count > 3)
        read_corpus(arguments[3]);
    for (uint64_t i = 0; i < inputs; i++)
        try_mutation(&random);
    for (size_t i = 0; i < corpus_count; i++)
        free(corpus[i]);
    printf("%llu inputs\n", (unsigned long long)inputs);
    return 0;
}
#endif
