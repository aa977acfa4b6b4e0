"""The AsyncAPI document: it is that of the layouts, and real messages are what it says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import zmq

from harness.asyncapi_page import PAGE, text
from harness.commands import commands, listing
from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S
from publish.publishing import all_published, publishing
from publish.test_publish import ask
from touchline.core.messages import LANE_ADMIN, EntryStatus, MsgType, TradingStatus
from touchline.marketdata import BAR, HEADER, RECORDS, Kind
from touchline.marketdata.asyncapi import document

DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
REQUESTS: list[dict[str, Any]] = [
    {"id": 1},
    {"id": "a", "symbols": ["AAA"], "since": 3, "levels": 2},
    {"history": {"symbol": "AAA", "kind": "depth", "first": 1, "last": 100}},
    {"history": {"symbol": "AAA", "kind": "statistics", "first": 1, "last": 1}},
    {"bars": {"symbol": "AAA", "seconds": 60, "from_ns": 0, "until_ns": 1 << 61}},
    {"id": 2, "symbols": ["ZZZ"]},
]


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


def check(schema: str, value: Any) -> None:
    jsonschema.Draft7Validator(SCHEMAS[schema]).validate(value)


def read(data: bytes, layout: dict[str, Any]) -> list[dict[str, int]]:
    """Records read as the document says, by nothing but the document."""
    fields = layout["fields"]
    record = np.dtype(
        {
            "names": list(fields),
            "formats": ["<" + field["type"] for field in fields.values()],
            "offsets": [field["offset"] for field in fields.values()],
            "itemsize": layout["bytes"],
        }
    )
    rows = np.frombuffer(data, record)
    return [dict(zip(fields, row, strict=True)) for row in rows.tolist()]


def message(name: str, payload: bytes) -> dict[str, Any]:
    layouts = DOCUMENT["components"]["messages"][name]["x-layout"]
    size = layouts["header"]["bytes"]
    (header,) = read(payload[:size], layouts["header"])
    return {"header": header, "records": read(payload[size:], layouts["record"])}


def test_the_page_is_that_of_the_layouts() -> None:
    assert PAGE.read_text() == text(), "run `make docs`"


def test_the_document_is_whole() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    for schema in SCHEMAS.values():
        jsonschema.Draft7Validator.check_schema(schema)

    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (value for key, value in part.items() if key == "$ref")
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, dict | list):
                yield from references(inner)

    for reference in references(DOCUMENT):
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found
    used = {op["channel"]["$ref"] for op in DOCUMENT["operations"].values()}
    assert {f"#/channels/{name}" for name in DOCUMENT["channels"]} - used == {"#/channels/reply"}


def test_real_messages_of_every_topic_are_what_the_document_says(
    venue: ThreadVenue, seed: int
) -> None:
    halt = {"type": MsgType.SECURITY_STATUS, "instrument": 1, "field": TradingStatus.HALTED}
    kill = {"type": MsgType.VENUE_STATUS, "field": EntryStatus.BLOCKED}
    seen: dict[str, int] = {}
    with (
        publishing(venue, history_bytes=1 << 24) as publisher,
        zmq.Context() as context,
        context.socket(zmq.SUB) as socket,
    ):
        socket.subscribe(b"")
        socket.connect(publisher.publish_endpoint)
        assert socket.poll(int(DEADLINE_S * 1000)), "a heartbeat"
        venue.send(order_flow(seed, 1500))
        venue.send(commands([halt, *listing(5, "NEW", "0.5"), kill]), LANE_ADMIN)
        all_published(venue, publisher)
        while socket.poll(300) and sum(seen.values()) < 5000:
            topic, payload = socket.recv_multipart()
            name = topic.partition(b"/")[0].decode()
            check(name, message(name, payload))
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1000 or set(seen) == {kind.name.lower() for kind in Kind}:
                break
    assert set(seen) == {kind.name.lower() for kind in Kind}


def test_requests_and_answers_are_what_the_document_says(venue: ThreadVenue, seed: int) -> None:
    venue.send(order_flow(seed, 1500))
    with publishing(venue, history_bytes=1 << 24) as publisher:
        for request in REQUESTS:
            check("request", request)
            head, *frames = ask(publisher, json.dumps(request).encode())
            told = json.loads(head)
            check("reply", told)
            assert ("error" in told) == (request.get("symbols") == ["ZZZ"])
            if "history" in request:
                name = request["history"]["kind"]
                assert frames
                for frame in frames:
                    check(name, message(name, frame))
            if "bars" in request:
                (rows,) = frames
                layout = DOCUMENT["components"]["messages"]["reply"]["x-layout"]["bar"]
                assert len(read(rows, layout)) == told["bars"]["bars"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("request", {"id": {}}),
        ("request", {"history": {}, "symbols": None}),
        ("request", {"bars": {"symbol": "A", "seconds": 0, "from_ns": 0, "until_ns": 1}}),
        ("reply", {"version": 1, "id": 1, "error": "x"}),
        ("trades", {"header": {}, "records": []}),
    ],
)
def test_what_is_none_of_ours_is_not_what_the_document_says(schema: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(schema, value)


def test_layouts_are_read_as_the_package_reads_them() -> None:
    for kind, record in RECORDS.items():
        zeros = np.zeros(2, record)
        layouts = DOCUMENT["components"]["messages"][kind.name.lower()]["x-layout"]
        names = list(record.names or ())
        assert read(zeros.tobytes(), layouts["record"]) == [dict.fromkeys(names, 0)] * 2
        assert layouts["header"]["bytes"] == HEADER.itemsize
    assert DOCUMENT["components"]["messages"]["reply"]["x-layout"]["bar"]["bytes"] == BAR.itemsize
