/* What the fuzzers of binary formats share where libFuzzer is not: inputs that are mutated by seed,
 *
 *     fuzz_NAME [INPUTS [SEED [FOLDER]]]
 *
 * the same seed, the same inputs. With FOLDER they are written there, each a file, as a start for
 * libFuzzer, and not tried. */
#ifndef TOUCHLINE_TEST_FUZZ_H
#define TOUCHLINE_TEST_FUZZ_H

#include "check.h"

typedef size_t fuzz_begin(uint8_t *bytes, uint64_t *random);
typedef void fuzz_try(const uint8_t *bytes, size_t size);

static size_t fuzz_mutate(uint8_t *bytes, size_t size, size_t room, uint64_t *random)
{
    const size_t at = 1 + random_next(random) % size, length = random_next(random) % 32;
    switch (random_next(random) % 4) {
    case 0:
        if (at < size)
            bytes[at] = (uint8_t)random_next(random);
        return size;
    case 1:
        if (at < size)
            bytes[at] = (uint8_t)(bytes[at] + 3 - random_next(random) % 6);
        return size;
    case 2: /* cut */
        return at < size ? at : size;
    default: /* a piece once more */
        if (at + length > size || size + length > room)
            return size;
        memmove(bytes + at + length, bytes + at, size - at);
        return size + length;
    }
}

static void fuzz_write(const char *folder, uint64_t number, const uint8_t *bytes, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%llu", folder, (unsigned long long)number);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static int fuzz_main(int count, char **arguments, uint64_t inputs, size_t room, fuzz_begin *begin,
                     fuzz_try *try_input)
{
    uint64_t random = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    uint8_t *bytes = malloc(room);
    CHECK(bytes != NULL);
    inputs = count > 1 ? strtoull(arguments[1], NULL, 10) : inputs;
    for (uint64_t i = 0; i < inputs; i++) {
        size_t size = begin(bytes, &random);
        for (uint64_t j = random_next(&random) % 5; j > 0; j--)
            size = fuzz_mutate(bytes, size, room, &random);
        if (count > 3)
            fuzz_write(arguments[3], i, bytes, size);
        else
            try_input(bytes, size);
    }
    free(bytes);
    printf("%llu inputs\n", (unsigned long long)inputs);
    return 0;
}

#endif
