"""The engine quickfix offers no special orders: what would make one is refused by its name."""

from pathlib import Path

from harness.fix_client import FixClient, utc_now
from harness.fix_venue import running_venue

REFUSED = {
    ("40=3", "99=10.20"): "StopPx(99) is not supported",
    ("40=2", "44=10.00", "99=0"): "StopPx(99) is not supported",
    ("40=3",): "OrdType(40) 3 is not supported; allowed: 1, 2",
    ("40=K",): "OrdType(40) K is not supported; allowed: 1, 2",
    ("40=2", "44=10.00", "111=0"): "MaxFloor(111) is not supported",
    ("40=2", "44=10.00", "111=10"): "MaxFloor(111) is not supported",
    ("40=2", "44=10.00", "18=6"): "ExecInst(18) is not supported",
    ("40=2", "44=10.00", "18=G"): "ExecInst(18) is not supported",
    ("40=2", "44=10.00", "20018=Y"): "PostOnlySlide(20018) is not supported",
    ("40=2", "44=10.00", "110=10"): "MinQty(110) is not supported",
    ("40=2", "44=10.00", "126=20991231-00:00:00"): "ExpireTime(126) is not supported",
    ("40=2", "44=10.00", "432=20991231"): "ExpireDate(432) is not supported",
    ("40=2", "44=10.00", "59=6"): "TimeInForce(59) 6 is not supported; allowed: 0, 1, 3, 4",
}


def test_quickfix_refuses_special_orders_by_name(tmp_path: Path) -> None:
    with running_venue(tmp_path, "quickfix") as venue, FixClient(venue.port, "BROKER1") as client:
        client.logon()
        for number, (fields, words) in enumerate(REFUSED.items()):
            whole = (f"11=q{number}", "21=1", "55=S00", "54=1", "38=100", f"60={utc_now()}")
            client.send("D", *whole, *fields)
            report = client.application()
            assert (report["39"], report["58"]) == ("8", words)
        client.send("D", "11=plain", "21=1", "55=S00", "54=1", "38=100", "40=2", "44=10.00",
                    f"60={utc_now()}")  # fmt: skip
        assert client.application()["39"] == "0"
        for name, more in (("r1", "99=9.00"), ("r2", "111=0")):
            client.send("G", f"11={name}", "41=plain", "21=1", "55=S00", "54=1", "38=90", "40=2",
                        "44=10.00", more, f"60={utc_now()}")  # fmt: skip
            answer = client.application()
            assert (answer["35"], answer["102"]) == ("9", "99")
            assert answer["58"].endswith("is not supported")
