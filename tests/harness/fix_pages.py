"""Write docs/fix/: a page for each FIX message of the venue, an Orchestra file for each version.

    cd tests && python -m harness.fix_pages [DIRECTORY]

It plays every conformance script on a venue of its own and sends it every field of an order's
messages, so a page says what the venue did. Nothing in it depends on when it is run.
"""

from __future__ import annotations

import re
import sys
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from harness.fix_dictionary import DICTIONARIES, SHORT, Field, book
from harness.fix_evidence import ADMINISTRATIVE, Play, Said, refuses
from harness.fix_orchestra import orchestra
from harness.fix_survey import Survey, survey
from harness.sources import ROOT
from touchline.wire.fix_terms import term_of

PAGES = ROOT / "docs" / "fix"
WIDTH = 98
EXAMPLES = 3
LONGEST = 700  # bytes of a message that is shown
WRITTEN = "*Written by `make docs`; not to be edited.*"


def wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def shorts(versions: Iterable[str]) -> str:
    """Versions in words: "4.2, 4.4 and 5.0 SP2"."""
    names = [SHORT[version] for version in DICTIONARIES if version in set(versions)]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def meanings(tag: int, values: Iterable[str], versions: Iterable[str]) -> str:
    """Values with what they mean in the latest version that has them."""
    words = []
    books = [book(version) for version in reversed(list(versions))]
    for value in values:
        told = [of.fields[tag].values.get(value) for of in books if tag in of.fields]
        meaning = next(filter(None, told), "").lower().replace("_", " ")
        words.append(f"`{value}` {meaning}".strip())
    return ", ".join(words)


class Page:
    """The page of one message."""

    def __init__(self, of: Survey, msg_type: str) -> None:
        self.of = of
        self.msg_type = msg_type
        self.versions = of.versions(msg_type)
        self.taken = [v for v in self.versions if msg_type in of.evidence.taken[v]]
        self.sent = [v for v in self.versions if msg_type in of.evidence.sent[v]]
        self.name = of.layout(self.versions[-1], msg_type).name

    @property
    def file(self) -> str:
        return f"{self.name}.md"

    def lines(self) -> list[str]:
        lines = [f"# {self.name} ({self.msg_type})", "", WRITTEN, ""]
        if self.taken:
            lines += [f"You send it, in FIX {shorts(self.taken)}.", ""]
        if self.sent:
            lines += [f"The venue sends it, in FIX {shorts(self.sent)}.", ""]
        if self.taken:
            tried = self.of.tried(self.taken[-1], self.msg_type)
            lines += self.request() if tried else self.simple_request()
        if self.sent:
            lines += self.answer()
        return lines + self.examples()

    def field(self, tag: int) -> Field:
        return next(book(v).fields[tag] for v in reversed(self.versions) if tag in book(v).fields)

    def table(
        self, tags: Collection[int], cells: dict[tuple[str, int], str], last: dict[int, str]
    ) -> list[str]:
        """Rows of fields, a column for each version; below it what may stand in them."""
        columns = ["tag", "field", "type", *(SHORT[v] for v in self.versions)]
        lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        for tag in tags:
            one = self.field(tag)
            row = [str(tag), one.name, one.type]
            row += [cells.get((version, tag), "") for version in self.versions]
            lines.append("| " + " | ".join(row) + " |")
        lines.append("")
        told = [wrapped(f"- {self.field(t).name}({t}): {last[t]}", "  ") for t in tags if last[t]]
        return [*lines, *told, ""] if told else lines

    def request(self) -> list[str]:
        """Every field of the message, as the venue took it when it was sent."""
        read: dict[int, str] = {}
        cells: dict[tuple[str, int], str] = {}
        groups: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for version in self.taken:
            flat = self.of.layout(version, self.msg_type).flat()
            for tag, member in flat.items():
                if term_of(tag) == "frame":
                    continue
                standing = self.of.standing(version, self.msg_type, tag)
                if member.required:
                    cells[version, tag] = "required"
                elif standing == "needed":
                    cells[version, tag] = "needed"
                elif standing == "read":
                    cells[version, tag] = "optional"
                else:
                    cells[version, tag] = "ignored" if standing == "harmless" else standing
                    groups[standing][tag].append(version)
                if member.required or standing in ("needed", "read"):
                    read[tag] = self.values(tag)
        lines = ["## Fields", ""]
        lines += self.table(read, cells, read)
        for tag in read:
            for listed in groups.values():
                listed.pop(tag, None)
        lines += self.listed("Refused", groups["refused"])
        lines += self.listed("Harmless", groups["harmless"])
        return lines + self.listed("Not tried", groups["untried"])

    def values(self, tag: int) -> str:
        """What may stand in a field that is read, as far as FIX lists values; or what may not."""
        told: dict[str, list[str]] = defaultdict(list)
        for version in self.taken:
            verdict = self.of.verdict(version, self.msg_type, tag)
            if verdict is not None and verdict.values:
                told[meanings(tag, verdict.values, [version])].append(version)
            elif verdict is not None and verdict.refused:
                told[f"another is refused, *{verdict.refused}*"].append(version)
        if len(told) == 1:
            return next(iter(told))
        return "; ".join(f"{shorts(those)}: {text}" for text, those in told.items())

    def listed(self, title: str, tags: dict[int, list[str]]) -> list[str]:
        """Fields by the versions in which this is so; what stands in a group goes with it."""
        by_versions: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for tag, versions in sorted(tags.items()):
            path = self.of.outermost(versions[-1], self.msg_type, tag)
            if any(outer.tag in tags for outer in path[:-1]):
                continue
            text = f"{self.field(tag).name}({tag})"
            if path[-1].members:
                text += " with its entries"
            verdicts = [self.of.verdict(version, self.msg_type, tag) for version in versions]
            if any(one is not None and one.zero_passes for one in verdicts):
                text += " but for 0"
            by_versions[tuple(versions)].append(text)
        if not by_versions:
            return []
        lines = [f"## {title}", ""]
        for those, texts in by_versions.items():
            where = "" if list(those) == self.taken else f"In {shorts(those)}: "
            lines += [wrapped(f"{where}{', '.join(texts)}."), ""]
        return lines

    def simple_request(self) -> list[str]:
        """The fields that a message which was taken had, in some script."""
        used = self.of.evidence.used
        cells: dict[tuple[str, int], str] = {}
        last: dict[int, str] = defaultdict(str)
        tags: dict[int, None] = {}
        for version in self.taken:
            for tag, member in self.of.layout(version, self.msg_type).flat().items():
                if member.required or tag in used[version, self.msg_type]:
                    cells[version, tag] = "required" if member.required else "optional"
                    tags[tag] = None
        if not tags:
            return []
        for tag in tags:
            if self.field(tag).values:
                values = {v for at in self.taken for v in used[at, self.msg_type].get(tag, ())}
                last[tag] = meanings(tag, sorted(values), self.taken)
        return ["## Fields you send", "", *self.table(tags, cells, last)]

    def answer(self) -> list[str]:
        """The fields that the venue was heard to send."""
        seen = self.of.evidence.sent_tags
        cells: dict[tuple[str, int], str] = {}
        last: dict[int, str] = defaultdict(str)
        tags: dict[int, None] = {}
        for version in self.sent:
            messages = seen[version, self.msg_type]
            for tag in self.of.layout(version, self.msg_type).flat():
                count = sum(tag in each for each in messages)
                if count:
                    cells[version, tag] = "always" if count == len(messages) else "at times"
                    tags[tag] = None
        for tag in tags:
            if self.field(tag).values:
                values = self.of.values_sent(self.msg_type, tag, self.sent)
                last[tag] = meanings(tag, values, self.sent)
        if not tags:
            return []
        return ["## Fields you receive", "", *self.table(tags, cells, last)]

    def examples(self) -> list[str]:
        lines: list[str] = []
        told: set[str] = set()
        for version in sorted(self.versions, key=lambda v: (v != "FIX.4.4", v)):
            plays = [play for play in self.of.evidence.plays if self.shows(play, version)]
            plays.sort(key=self.rank)
            room = EXAMPLES if not told else 1
            for play in [play for play in plays if play.script not in told][:room]:
                told.add(play.script)
                lines += self.example(play)
        return ["## Examples", "", *lines] if lines else []

    def rank(self, play: Play) -> tuple[bool, bool, int, str]:
        """The plainest first: an answer, and of a request none that refuses it."""
        heard = [message for message in self.shown(play) if not message.sent]
        refused = bool(self.taken) and any(map(refuses, heard))
        return not heard, refused, len(play.said), play.script

    def shows(self, play: Play, version: str) -> bool:
        """Whether a play has the message, as one that was sent or taken, and none too long."""
        if play.begin_string != version or play.timed:
            return False
        if any(len(each.raw()) > LONGEST for each in self.shown(play)):
            return False
        ways = [
            way for way, versions in ((True, self.taken), (False, self.sent)) if version in versions
        ]
        return any(m.msg_type == self.msg_type and m.sent in ways for m in self.shown(play))

    def shown(self, play: Play) -> list[Said]:
        """A play without the Logons, Heartbeats and the like that any session has."""
        plain = ADMINISTRATIVE - {"3"}
        if self.msg_type in plain:
            hidden = set() if self.msg_type in ("A", "5") else {"A"}
            return [message for message in play.said if message.msg_type not in hidden]
        return [message for message in play.said if message.msg_type not in plain]

    def example(self, play: Play) -> list[str]:
        shown = self.shown(play)
        several = len({message.broker for message in shown}) > 1
        lines = [wrapped(f"FIX {SHORT[play.begin_string]}: {play.rule}"), "", "```"]
        for message in shown:
            mark = (message.broker if several else "") + ("> " if message.sent else "< ")
            lines += raw_lines(mark, message.raw())
        return [*lines, "```", ""]


def pieces(text: str, room: int) -> Iterator[str]:
    """A text cut before spaces where there are any, so that no line ends in one."""
    while len(text) > room:
        cut = text.rfind(" ", 1, room)
        cut = cut if cut > 0 else room
        yield text[:cut]
        text = text[cut:]
    yield text


def raw_lines(mark: str, raw: str) -> list[str]:
    """A message in lines that are not too long, broken behind a field where that is possible."""
    lines, line = [], mark
    for field in re.findall(r"[^|]*\|?", raw):
        for piece in pieces(field, WIDTH - 6):
            if len(line) + len(piece) > WIDTH:
                lines.append(line)
                line = "    "
            line += piece
    return [*lines, line]


def frame_page(of: Survey) -> list[str]:
    """Header and trailer: what was heard of them, whatever the message."""
    lines = ["# Header and trailer", "", WRITTEN, ""]
    lines += [
        wrapped(
            "Around every message, in this order as far as BeginString(8), BodyLength(9), "
            "MsgType(35) and CheckSum(10) go. *Yours*: you must or may send it; *ours*: the venue "
            "sends it. Other fields of the header that FIX defines are checked and ignored."
        ),
        "",
        "| tag | field | type | " + " | ".join(SHORT.values()) + " |",
        "|---" * (3 + len(SHORT)) + "|",
    ]
    heard: dict[tuple[str, int], set[str]] = defaultdict(set)
    rows: dict[int, Field] = {}
    for play in of.evidence.plays:
        flat = {member.tag: member for member in book(play.begin_string).frame.members}
        for message in play.said:
            for tag, _ in message.fields:
                if tag in flat:
                    rows[tag] = flat[tag].field
                    heard[play.begin_string, tag].add("yours" if message.sent else "ours")
    for version in SHORT:
        for member in book(version).frame.members:
            if member.required:
                rows[member.tag] = member.field
    for tag, one in sorted(rows.items(), key=lambda row: (row[0] == 10, row[0])):
        cells = [", ".join(sorted(heard[version, tag], reverse=True)) for version in SHORT]
        lines.append(f"| {tag} | {one.name} | {one.type} | {' | '.join(cells)} |")
    return [*lines, ""]


INDEX = """# FIX, message by message

*Written by `make docs`; not to be edited.*

[The rules of engagement](../fix.md) say how the messages belong together. Each page here says of
one message which fields it has: of an order's requests (D, F, G, H) every field that FIX defines
was sent to a venue, and the page says what it did; of the others it lists what FIX requires and
what the conformance scripts send and see. The examples are what was on the wire when a script was
played, with other times and numbers; `>` is yours, `<` the venue's, in front of it the broker's
number where there are several, and `|` stands for the separator, the byte 1.

- *required*: by FIX. *needed*: by the venue; a message without it is refused or rejected.
  *optional*: read where it is given.
- *refused*: the request is refused, and Text(58) names the field. *ignored*, *harmless*: the field
  is checked and changes nothing.
- *always*, *at times*: in all or some of the messages of the scripts.

In the table below *you* send a message in that version, the *venue*, or *both*.

For programs there is an Orchestra file (FIX Orchestra 1.0) of each version:
{files}.
The tests hold each to this: it is well-formed, its parts stand in the order of the specification,
ids and names are unique, every reference leads somewhere, and each presence and type is one that
Orchestra or the file knows. The schema of FIX Orchestra itself is in no package that the tests
could install, so no file is validated by it.
"""


def orchestra_name(version: str) -> str:
    return f"touchline-{SHORT[version].replace(' ', '')}.orchestra.xml"


def index(pages: list[Page]) -> list[str]:
    files = [f"[{name}]({name})" for name in map(orchestra_name, DICTIONARIES)]
    lines = INDEX.format(files=",\n".join(files)).splitlines()
    lines += ["", "| | message | 4.2 | 4.4 | 5.0 SP2 |", "|---|---|---|---|---|"]
    lines.append("| | [Header and trailer](Header.md) | both | both | both |")
    for page in pages:
        ways = [
            {(True, True): "both", (True, False): "you", (False, True): "venue"}.get(
                (version in page.taken, version in page.sent), ""
            )
            for version in DICTIONARIES
        ]
        lines.append(f"| {page.msg_type} | [{page.name}]({page.file}) | {' | '.join(ways)} |")
    return [*lines, ""]


def files(of: Survey) -> dict[str, str]:
    """Every file of docs/fix/ by its name."""
    pages = [Page(of, msg_type) for msg_type in of.messages()]
    found = {"README.md": index(pages), "Header.md": frame_page(of)}
    found |= {page.file: page.lines() for page in pages}
    texts = {name: "\n".join(lines).rstrip("\n") + "\n" for name, lines in found.items()}
    return texts | {orchestra_name(version): orchestra(of, version) for version in DICTIONARIES}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGES
    with tempfile.TemporaryDirectory(prefix="touchline-pages-") as directory:
        texts = files(survey(Path(directory) / "venue"))
    target.mkdir(parents=True, exist_ok=True)
    for old in {path.name for path in target.iterdir()} - texts.keys():
        (target / old).unlink()
    for name, text in texts.items():
        (target / name).write_text(text)


if __name__ == "__main__":
    main()
