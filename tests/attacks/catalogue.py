"""Every attack, numbered by its kind: what somebody outside once could do to a gateway."""

from attacks import after_logon as after
from attacks import before_logon as before
from attacks import numbers
from attacks.scene import Attack

WITHOUT_A_PASSWORD = (
    Attack("RawDataLength 1000000000 in a Logon", "1a", before.raw_data("1000000000")),
    Attack("RawDataLength -5 in a Logon", "1b", before.raw_data("-5")),
    Attack("XmlDataLen -1 in a Logon's header", "1c", before.raw_data("xml -1")),
    Attack("a disguised reset and a wrong password", "2", before.disguised_reset),
    Attack("Logons that are not well formed, held open", "3", before.half_good_logon),
    Attack("SequenceReset behind such a Logon", "4", before.sequence_reset_before_logon),
    Attack("40 connections at a byte a second", "5a", before.trickle),
    Attack("200 Logons a second of a live session", "5b", before.logons_of_a_live_session),
    Attack("passwords guessed", "6", before.guesses),
    Attack("48 silent connections", "24", before.silence),
    Attack("a Logon without an end", "11a", before.endless_logon),
)
WITH_A_SESSION = (
    Attack("EncodedTextLen 100000000 in an order", "7a", after.data_length("100000000", "354")),
    Attack("EncodedTextLen -3 in an order", "7b", after.data_length("-3", "354")),
    Attack("data lengths of -1 after logon", "22", after.data_length("-1")),
    Attack("20,000 messages behind a gap, then it", "8", after.far_gap),
    Attack("five resends of everything at once", "9a", after.resends(reading=True)),
    Attack("the same, and nothing is read", "9b", after.resends(reading=False)),
    Attack("an order with a million parties", "10", after.million_parties),
    Attack("BodyLength 2147483647 and a stream", "11b", after.endless_message("2147483647")),
    Attack("BodyLength 1900000000 and a stream", "23", after.endless_message("1900000000")),
    Attack("j answered by j", "12", after.rejects_for_rejects),
    Attack("an order within a data field", "13", after.order_within_data),
    Attack("fields that change what an order means", "14", after.overlooked_fields),
    Attack("20,000 crossing orders at once", "17a", after.crossing_burst),
    Attack("a session that does not read", "17b", after.slow_reader),
)
INTERRUPTED = numbers.Interrupted()
WITH_NUMBERS_AND_WEATHER = (
    Attack("a gap before a Logout", "15", numbers.gap_before_a_logout),
    Attack(
        "sequence numbers above 2^31",
        "16",
        numbers.large_numbers,
        beyond={"quickfix": "its numbers are an int in places"},
    ),
    Attack(
        "256 sessions and 1,024 descriptors", "18", numbers.idle, sessions=250, descriptors=1024
    ),
    Attack(
        "a clock that is set",
        "19",
        numbers.stepped_clock,
        shifted=True,
        beyond={"quickfix": "it measures heartbeats by the host's clock"},
    ),
    Attack("answers that are not the standard's", "20a", numbers.every_answer),
    Attack(
        "a route that is not reversed",
        "20b",
        numbers.on_behalf_of,
        beyond={"quickfix": "its gateway reverses no routes"},
    ),
    Attack("a power cut", "21", INTERRUPTED.trade, after=INTERRUPTED.come_back, power_cut=True),
)
ATTACKS = WITHOUT_A_PASSWORD + WITH_A_SESSION + WITH_NUMBERS_AND_WEATHER
