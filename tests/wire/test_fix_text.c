/* Numbers and times in FIX's texts, both ways. */
#include "check.h"
#include "touchline/wire/fix_text.h"

static tl_fix_unit unit_of(const char *text)
{
    tl_fix_unit unit;
    CHECK(tl_fix_read_unit(text, strlen(text), &unit));
    return unit;
}

static void reads(const char *text, const char *tick, tl_fix_number_fault fault, int64_t expected)
{
    tl_fix_unit unit = unit_of(tick);
    int64_t units = 0;
    CHECK(tl_fix_read_units(text, strlen(text), &unit, &units) == fault);
    CHECK(units == expected);
}

static void decimals_are_read_exactly(void)
{
    reads("-10.5", "0.05", TL_FIX_NUMBER_GOOD, -210);
    reads("10.500000000000000000000000000000000", "0.05", TL_FIX_NUMBER_GOOD, 210);
    reads("0000000000000000000000000000000000000000000000007", "1", TL_FIX_NUMBER_GOOD, 7);
    reads(".5", "0.5", TL_FIX_NUMBER_GOOD, 1);
    reads("5.", "1", TL_FIX_NUMBER_GOOD, 5);
    reads("-0.0", "1", TL_FIX_NUMBER_GOOD, 0);
    reads("10.51", "0.05", TL_FIX_NUMBER_STEP, 0);
    reads("10.0000000000000000000000000001", "0.05", TL_FIX_NUMBER_STEP, 0);
    reads("5", "10", TL_FIX_NUMBER_STEP, 0);
    reads("9223372036854775807", "1", TL_FIX_NUMBER_GOOD, INT64_MAX);
    reads("9223372036854775808", "1", TL_FIX_NUMBER_RANGE, 0);
    reads("92233720368547758.07", "0.01", TL_FIX_NUMBER_GOOD, INT64_MAX);
    reads("99999999999999999999999999999999999999999999999999999", "1", TL_FIX_NUMBER_RANGE, 0);
    const char *texts[] = {"", "-", ".", "-.", "+1", "1e5", " 1", "1 ", "1.2.3", "0x1", "--1",
                           "NaN"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        reads(texts[i], "1", TL_FIX_NUMBER_TEXT, 0);
}

static void units_are_bounded(void)
{
    const char *texts[] = {"", "0", "0.00", "-1", "1000000000000000000", "0.0000000000000000001"};
    tl_fix_unit unit;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!tl_fix_read_unit(texts[i], strlen(texts[i]), &unit));
    unit = unit_of("0.000000000000000001");
    CHECK(unit.digits == 1 && unit.decimals == 18);
}

static void writes(const char *expected, int64_t units, const char *tick)
{
    char text[64];
    tl_fix_unit unit = unit_of(tick);
    *tl_fix_write_units(text, units, &unit) = '\0';
    CHECK(strcmp(text, expected) == 0);
}

static void units_are_written_with_the_decimals_of_the_tick(void)
{
    writes("10.00", 200, "0.05");
    writes("-0.05", -1, "0.05");
    writes("0.00", 0, "0.05");
    writes("-9223372036854775808", INT64_MIN, "1");
    writes("9.223372036854775807", INT64_MAX, "0.000000000000000001");
    writes("9223372036854775797776627963145224193", INT64_MAX, "999999999999999999");
}

static void averages(const char *expected, __int128 notional, uint64_t qty, const char *tick)
{
    char text[96];
    tl_fix_unit unit = unit_of(tick);
    *tl_fix_write_average(text, notional, qty, &unit) = '\0';
    if (strcmp(text, expected) != 0)
        fprintf(stderr, "%s, not %s\n", text, expected);
    CHECK(strcmp(text, expected) == 0);
}

static void averages_end_or_are_rounded_half_to_even(void)
{
    averages("0", 0, 0, "0.05");
    averages("10.00", 400, 2, "0.05");
    averages("0.025", 1, 2, "0.05");
    averages("3.3333333333", 200, 3, "0.05");
    averages("-3.3333333333", -200, 3, "0.05");
    averages("0.66666667", 2, 3, "1");
    averages("0.1", 1, 10, "1");
    averages("0", 1, 1000000000, "1");
    averages("0", -1, 1000000000, "1");
    averages("0", 1, 200000000, "1");
    averages("0.00000002", 3, 200000000, "1");
    averages("1", 999999999, 1000000000, "1");
}

static void time_is(const char *text, int64_t ts_ns, int decimals)
{
    int64_t read;
    char written[40];
    CHECK(tl_fix_read_time(text, strlen(text), &read) && read == ts_ns);
    *tl_fix_write_time(written, ts_ns, decimals) = '\0';
    CHECK(strcmp(written, text) == 0);
}

static void times_go_both_ways(void)
{
    time_is("19700101-00:00:00", 0, 0);
    time_is("20260102-03:04:05.678", INT64_C(1767323045678000000), 3);
    time_is("20240229-23:59:59.999999", INT64_C(1709251199999999000), 6);
    time_is("19691231-23:59:59.999999999", -1, 9);
    const char *texts[] = {"20260230-00:00:00", "20250229-00:00:00", "20261301-00:00:00",
                           "20260101-24:00:00", "20260101-00:60:00", "20260101-00:00:61",
                           "20260101-00:00:00.", "20260101-00:00:00.12", "20260101 00:00:00",
                           "20260101", "", "2026010a-00:00:00", "99991231-00:00:00"};
    int64_t ts_ns;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!tl_fix_read_time(texts[i], strlen(texts[i]), &ts_ns));
    CHECK(tl_fix_read_time("20161231-23:59:60", 17, &ts_ns));
    CHECK(ts_ns == INT64_C(1483228800000000000));
}

static void texts_are_cut_between_characters(void)
{
    const char *text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
    const size_t sizes[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < sizeof sizes / sizeof *sizes; max++)
        CHECK(tl_fix_whole_characters(text, strlen(text), max) == sizes[max]);
    CHECK(tl_fix_printable(text, strlen(text)) && tl_fix_printable("", 0));
    CHECK(!tl_fix_printable("a\tb", 3) && !tl_fix_printable("\x7f", 1));
    CHECK(!tl_fix_printable("x\xc2\x85", 3) && tl_fix_printable("x\xc2\xa0", 3));
}

/* A time is one for is_time if and only if it is one to be read: every byte of one, changed. */
static void a_time_is_one_or_is_not(void)
{
    const char *texts[] = {"20240229-23:59:59.999", "20261231-00:00:00",
                           "20160630-19:30:60.000000"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t size = 0; size <= strlen(texts[i]); size++)
            for (size_t at = 0; at < size; at++)
                for (int byte = 0; byte < 256; byte++) {
                    char *text = malloc(size); /* so that a read past the end is seen */
                    CHECK(text != NULL);
                    memcpy(text, texts[i], size);
                    text[at] = (char)byte;
                    int64_t days, ns;
                    bool is = size > 9 && text[8] == '-' && tl_fix_read_date(text, 8, &days) &&
                              tl_fix_read_time_of_day(text + 9, size - 9, &ns);
                    CHECK(tl_fix_is_time(text, size) == is);
                    CHECK(size < 8 || tl_fix_is_date(text, 8) == tl_fix_read_date(text, 8, &days));
                    free(text);
                }
}

static void number_is(uint64_t number)
{
    char written[32], expected[32];
    *tl_fix_write_uint(written, number) = '\0';
    sprintf(expected, "%llu", (unsigned long long)number);
    CHECK(strcmp(written, expected) == 0);
}

static void numbers_of_every_length_are_written(void)
{
    number_is(0);
    number_is(UINT64_MAX);
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= 10)
        for (uint64_t near = 0; near < 3; near++)
            number_is(power - 1 + near);
    for (int bit = 0; bit < 64; bit++)
        for (uint64_t near = 0; near < 3; near++)
            number_is((UINT64_C(1) << bit) - 1 + near);
}

/* Of every size and place, so that whole sixteens and what is left of them are met. */
static void checksums_are_sums(void)
{
    for (size_t size = 0; size < 80; size++) {
        char *bytes = malloc(size + 1);
        CHECK(bytes != NULL);
        uint8_t sum = 0;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (char)(i * 37 + size * 101 + 200);
            sum = (uint8_t)(sum + (unsigned char)bytes[i]);
        }
        CHECK(tl_fix_checksum(bytes, size) == sum);
        free(bytes);
    }
}

int main(void)
{
    texts_are_cut_between_characters();
    a_time_is_one_or_is_not();
    numbers_of_every_length_are_written();
    checksums_are_sums();
    decimals_are_read_exactly();
    units_are_bounded();
    units_are_written_with_the_decimals_of_the_tick();
    averages_end_or_are_rounded_half_to_even();
    times_go_both_ways();
    return 0;
}
