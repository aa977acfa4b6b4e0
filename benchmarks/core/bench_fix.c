/* What FIX's bytes cost: an order framed, split and checked, and a report's body written.
 *
 *   bytes ─ tl_fix_find_message ─ tl_fix_parse ─ tl_fix_check ─► a NewOrderSingle of FIX 4.4
 *   numbers ─ tl_fix_put_... ─► the body of an ExecutionReport
 *
 * One message again and again, in cache: the codec's own cost. Both results are checked. */
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 9
#define REPEATS 200000
#define TS_NS INT64_C(1767323045678000000)

static tl_fix_message message;
static const tl_fix_unit tick = {5, 2}, lot = {1, 0};

static void fail(const char *what)
{
    fprintf(stderr, "bench_fix: %s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static size_t write_order(char *at)
{
    static const char body[] = "35=D\x01" "49=BROKER01\x01" "56=TOUCHLINE\x01" "34=123456\x01"
                               "52=20260102-03:04:05.678\x01" "11=ORDER-00012345\x01" "1=ACC1\x01"
                               "55=ABC\x01" "54=1\x01" "60=20260102-03:04:05.678\x01" "38=100\x01"
                               "40=2\x01" "44=10.50\x01" "59=0\x01";
    size_t size = (size_t)sprintf(at, "8=FIX.4.4\x01" "9=%zu\x01%s", sizeof body - 1, body);
    return size + (size_t)sprintf(at + size, "10=%03u\x01", tl_fix_checksum(at, size));
}

static void read_order(const char *bytes, size_t size, const tl_fix_dialect *dialect)
{
    tl_fix_frame frame = tl_fix_find_message(bytes, size, 8192);
    if (frame.framing != TL_FIX_FRAME_WHOLE || frame.size != size ||
        tl_fix_parse(&message, dialect, bytes, size) != 0 ||
        tl_fix_check(&message, dialect).reason != -1 || message.msg_seq_num != 123456)
        fail("the order was not understood");
}

static size_t write_report(char *text, uint64_t order_id)
{
    char *at = text;
    at = tl_fix_put_text(at, 11, "ORDER-00012345", 14);
    at = tl_fix_put_uint(at, 37, order_id);
    at = tl_fix_put_uint(at, 17, order_id + 1);
    at = tl_fix_put_char(at, 150, 'F');
    at = tl_fix_put_char(at, 39, '1');
    at = tl_fix_put_text(at, 1, "ACC1", 4);
    at = tl_fix_put_text(at, 55, "ABC", 3);
    at = tl_fix_put_char(at, 54, '1');
    at = tl_fix_put_units(at, 38, 100, &lot);
    at = tl_fix_put_char(at, 40, '2');
    at = tl_fix_put_char(at, 59, '0');
    at = tl_fix_put_units(at, 151, 60, &lot);
    at = tl_fix_put_units(at, 14, 40, &lot);
    memcpy(at, "6=", 2);
    at = tl_fix_write_average(at + 2, 210 * 40, 40, &tick);
    *at++ = TL_FIX_SOH;
    at = tl_fix_put_units(at, 44, 210, &tick);
    at = tl_fix_put_units(at, 32, 40, &lot);
    at = tl_fix_put_units(at, 31, 210, &tick);
    at = tl_fix_put_time(at, 60, TS_NS, 3);
    return (size_t)(at - text);
}

int main(void)
{
    static const char expected[] = "11=ORDER-00012345\x01" "37=7\x01" "17=8\x01" "150=F\x01"
                                   "39=1\x01" "1=ACC1\x01" "55=ABC\x01" "54=1\x01" "38=100\x01"
                                   "40=2\x01" "59=0\x01" "151=60\x01" "14=40\x01" "6=10.50\x01"
                                   "44=10.50\x01" "32=40\x01" "31=10.50\x01"
                                   "60=20260102-03:04:05.678\x01";
    char order[512], report[512];
    size_t size = write_order(order);
    const tl_fix_dialect *dialect = tl_fix_dialect_find("FIX.4.4", "");
    double read_ns = 1e9, write_ns = 1e9;
    if (write_report(report, 7) != sizeof expected - 1 ||
        memcmp(report, expected, sizeof expected - 1) != 0)
        fail("the report is another");
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (int i = 0; i < REPEATS; i++)
            read_order(order, size, dialect);
        double middle = now_ns();
        for (int i = 0; i < REPEATS; i++)
            if (write_report(report, 1000000 + (uint64_t)i) < sizeof expected)
                fail("the report is short");
        double end = now_ns();
        read_ns = middle - start < read_ns * REPEATS ? (middle - start) / REPEATS : read_ns;
        write_ns = end - middle < write_ns * REPEATS ? (end - middle) / REPEATS : write_ns;
    }
    printf("{\"order_bytes\": %zu, \"order_ns\": %.0f, \"report_ns\": %.0f, \"verified\": true}\n",
           size, read_ns, write_ns);
    return 0;
}
