"""The configuration file changed in place: what is not meant stays, byte for byte."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from touchline.config import SessionSection, load
from touchline.control.operate.session_file import SessionFile
from touchline.errors import ConfigError, TouchlineError

HEAD = """\
# a venue   with odd   spacing

[[accounts]]
name = "A"      # its account
"""
SESSIONS = """
[[sessions]]
  comp_id = "ONE"  # the first
  accounts = ["A"]

[[sessions]]
accounts = [
  "A",
]
comp_id = 'TWO'
enabled =   true # for now
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "touchline.toml"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    return path


def session(name: str = "NEW", **values: object) -> SessionSection:
    return SessionSection.model_validate({"comp_id": name, "accounts": ["A"], **values})


def test_a_session_is_put_at_the_end_and_all_else_stays(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + SESSIONS)
    values: dict[str, Any] = {
        "password": 'a "name" \\ of ü #',
        "addresses": ["10.0.0.0/8", "::1"],
        "open": "08:00",
        "close": "17:00",
        "time_zone": "Europe/Berlin",
        "time_decimals": 6,
        "enabled": False,
    }
    wanted = session(**values)
    config = SessionFile(path, {}).add(wanted)
    text = path.read_text()
    assert text.startswith(HEAD + SESSIONS)
    assert config.sessions[2] == load(path).sessions[2] == wanted
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["touchline.toml"]


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_however_the_file_ends(tmp_path: Path, end: str, begin: str) -> None:
    before = begin + HEAD.rstrip("\n") + end
    path = written(tmp_path, before)
    SessionFile(path, {}).add(session())
    assert path.read_bytes().startswith(before.encode())
    assert [one.comp_id for one in load(path).sessions] == ["NEW"]


def test_lines_that_end_as_windows_has_it_stay_so(tmp_path: Path) -> None:
    path = written(tmp_path, (HEAD + SESSIONS).replace("\n", "\r\n"))
    SessionFile(path, {}).add(session())
    SessionFile(path, {}).enable("ONE", False)
    assert path.read_bytes().replace(b"\r\n", b"").count(b"\n") == 0
    assert [one.enabled for one in load(path).sessions] == [False, True, True]


def test_one_line_changes_when_a_session_is_disabled_and_enabled(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + SESSIONS)
    file = SessionFile(path, {})
    file.enable("ONE", False)
    told = '  comp_id = "ONE"  # the first\n'
    disabled = SESSIONS.replace(told, f"{told}  enabled = false\n")
    assert path.read_text() == HEAD + disabled
    file.enable("TWO", False)
    assert path.read_text() == HEAD + disabled.replace("=   true # for", "=   false # for")
    file.enable("TWO", True)
    file.enable("ONE", True)
    assert path.read_text() == HEAD + disabled.replace("= false", "= true")


@pytest.mark.parametrize(
    "text",
    [
        'sessions = [{comp_id = "ONE", accounts = ["A"]}]\n' + HEAD,
        HEAD + '[[sessions]]\naccounts = ["A"]\ncomp_id = """\\\nONE"""\n',
        HEAD + "sessions = []\n",
    ],
)
def test_a_layout_that_is_not_understood_is_left_alone(tmp_path: Path, text: str) -> None:
    for name, change in (("TWO", SessionFile.add), ("ONE", SessionFile.enable)):
        path = written(tmp_path, text)
        arguments = (session(name),) if name == "TWO" else (name, False)
        try:
            change(SessionFile(path, {}), *arguments)
        except (TouchlineError, ConfigError):
            assert path.read_bytes() == text.encode()
        else:  # then it must say what was meant
            assert [s for s in load(path).sessions if s.comp_id == "TWO" or not s.enabled]
    assert [p.name for p in tmp_path.iterdir()] == ["touchline.toml"]


def test_a_file_that_is_wrong_is_told_of_by_its_own_name(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + SESSIONS)
    with pytest.raises(ConfigError, match=r"touchline\.toml:\d+: sessions\[3\]\.accounts: 'B'"):
        SessionFile(path, {}).add(session(accounts=["B"]))
    with pytest.raises(TouchlineError, match="there is no session 'NOBODY'"):
        SessionFile(path, {}).enable("NOBODY", False)
    assert path.read_text() == HEAD + SESSIONS


def test_sessions_of_the_environment_are_not_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, HEAD)
    monkeypatch.setenv("TOUCHLINE_SESSIONS", '[{"comp_id": "E", "accounts": ["A"]}]')
    with pytest.raises(TouchlineError, match="come from the environment"):
        SessionFile(path, {}).add(session())
    assert path.read_text() == HEAD


def test_two_who_change_it_take_turns(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD)
    names = [f"S{n}" for n in range(24)]
    failed: list[BaseException] = []

    def add(name: str) -> None:
        try:
            SessionFile(path, {}).add(session(name))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted(one.comp_id for one in load(path).sessions) == sorted(names)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = written(tmp_path / "real", HEAD)
    link = tmp_path / "touchline.toml"
    link.symlink_to(real)
    config = SessionFile(link, {}).add(session())
    assert link.is_symlink()
    assert config == load(link) == load(real)
