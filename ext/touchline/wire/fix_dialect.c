#include "touchline/wire/fix_dialect.h"

#include "touchline/wire/fix_tables.h"

#include <string.h>

#define BELOW(count) ((UINT64_C(1) << (count)) - 1)
#define BIT(n) (UINT64_C(1) << (n))

/* Reasons to 63 in the first word, from 64 on (99: other) in the second. */
static const tl_fix_dialect dialects[] = {
    {.version = TL_FIX_42,
     .begin_string = "FIX.4.2",
     .begin_size = sizeof "FIX.4.2" - 1,
     .appl_ver_id = "",
     .session = &tl_fix42,
     .application = &tl_fix42,
     .ord_rej_reasons = {BELOW(9), 0},
     .cxl_rej_reasons = {BELOW(4), 0},
     .other_ord = 0,
     .other_cxl = 2},
    {.version = TL_FIX_44,
     .begin_string = "FIX.4.4",
     .begin_size = sizeof "FIX.4.4" - 1,
     .appl_ver_id = "",
     .session = &tl_fix44,
     .application = &tl_fix44,
     .ord_rej_reasons = {BELOW(12) | BIT(13) | BIT(14) | BIT(15), BIT(99 - 64)},
     .cxl_rej_reasons = {BELOW(7), BIT(99 - 64)},
     .other_ord = 99,
     .other_cxl = 99},
    {.version = TL_FIX_50SP2,
     .begin_string = "FIXT.1.1",
     .begin_size = sizeof "FIXT.1.1" - 1,
     .appl_ver_id = "9",
     .session = &tl_fixt11,
     .application = &tl_fix50sp2,
     .ord_rej_reasons = {BELOW(30) & ~BIT(17), BIT(99 - 64)},
     .cxl_rej_reasons = {BELOW(9) | BIT(18), BIT(99 - 64)},
     .other_ord = 99,
     .other_cxl = 99},
};

const tl_fix_dialect *tl_fix_dialect_find(const char *begin_string, const char *appl_ver_id)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        const tl_fix_dialect *dialect = &dialects[i];
        if (strcmp(dialect->begin_string, begin_string) != 0)
            continue;
        if (*dialect->appl_ver_id == '\0' ||
            (appl_ver_id != NULL && strcmp(dialect->appl_ver_id, appl_ver_id) == 0))
            return dialect;
    }
    return NULL;
}

const char *tl_fix_msg_type_text(tl_fix_msg_type type)
{
#define TEXT(name, text) [TL_FIX_##name] = text,
    static const char texts[TL_FIX_MSG_TYPES_COUNT][4] = {TL_FIX_MSG_TYPES(TEXT)};
#undef TEXT
    return type < TL_FIX_MSG_TYPES_COUNT ? texts[type] : "";
}

const tl_fix_message_rule *tl_fix_message_rule_of(const tl_fix_dictionary *dictionary,
                                                  const char *text, size_t size)
{
    if (size == 1) {
        unsigned char letter = (unsigned char)*text;
        uint8_t place = letter < 128 ? dictionary->letters[letter] : 0;
        return place == 0 ? NULL : &dictionary->messages[place - 1];
    }
    if (size == 0 || size >= sizeof dictionary->messages->text || memchr(text, '\0', size) != NULL)
        return NULL;
    char key[sizeof dictionary->messages->text] = {0};
    memcpy(key, text, size);
    size_t low = 0, high = dictionary->messages_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(dictionary->messages[middle].text, key, sizeof key);
        if (order == 0)
            return &dictionary->messages[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int order_of(const char *listed, const char *text, size_t size)
{
    size_t length = strlen(listed);
    int order = memcmp(listed, text, length < size ? length : size);
    return order != 0 ? order : (length > size) - (length < size);
}

bool tl_fix_value_allowed(const tl_fix_dictionary *dictionary, const tl_fix_values *values,
                          const char *text, size_t size)
{
    if (size == 1) {
        unsigned char letter = (unsigned char)*text;
        return letter < 128 && (values->chars[letter / 64] >> letter % 64 & 1) != 0;
    }
    size_t low = values->first, high = low + values->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = order_of(dictionary->texts + dictionary->offsets[middle], text, size);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

const tl_fix_group_rule *tl_fix_group_rule_of(const tl_fix_dictionary *dictionary, uint16_t groups,
                                              uint16_t count, uint32_t tag)
{
    for (uint16_t i = 0; i < count; i++) {
        const tl_fix_group_rule *rule = &dictionary->groups[dictionary->numbers[groups + i]];
        if (rule->count_tag == tag)
            return rule;
    }
    return NULL;
}
