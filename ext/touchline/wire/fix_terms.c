/* Every tag of the requests D, F, G and H: read, harmless, or refused. A field that could change
 * what a request means and is in no list here is refused too, so nothing is overlooked. Tags that
 * are user-defined are the sender's own and harmless; those above are FIX 5.0's again.
 */
#include "touchline/wire/fix_terms.h"

#include "touchline/wire/fix_text.h"

#include <stdio.h>
#include <string.h>

#define TAG_MAX 3072u
#define USER_DEFINED 5000u
#define USER_DEFINED_END 40000u

/* Read by the desk. */
static const uint16_t used[] = {1,  11, 18, 37,  38,  40,  41,  44,  54,  55,
                                59, 60, 99, 110, 111, 126, 432, 790, 1138};

/* Passes or not by its value: by_value_refused. */
static const uint16_t ruled[] = {15, 21, 48, 63, 423, 775, 854};

/* Said about an order, and nothing that the venue would do otherwise: texts, parties, who placed it
 * and how, give-ups and allocations that others settle, prices for comparison, names of what Symbol
 * names. */
static const uint16_t harmless[] = {
    /* texts */ 58, 354, 355, 107, 350, 351, 148, 364, 365, 106, 348, 349,
    /* parties */ 453, 448, 447, 452, 802, 523, 803, 109, 76, 439, 440, 92,
    /* origin and capacity */ 47, 204, 528, 529, 582, 581, 660, 1028, 1029, 1030, 1031, 1032, 1080,
    1081, 1724, 1815, 2376, 2679, 2680, 2681, 2702, 2704, 2882,
    /* allocation */ 70, 78, 79, 80, 467, 539, 524, 525, 538, 804, 545, 805, 661, 736, 589, 590,
    591, 635, 1046, 756, 757, 758, 759, 806,
    /* other numbers of the order, and what it goes back to */ 526, 66, 583, 1080, 1300, 23, 117,
    /* when */ 75, 229, 586, 768, 769, 770, 771, 1033, 1034, 1035, 1727,
    /* what Symbol names, and prices for comparison */ 207, 167, 461, 460, 22, 140, 223, 231, 235,
    236, 218, 219, 220, 221, 222, 662, 663, 699, 761, 157, 158, 159, 228, 255, 543, 225, 239, 226,
    227, 240, 470, 471, 472, 691, 667, 874, 873, 875, 876, 913, 914, 915, 918, 788, 916, 917, 919,
    898, 864, 865, 866, 867, 868, 454, 455, 456, 232, 233, 234, 12, 13, 479, 497, 376, 377, 114,
    100, 120, 481, 513, 480};

/* Refused by name. `zero`: a value of 0 asks for nothing. */
#define REFUSED(X)                                                                                 \
    X(77, "PositionEffect", 0)                                                                     \
    X(152, "CashOrderQty", 1)                                                                      \
    X(168, "EffectiveTime", 0)                                                                     \
    X(210, "MaxShow", 1)                                                                           \
    X(211, "PegOffsetValue", 1)                                                                    \
    X(336, "TradingSessionID", 0)                                                                  \
    X(386, "NoTradingSessions", 1)                                                                 \
    X(388, "DiscretionInst", 0)                                                                    \
    X(389, "DiscretionOffset", 1)                                                                  \
    X(427, "GTBookingInst", 0)                                                                     \
    X(516, "OrderPercent", 1)                                                                      \
    X(544, "CashMargin", 0)                                                                        \
    X(555, "NoLegs", 1)                                                                            \
    X(640, "Price2", 1)                                                                            \
    X(711, "NoUnderlyings", 1)                                                                     \
    X(835, "PegMoveType", 0)                                                                       \
    X(847, "TargetStrategy", 0)                                                                    \
    X(1082, "SecondaryDisplayQty", 1)                                                              \
    X(1083, "DisplayWhen", 0)                                                                      \
    X(1084, "DisplayMethod", 0)                                                                    \
    X(1087, "DisplayMinIncr", 1)                                                                   \
    X(1088, "RefreshQty", 1)                                                                       \
    X(1089, "MatchIncrement", 1)                                                                   \
    X(1090, "MaxPriceLevels", 1)                                                                   \
    X(1092, "PriceProtectionScope", 0)                                                             \
    X(1094, "PegPriceType", 0)                                                                     \
    X(1100, "TriggerType", 0)                                                                      \
    X(1822, "MinQtyMethod", 0)                                                                     \
    X(2362, "SelfMatchPreventionID", 0)                                                            \
    X(2964, "SelfMatchPreventionInstruction", 0)


static const char *name_of(uint32_t tag, bool *zero)
{
#define ROW(number, name, harmless_zero)                                                           \
    if (tag == (number)) {                                                                         \
        *zero = (harmless_zero) != 0;                                                              \
        return (name);                                                                             \
    }
    REFUSED(ROW)
#undef ROW
    *zero = false;
    return NULL;
}

/* Of the header or the trailer, which the session has read. */
static bool is_frame(uint32_t tag)
{
    switch (tag) {
    case 8: case 9: case 10: case 34: case 35: case 43: case 49: case 50: case 52: case 56: case 57:
    case 89: case 90: case 91: case 93: case 97: case 115: case 116: case 122: case 128: case 129:
    case 142: case 143: case 144: case 145: case 212: case 213: case 347: case 369: case 627:
    case 628: case 629: case 630: case 1128: case 1129: case 1156:
        return true;
    default:
        return false;
    }
}

/* Bits of the tags that pass whatever their value is, made once. */
static const uint64_t *passing(void)
{
    static uint64_t bits[TAG_MAX / 64];
    if (__atomic_load_n(&bits[0], __ATOMIC_ACQUIRE) != 0)
        return bits;
    uint64_t made[TAG_MAX / 64] = {0};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        made[used[i] / 64] |= UINT64_C(1) << (used[i] % 64);
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (harmless[i] < TAG_MAX)
            made[harmless[i] / 64] |= UINT64_C(1) << (harmless[i] % 64);
    for (size_t i = 0; i < sizeof ruled / sizeof *ruled; i++)
        made[ruled[i] / 64] &= ~(UINT64_C(1) << (ruled[i] % 64));
    for (uint32_t tag = 0; tag < TAG_MAX; tag++)
        if (is_frame(tag))
            made[tag / 64] |= UINT64_C(1) << (tag % 64);
    memcpy(bits + 1, made + 1, sizeof bits - sizeof *bits);
    __atomic_store_n(&bits[0], made[0], __ATOMIC_RELEASE);
    return bits;
}

static bool lists(const uint16_t *tags, size_t count, uint32_t tag)
{
    for (size_t i = 0; i < count; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

static bool only_zeros(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != '0' && text[i] != '.')
            return false;
    return true;
}

static bool is_text(const char *value, size_t size, const tl_fix_name *as)
{
    return size == as->size && memcmp(value, as->text, size) == 0;
}

/* Tags whose value decides. False: it is none of them, or all is well. */
static bool by_value_refused(uint32_t tag, const char *value, size_t size,
                             const tl_fix_instrument *instrument, char *text)
{
    const char first = size == 1 ? *value : 0;
    const int shown = (int)tl_fix_whole_characters(value, size, 40);
    switch (tag) {
    case 15:
        if (is_text(value, size, &instrument->currency))
            return false;
        snprintf(text, TL_FIX_TEXT_MAX, "Currency(15) %.*s: %.*s is traded in %.*s", shown, value,
                 (int)instrument->symbol.size, instrument->symbol.text,
                 (int)instrument->currency.size, instrument->currency.text);
        return true;
    case 21:
        if (first != '3')
            return false;
        snprintf(text, TL_FIX_TEXT_MAX,
                 "HandlInst(21) 3 is not supported: there is no manual handling");
        return true;
    case 48:
        if (is_text(value, size, &instrument->symbol))
            return false;
        snprintf(text, TL_FIX_TEXT_MAX, "SecurityID(48) %.*s is not the Symbol(55), %.*s", shown,
                 value, (int)instrument->symbol.size, instrument->symbol.text);
        return true;
    case 63:
        if (first == '0' || first == '1')
            return false;
        break;
    case 423:
        if (first == '2')
            return false;
        break;
    case 775:
    case 854:
        if (first == '0')
            return false;
        break;
    default:
        return false;
    }
    const char *name = tag == 63    ? "SettlType"
                       : tag == 423 ? "PriceType"
                       : tag == 775 ? "BookingType"
                                    : "QtyType";
    snprintf(text, TL_FIX_TEXT_MAX, "%s(%u) %.*s is not supported", name, tag, shown, value);
    return true;
}

static inline bool passes(const uint64_t *bits, uint32_t tag)
{
    return (tag < TAG_MAX && (bits[tag / 64] >> (tag % 64) & 1) != 0) ||
           (tag >= USER_DEFINED && tag < USER_DEFINED_END) || is_frame(tag);
}

bool tl_fix_term_refused(uint32_t tag, const char *value, size_t size,
                         const tl_fix_instrument *instrument, char text[TL_FIX_TEXT_MAX])
{
    bool zero;
    if (passes(passing(), tag))
        return false;
    if (lists(ruled, sizeof ruled / sizeof *ruled, tag))
        return by_value_refused(tag, value, size, instrument, text);
    const char *name = name_of(tag, &zero);
    if (zero && only_zeros(value, size))
        return false;
    if (name != NULL)
        snprintf(text, TL_FIX_TEXT_MAX, "%s(%u) is not supported", name, tag);
    else
        snprintf(text, TL_FIX_TEXT_MAX, "field %u is not supported", tag);
    return true;
}

/* Is every field surely one that passes? Of a message of a known shape all tags are `present`. */
static bool all_pass(const tl_fix_message *message, const uint64_t *passes)
{
    uint64_t others = 0;
    for (uint32_t i = 0; i < TL_FIX_LOW_TAGS / 64; i++)
        others |= message->present[i] & ~passes[i];
    return message->shape != NULL && others == 0;
}

bool tl_fix_terms_refused(const tl_fix_message *message, const tl_fix_instrument *instrument,
                          char text[TL_FIX_TEXT_MAX])
{
    const uint64_t *bits = passing();
    if (all_pass(message, bits))
        return false;
    for (uint32_t i = 0; i < message->count; i++) {
        const tl_fix_field *field = &message->fields[i];
        if (!passes(bits, field->tag) &&
            tl_fix_term_refused(field->tag, tl_fix_value(message, field), field->size,
                                instrument, text))
            return true;
    }
    return false;
}

tl_fix_term tl_fix_term_of(uint32_t tag)
{
    bool zero;
    if (is_frame(tag))
        return TL_FIX_TERM_FRAME;
    if (lists(used, sizeof used / sizeof *used, tag))
        return TL_FIX_TERM_USED;
    if (lists(ruled, sizeof ruled / sizeof *ruled, tag))
        return TL_FIX_TERM_RULED;
    if (lists(harmless, sizeof harmless / sizeof *harmless, tag))
        return TL_FIX_TERM_HARMLESS;
    return name_of(tag, &zero) != NULL ? TL_FIX_TERM_REFUSED : TL_FIX_TERM_UNLISTED;
}

const tl_fix_field *tl_fix_stranger(const tl_fix_message *message, const uint16_t *tags,
                                    size_t count)
{
    for (uint32_t i = 0; i < message->count; i++) {
        const tl_fix_field *field = &message->fields[i];
        const bool own = field->tag >= USER_DEFINED && field->tag < USER_DEFINED_END;
        if (!own && !is_frame(field->tag) && !lists(tags, count, field->tag))
            return field;
    }
    return NULL;
}
