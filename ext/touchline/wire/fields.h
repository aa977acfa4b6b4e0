/* Fields of binary messages: big-endian numbers and texts of a fixed width, one after another.
 *
 * A message is an X-macro, F(kind, name) a field. TL_FIELDS_MESSAGE makes of it the bytes as they
 * lie (tl_X_wire, all of chars, so that it has no padding and may lie anywhere), the fields as
 * numbers (tl_X), and what turns one into the other (tl_X_get, tl_X_put). Neither checks a value.
 *
 *   kind   bytes   in C
 *   c1     1       char
 *   u8     1       uint8_t
 *   u16    2       uint16_t
 *   u32    4       uint32_t
 *   i32    4       int32_t, two's complement
 *   u48    6       uint64_t, below 2^48
 *   u64    8       uint64_t
 *   tN     N       char[N], as it lies: padded with spaces, not ended by a zero
 */
#ifndef TOUCHLINE_FIELDS_H
#define TOUCHLINE_FIELDS_H

#include <stdint.h>
#include <string.h>

static inline uint16_t tl_get_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap16(value);
}
static inline uint32_t tl_get_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}
static inline uint64_t tl_get_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}
static inline uint64_t tl_get_u48(const uint8_t *at)
{
    return (uint64_t)tl_get_u16(at) << 32 | tl_get_u32(at + 2);
}
static inline void tl_put_u16(uint8_t *at, uint16_t value)
{
    value = __builtin_bswap16(value);
    memcpy(at, &value, sizeof value);
}
static inline void tl_put_u32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}
static inline void tl_put_u64(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof value);
}
static inline void tl_put_u48(uint8_t *at, uint64_t value)
{
    tl_put_u16(at, (uint16_t)(value >> 32));
    tl_put_u32(at + 2, (uint32_t)value);
}

/* `size` bytes of a text of at most `width`, the rest spaces. */
static inline void tl_put_text(char *at, size_t width, const char *text, size_t size)
{
    if (size > width)
        size = width;
    memcpy(at, text, size);
    memset(at + size, ' ', width - size);
}
/* How long such a text is without the spaces behind it. */
static inline size_t tl_text_length(const char *at, size_t width)
{
    while (width != 0 && at[width - 1] == ' ')
        width--;
    return width;
}

/* Nanoseconds of the day that began at `midnight_ns`, or at a multiple of 24 hours from it. */
static inline uint64_t tl_since_midnight(int64_t ts_ns, int64_t midnight_ns)
{
    const int64_t day_ns = INT64_C(86400000000000), ns = (ts_ns - midnight_ns) % day_ns;
    return (uint64_t)(ns < 0 ? ns + day_ns : ns);
}

/* As they lie. */
#define TL_FIELD_WIRE(kind, name) TL_FIELD_WIRE_##kind(name)
#define TL_FIELD_WIRE_c1(name) char name;
#define TL_FIELD_WIRE_u8(name) uint8_t name;
#define TL_FIELD_WIRE_u16(name) uint8_t name[2];
#define TL_FIELD_WIRE_u32(name) uint8_t name[4];
#define TL_FIELD_WIRE_i32(name) uint8_t name[4];
#define TL_FIELD_WIRE_u48(name) uint8_t name[6];
#define TL_FIELD_WIRE_u64(name) uint8_t name[8];
#define TL_FIELD_WIRE_t2(name) char name[2];
#define TL_FIELD_WIRE_t4(name) char name[4];
#define TL_FIELD_WIRE_t6(name) char name[6];
#define TL_FIELD_WIRE_t8(name) char name[8];
#define TL_FIELD_WIRE_t10(name) char name[10];
#define TL_FIELD_WIRE_t14(name) char name[14];
#define TL_FIELD_WIRE_t20(name) char name[20];

/* As numbers. */
#define TL_FIELD_HOST(kind, name) TL_FIELD_HOST_##kind(name)
#define TL_FIELD_HOST_c1(name) char name;
#define TL_FIELD_HOST_u8(name) uint8_t name;
#define TL_FIELD_HOST_u16(name) uint16_t name;
#define TL_FIELD_HOST_u32(name) uint32_t name;
#define TL_FIELD_HOST_i32(name) int32_t name;
#define TL_FIELD_HOST_u48(name) uint64_t name;
#define TL_FIELD_HOST_u64(name) uint64_t name;
#define TL_FIELD_HOST_t2(name) char name[2];
#define TL_FIELD_HOST_t4(name) char name[4];
#define TL_FIELD_HOST_t6(name) char name[6];
#define TL_FIELD_HOST_t8(name) char name[8];
#define TL_FIELD_HOST_t10(name) char name[10];
#define TL_FIELD_HOST_t14(name) char name[14];
#define TL_FIELD_HOST_t20(name) char name[20];

#define TL_FIELD_GET(kind, name) TL_FIELD_GET_##kind(name)
#define TL_FIELD_GET_c1(name) host->name = wire->name;
#define TL_FIELD_GET_u8(name) host->name = wire->name;
#define TL_FIELD_GET_u16(name) host->name = tl_get_u16(wire->name);
#define TL_FIELD_GET_u32(name) host->name = tl_get_u32(wire->name);
#define TL_FIELD_GET_i32(name) host->name = (int32_t)tl_get_u32(wire->name);
#define TL_FIELD_GET_u48(name) host->name = tl_get_u48(wire->name);
#define TL_FIELD_GET_u64(name) host->name = tl_get_u64(wire->name);
#define TL_FIELD_GET_TEXT(name) memcpy(host->name, wire->name, sizeof host->name);
#define TL_FIELD_GET_t2 TL_FIELD_GET_TEXT
#define TL_FIELD_GET_t4 TL_FIELD_GET_TEXT
#define TL_FIELD_GET_t6 TL_FIELD_GET_TEXT
#define TL_FIELD_GET_t8 TL_FIELD_GET_TEXT
#define TL_FIELD_GET_t10 TL_FIELD_GET_TEXT
#define TL_FIELD_GET_t14 TL_FIELD_GET_TEXT
#define TL_FIELD_GET_t20 TL_FIELD_GET_TEXT

#define TL_FIELD_PUT(kind, name) TL_FIELD_PUT_##kind(name)
#define TL_FIELD_PUT_c1(name) wire->name = host->name;
#define TL_FIELD_PUT_u8(name) wire->name = host->name;
#define TL_FIELD_PUT_u16(name) tl_put_u16(wire->name, host->name);
#define TL_FIELD_PUT_u32(name) tl_put_u32(wire->name, host->name);
#define TL_FIELD_PUT_i32(name) tl_put_u32(wire->name, (uint32_t)host->name);
#define TL_FIELD_PUT_u48(name) tl_put_u48(wire->name, host->name);
#define TL_FIELD_PUT_u64(name) tl_put_u64(wire->name, host->name);
#define TL_FIELD_PUT_TEXT(name) memcpy(wire->name, host->name, sizeof host->name);
#define TL_FIELD_PUT_t2 TL_FIELD_PUT_TEXT
#define TL_FIELD_PUT_t4 TL_FIELD_PUT_TEXT
#define TL_FIELD_PUT_t6 TL_FIELD_PUT_TEXT
#define TL_FIELD_PUT_t8 TL_FIELD_PUT_TEXT
#define TL_FIELD_PUT_t10 TL_FIELD_PUT_TEXT
#define TL_FIELD_PUT_t14 TL_FIELD_PUT_TEXT
#define TL_FIELD_PUT_t20 TL_FIELD_PUT_TEXT

/* tl_X_wire, tl_X, tl_X_get and tl_X_put of the message X that is `size` bytes long. */
#define TL_FIELDS_MESSAGE(X, FIELDS, size)                                                         \
    typedef struct tl_##X##_wire {                                                                 \
        FIELDS(TL_FIELD_WIRE)                                                                      \
    } tl_##X##_wire;                                                                               \
    typedef struct tl_##X {                                                                        \
        FIELDS(TL_FIELD_HOST)                                                                      \
    } tl_##X;                                                                                      \
    _Static_assert(sizeof(tl_##X##_wire) == (size), "as long as its specification says");          \
    static inline void tl_##X##_get(const tl_##X##_wire *wire, tl_##X *host)                       \
    {                                                                                              \
        FIELDS(TL_FIELD_GET)                                                                       \
    }                                                                                              \
    static inline void tl_##X##_put(tl_##X##_wire *wire, const tl_##X *host)                       \
    {                                                                                              \
        FIELDS(TL_FIELD_PUT)                                                                       \
    }

#endif
