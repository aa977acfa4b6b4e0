"""Keys of encrypted market data: CurveZMQ pairs in files, and who is allowed.

   NAME.key           the public key, to be handed out
   NAME.key_secret    both keys, its owner's alone: 0600, refused when others may read it
   allowed            at the venue: a line for each key that is let in, KEY and NAME

The files of a pair are those of other ZeroMQ programs (zmq.auth, czmq's zcert). A key is 40
characters of Z85. Whatever is wrong with a file is a TouchlineError that names it.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

from touchline.errors import TouchlineError

KEY_CHARACTERS = 40
FILE_BYTES_MAX = 1 << 20
ALLOWED_MAX = 4096
NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
VENUE = "venue"  # the pair of the publisher itself
ALLOWED = "allowed"
_LINE = re.compile(r'^\s*(public|secret)-key\s*=\s*"([^"]*)"\s*$', re.MULTILINE)
_HEAD = "# Keys that are allowed to read market data; `touchline keys allow` adds one.\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """A public key and its secret, each 40 characters."""

    public: str
    secret: str = field(repr=False)


def raw(key: str) -> bytes:
    """The 32 bytes of a key. Raises TouchlineError for a text that is none."""
    try:
        if len(key) != KEY_CHARACTERS:
            raise ValueError
        return bytes(z85.decode(key.encode("ascii")))
    except (ValueError, KeyError, OverflowError) as error:
        raise TouchlineError(
            f"{key[:60]!r} is no key: a key is {KEY_CHARACTERS} characters of Z85"
        ) from error


def make(directory: Path, name: str) -> Path:
    """Make a pair, and the directory if need be; returns the path of the secret file.

    Raises TouchlineError for a name that is none, and for a pair that is there: nothing is
    replaced.
    """
    checked_name(name)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    public_path, secret_path = directory / f"{name}.key", directory / f"{name}.key_secret"
    for path in (public_path, secret_path):
        if path.exists() or path.is_symlink():
            raise TouchlineError(f"{path} is there already; remove it first if it is of no use")
    public, secret = (key.decode("ascii") for key in zmq.curve_keypair())
    lines = f'metadata\ncurve\n    public-key = "{public}"\n'
    _write(secret_path, f'{lines}    secret-key = "{secret}"\n', 0o600)
    _write(public_path, lines, 0o644)
    return secret_path


def checked_name(name: str) -> str:
    """The name itself; TouchlineError when it is none that a key can have."""
    if not NAME.fullmatch(name) or name.startswith("."):
        raise TouchlineError(
            f"{name[:60]!r} is no name of a key: 1 to 32 letters, digits, '_', '-' and '.'"
        )
    return name


def _write(path: Path, text: str, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def _read(path: Path, wrong_bits: int, what: str) -> str:
    """A small file's text, when nobody has a right to it that nobody should have."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise TouchlineError(f"{path} is no file")
            if mode & wrong_bits:
                raise TouchlineError(f"{path} may be {what} by others: chmod 600 {path}")
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise TouchlineError(f"{path}: {error.strerror}") from error
    if len(data) > FILE_BYTES_MAX:
        raise TouchlineError(f"{path} is longer than {FILE_BYTES_MAX} bytes")
    return data.decode("utf-8", "replace")


def load_pair(path: str | Path) -> Pair:
    """The pair in a secret file, which nobody but its owner may read."""
    found = dict(_LINE.findall(_read(Path(path), 0o077, "read")))
    if found.keys() != {"public", "secret"}:
        raise TouchlineError(f"{path} holds no pair of keys; `touchline keys make` makes one")
    pair = Pair(found["public"], found["secret"])
    try:
        raw(pair.public), raw(pair.secret)
    except TouchlineError:
        raise TouchlineError(f"{path}: its keys are not {KEY_CHARACTERS} characters") from None
    if zmq.curve_public(pair.secret.encode()).decode() != pair.public:
        raise TouchlineError(f"{path}: the public key is not that of the secret one")
    return pair


def public_key(given: str | Path) -> str:
    """A public key: as it is given, or that of the file of this name."""
    text = str(given)
    if isinstance(given, str) and len(text) == KEY_CHARACTERS and not os.path.exists(text):
        raw(text)
        return text
    found = dict(_LINE.findall(_read(Path(given), 0, "")))
    if "public" not in found:
        raise TouchlineError(f"{text} holds no public key")
    raw(found["public"])
    return str(found["public"])


# ── who is allowed ───────────────────────────────────────────────────────────────────────────────


def read_allowed(path: Path) -> dict[str, str]:
    """The names by key that a file allows, none when there is no file.

    Raises TouchlineError for a file that others may write, and for a line that is no key and name.
    """
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(_read(path, 0o022, "written").splitlines(), 1):
        words = line.partition("#")[0].split() if line.lstrip().startswith("#") else line.split()
        if not words:
            continue
        try:
            if len(words) != 2:
                raise TouchlineError("a line is a key and a name")
            raw(words[0])
            checked_name(words[1])
            if words[0] in found or words[1] in found.values():
                raise TouchlineError(f"{words[1]!r} or its key stands there twice")
        except TouchlineError as error:
            raise TouchlineError(f"{path}:{number}: {error}") from None
        found[words[0]] = words[1]
    if len(found) > ALLOWED_MAX:
        raise TouchlineError(f"{path} allows {len(found)} keys; the most are {ALLOWED_MAX}")
    return found


def allow(path: Path, name: str, key: str) -> None:
    """Let a key in under a name. Raises TouchlineError when name or key is there already."""
    checked_name(name)
    raw(key)
    with _changing(path) as found:
        for have, known in found.items():
            if have == key or known == name:
                raise TouchlineError(f"{path}: {known} is allowed already, with {have}")
        if len(found) >= ALLOWED_MAX:
            raise TouchlineError(f"{path} allows {len(found)} keys already, the most there may be")
        found[key] = name


def revoke(path: Path, name: str) -> str:
    """Let a name's key in no longer; returns the key. Raises TouchlineError for an unknown name."""
    with _changing(path) as found:
        for key, known in list(found.items()):
            if known == name:
                del found[key]
                return key
        known_names = ", ".join(found.values()) or "nobody"
        raise TouchlineError(f"{path} does not allow {name[:60]!r}; it allows {known_names}")


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, str]]:
    """The allowed keys, written back whole when the block ends well; one change at a time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = read_allowed(path)
        before = dict(found)
        try:
            yield found
        finally:
            if found != before:
                part = path.with_suffix(".part")
                part.unlink(missing_ok=True)
                text = "".join(f"{key} {name}\n" for key, name in found.items())
                _write(part, _HEAD + text, 0o600)
                os.replace(part, path)
    finally:
        os.close(lock)


class AllowedKeys:
    """The allowed keys as a file has them now: `names` by the 32 bytes of each key.

    `own` is the venue's own key, which its operators' tools use and which is always allowed.
    """

    def __init__(self, path: Path, own: str) -> None:
        self._path = path
        self._own = {raw(own): VENUE}
        self._stamp: tuple[int, ...] | None = None
        self.names: dict[bytes, str] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the file again if it has changed. True when a key is allowed no longer.

        Raises TouchlineError for a file that makes no sense; what was allowed stays so.
        """
        try:
            facts = self._path.stat()
            stamp: tuple[int, ...] = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        except OSError:
            stamp = ()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        before = self.names
        read = read_allowed(self._path)
        self.names = {raw(key): name for key, name in read.items()} | self._own
        return bool(before.keys() - self.names.keys())
