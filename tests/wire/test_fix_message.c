/* The codec's rules one by one: what is found in a stream, split, and refused, and why.
 *
 * Stricter than QuickFIX, which is the oracle otherwise:
 *   a tag with leading zeros                    taken as if without      here 373 = 0
 *   a tag without "=", text after no SOH        dropped without a word   here 373 = 0 or 6
 *   a length whose data field does not follow   taken                    here 373 = 6
 *   a negative or huge length                   aborts, reads past       here 373 = 6
 *   a date that does not exist                  taken                    here 373 = 6
 *   text that is not UTF-8, or holds NUL        taken                    here 373 = 6
 *   fields within an entry of a group           not looked at            here as outside
 *   an entry that does not begin as it must     taken                    here 373 = 15
 *   a tag above 99999                           taken as user-defined    here 373 = 0
 *   a field repeated in an entry                begins another entry     here 373 = 13
 */
#include "check.h"
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_text.h"

#include <errno.h>

static tl_fix_message message;
static char bytes[TL_FIX_MESSAGE_MAX];

/* A whole message with right length and checksum; '|' stands for SOH. */
static size_t build(char *at, const char *begin_string, const char *body)
{
    size_t size = strlen(body);
    int head = sprintf(at, "8=%s\x01" "9=%zu\x01", begin_string, size);
    memcpy(at + head, body, size);
    for (size_t i = 0; i < size; i++)
        if (body[i] == '|')
            at[(size_t)head + i] = TL_FIX_SOH;
    size += (size_t)head;
    return size + (size_t)sprintf(at + size, "10=%03u\x01", tl_fix_checksum(at, size));
}

static const tl_fix_dialect *dialect_of(const char *begin_string)
{
    const tl_fix_dialect *dialect = tl_fix_dialect_find(begin_string, "9");
    CHECK(dialect != NULL);
    return dialect;
}

static tl_fix_verdict verdict_in(const char *begin_string, const char *body)
{
    size_t size = build(bytes, begin_string, body);
    tl_fix_frame frame = tl_fix_find_message(bytes, size, TL_FIX_MESSAGE_MAX);
    CHECK(frame.framing == TL_FIX_FRAME_WHOLE && frame.skip == 0 && frame.size == size);
    memset(&message, 0xA5, sizeof message);
    CHECK(tl_fix_parse(&message, dialect_of(begin_string), bytes, size) == 0);
    return tl_fix_check(&message, dialect_of(begin_string));
}

static void refused(const char *begin_string, const char *body, int reason, uint32_t tag)
{
    tl_fix_verdict verdict = verdict_in(begin_string, body);
    if (verdict.reason != reason || verdict.ref_tag != tag)
        fprintf(stderr, "%s: %d of %u\n", body, verdict.reason, verdict.ref_tag);
    CHECK(verdict.reason == reason);
    CHECK(verdict.ref_tag == tag);
    CHECK(reason < 0 || *verdict.text != '\0');
}

#define HEAD "49=A|56=B|34=7|52=20260102-03:04:05.678|"
#define ORDER "35=D|" HEAD "11=x|55=S|54=1|60=20260102-03:04:05|38=1|40=2|44=1.5|"
#define LOGON "35=A|" HEAD "98=0|108=30|"
static void good(const char *body)
{
    refused("FIX.4.4", body, -1, 0);
}
static void bad(const char *body, int reason, uint32_t tag)
{
    refused("FIX.4.4", body, reason, tag);
}

static void whole_messages_are_good(void)
{
    good(ORDER);
    CHECK(message.type == TL_FIX_NEW_ORDER_SINGLE && message.msg_seq_num == 7);
    CHECK(!message.poss_dup && !message.poss_resend && tl_fix_is(&message, 54, '1'));
    CHECK(tl_fix_find(&message, 44)->size == 3 && tl_fix_find(&message, 1) == NULL);
    good(LOGON "553=u|554=p|");
    refused("FIX.4.2", LOGON "553=u|554=p|", -1, 0);
    refused("FIX.4.2", ORDER "21=1|", -1, 0);
    refused("FIXT.1.1", ORDER, -1, 0);
    refused("FIXT.1.1", LOGON "1137=9|", -1, 0);
    good(ORDER "453=2|448=a|447=D|452=1|802=1|523=s|803=1|448=b|447=D|452=3|58=t|");
    good(ORDER "5001=anything|20000=x|");
}

static void fields_are_held_against_the_dictionary(void)
{
    bad(ORDER "1000=x|", 0, 1000);
    bad("35=D|" HEAD "55=S|54=1|60=20260102-03:04:05|38=1|40=2|", 1, 11);
    bad("35=D|49=A|56=B|34=7|11=x|", 1, 52);
    bad(ORDER "7=1|", 2, 7);
    bad(ORDER "58=|", 4, 58);
    bad(ORDER "59=Z|", 5, 59);
    bad(ORDER "18=1 Q|", -1, 0);
    bad(ORDER "18=1 ~|", 5, 18);
    bad(ORDER "99=1e5|", 6, 99);
    bad("35=zz|" HEAD, 11, 0);
    bad(ORDER "55=T|", 13, 55);
    bad(ORDER "5001=a|5001=b|", 13, 5001);
    bad(ORDER "50=late|", 14, 50);
    bad("35=D|49=A|56=B|34=7|11=x|52=20260102-03:04:05|", 14, 52);
    bad(ORDER "126=20260230-00:00:00|", 6, 126);
    bad(ORDER "58=\xC3|", 6, 58);
    bad(ORDER "432=20260230|", 6, 432);
    CHECK(verdict_in("FIX.4.4", "35=6|" HEAD "23=1|28=N|55=S|54=1|27=L|").business == 3);
}

static void groups_are_counted_and_in_order(void)
{
    bad(ORDER "453=3|448=a|447=D|452=1|448=b|447=D|452=3|58=t|", 16, 453);
    bad(ORDER "453=-1|448=a|447=D|452=1|", 16, 453);
    bad(ORDER "453=x|448=a|447=D|452=1|", 6, 453);
    bad(ORDER "453=1|447=D|448=a|452=1|", 16, 453);
    bad(ORDER "453=1|447=D|452=1|", 15, 447);
    bad(ORDER "453=1|448=a|447=D|447=D|", 13, 447);
    bad(ORDER "453=1|448=a|802=2|523=s|803=1|", 16, 802);
    bad(ORDER "453=1|448=a|447=~|", 5, 447);
    refused("FIXT.1.1", "35=D|" HEAD "627=1|628=h|629=20260102-03:04:05|11=x|55=S|54=1|"
            "60=20260102-03:04:05|38=1|40=1|", -1, 0);
}

static void entries_of_a_group_are_found(void)
{
    const tl_fix_dialect *dialect = dialect_of("FIX.4.4");
    good(ORDER "453=2|448=a|447=D|452=1|802=1|523=s|803=1|448=b|447=D|452=3|58=t|");
    const tl_fix_field *first;
    uint32_t fields;
    CHECK(tl_fix_group(&message, dialect, 453, 0, &first, &fields));
    CHECK(first->tag == 448 && fields == 6 && *tl_fix_value(&message, first) == 'a');
    CHECK(tl_fix_group_next(&message, &first, &fields));
    CHECK(first->tag == 448 && fields == 3 && *tl_fix_value(&message, first) == 'b');
    CHECK(!tl_fix_group_next(&message, &first, &fields));
    CHECK(tl_fix_group(&message, dialect, 453, 1, &first, &fields) && fields == 3);
    CHECK(!tl_fix_group(&message, dialect, 453, 2, &first, &fields));
    CHECK(!tl_fix_group(&message, dialect, 382, 0, &first, &fields));
}

static void a_malformed_field_ends_the_message(void)
{
    bad(LOGON "0141=Y|", 0, 141);
    CHECK(tl_fix_find(&message, 141) == NULL);
    bad(LOGON "0011=|", 0, 11);
    bad(LOGON "text|", 0, 0);
    bad(LOGON "=x|", 0, 0);
    bad(LOGON "58x=|", 0, 58);
    bad(LOGON "99999999999999999999=x|", 0, 0);
    bad(LOGON "100000=x|", 0, 100000);
}

static void data_is_as_long_as_said_and_never_looked_into(void)
{
    good(LOGON "95=7|96=a|141=N|141=Y|");
    CHECK(tl_fix_is(&message, 141, 'Y'));
    bad(LOGON "95=1000000000|96=x|", 6, 95);
    bad(LOGON "95=-5|96=x|", 6, 95);
    bad(LOGON "95=2|96=x|", 6, 96);
    bad(LOGON "95=1|141=Y|96=x|", 6, 95);
    bad(LOGON "96=x|", 6, 96);
    bad(LOGON "95=1|", 6, 95);
    good(LOGON "95=0|96=|");
    static const unsigned lengths[] = {90, 93, 95, 212, 348, 350, 352, 354, 364, 445, 618, 621};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char body[300];
        sprintf(body, ORDER "%u=-1|%u=x|", lengths[i], lengths[i] == 93 ? 89 : lengths[i] + 1);
        bad(body, 6, lengths[i]);
    }
    good("35=D|49=A|56=B|34=7|52=20260102-03:04:05|212=18|213=<F>|38=77|44=9</F>|11=x|55=S|54=1|"
         "60=20260102-03:04:05|38=5|40=1|");
    CHECK(*tl_fix_value(&message, tl_fix_find(&message, 38)) == '5');
}

static void another_version_is_dropped(void)
{
    size_t size = build(bytes, "FIX.4.2", ORDER);
    CHECK(tl_fix_parse(&message, dialect_of("FIX.4.4"), bytes, size) == -EBADMSG);
    size = build(bytes, "FIX.4.4", "34=1|35=0|");
    CHECK(tl_fix_parse(&message, dialect_of("FIX.4.4"), bytes, size) == -EBADMSG);
}

static void a_message_trickles_in(void)
{
    char stream[400] = "8=8=x9=|";
    size_t garbage = strlen(stream), size = build(stream + garbage, "FIX.4.4", ORDER), from = 0;
    for (size_t count = 0; count < garbage + size; count++) {
        tl_fix_frame frame = tl_fix_find_message(stream + from, count - from, 4096);
        CHECK(frame.framing == TL_FIX_FRAME_MORE);
        from += frame.skip;
        CHECK(from <= garbage || count < garbage);
    }
    CHECK(from == garbage);
    tl_fix_frame frame = tl_fix_find_message(stream, garbage + size, 4096);
    CHECK(frame.framing == TL_FIX_FRAME_WHOLE && frame.skip == garbage && frame.size == size);
    stream[garbage + size - 2] ^= 1;
    size_t more = build(stream + garbage + size, "FIX.4.4", "35=0|");
    frame = tl_fix_find_message(stream, garbage + size + more, 4096);
    CHECK(frame.framing == TL_FIX_FRAME_WHOLE && frame.skip == garbage + size);
}

static tl_fix_framing framing_of(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i <= size; i++)
        bytes[i] = text[i] == '|' ? TL_FIX_SOH : text[i];
    return tl_fix_find_message(bytes, size, 4096).framing;
}

static void a_length_is_bounded_before_it_is_believed(void)
{
    CHECK(framing_of("8=FIX.4.4|9=2147483647") == TL_FIX_FRAME_TOO_LONG);
    CHECK(framing_of("8=FIX.4.4|9=4090|") == TL_FIX_FRAME_TOO_LONG);
    CHECK(framing_of("8=FIX.4.4|9=-1|") == TL_FIX_FRAME_MORE);
    CHECK(framing_of("8=FIX.4.4|9=|35=0|10=000|") == TL_FIX_FRAME_MORE);
    CHECK(framing_of("8=FIX.4.4|9=0|10=000|") == TL_FIX_FRAME_MORE);
}

int main(void)
{
    whole_messages_are_good();
    fields_are_held_against_the_dictionary();
    groups_are_counted_and_in_order();
    entries_of_a_group_are_found();
    a_malformed_field_ends_the_message();
    data_is_as_long_as_said_and_never_looked_into();
    another_version_is_dropped();
    a_message_trickles_in();
    a_length_is_bounded_before_it_is_believed();
    return 0;
}
