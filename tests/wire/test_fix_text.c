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

int main(void)
{
    texts_are_cut_between_characters();
    decimals_are_read_exactly();
    units_are_bounded();
    units_are_written_with_the_decimals_of_the_tick();
    averages_end_or_are_rounded_half_to_even();
    times_go_both_ways();
    return 0;
}
