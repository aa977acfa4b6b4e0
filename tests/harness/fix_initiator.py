"""A broker's QuickFIX initiator in a process of its own: JSON in, JSON out.

`python fix_initiator.py PORT COMP_ID BEGIN_STRING DIRECTORY [PASSWORD]` logs on, sends what it
reads from standard input (a list: MsgType, then "tag=value" strings), and prints what it receives
as one object of tags and values a line. It checks every message against its own data dictionary,
and prints {"refused": ...} should it have to reject one.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import quickfix as fix

from touchline.fix.settings import dictionary

SETTINGS = """\
[DEFAULT]
ConnectionType=initiator
NonStopSession=Y
HeartBtInt=30
ReconnectInterval=1
SocketNodelay=Y
UseDataDictionary=Y
ValidateUserDefinedFields=Y
FileStorePath={directory}/store
FileLogPath={directory}/log
[SESSION]
BeginString={begin_string}
SenderCompID={comp_id}
TargetCompID=TOUCHLINE
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
DataDictionary={dictionary}
"""


def say(what: dict[str, str]) -> None:
    print(json.dumps(what), flush=True)


class Application(fix.Application):  # type: ignore[misc]
    def __init__(self, password: str | None) -> None:
        super().__init__()
        self.password = password
        self.on = threading.Event()

    def onCreate(self, session_id: Any) -> None:
        self.session_id = session_id

    def onLogon(self, session_id: Any) -> None:
        self.on.set()
        say({"35": "A"})

    def onLogout(self, session_id: Any) -> None:
        say({"35": "5"})

    def toAdmin(self, message: Any, session_id: Any) -> None:
        msg_type = message.getHeader().getField(35)
        if msg_type == "A" and self.password:
            message.setField(554, self.password)
        if msg_type == "3":
            say({"refused": message.toString()})

    def toApp(self, message: Any, session_id: Any) -> None:
        if message.getHeader().getField(35) == "j":
            say({"refused": message.toString()})

    def fromAdmin(self, message: Any, session_id: Any) -> None:
        if message.getHeader().getField(35) == "3":
            self.fromApp(message, session_id)

    def fromApp(self, message: Any, session_id: Any) -> None:
        say(dict(pair.split("=", 1) for pair in message.toString().split("\x01")[:-1]))


def main(port: str, comp_id: str, begin_string: str, directory: str, *password: str) -> int:
    settings = fix.SessionSettings()
    path = dictionary(begin_string, Path(directory))
    text = SETTINGS.format(
        port=port,
        comp_id=comp_id,
        begin_string=begin_string,
        directory=directory,
        dictionary=path,
    )
    settings.setFromString(text)
    application = Application(password[0] if password else None)
    stores, logs = fix.FileStoreFactory(settings), fix.FileLogFactory(settings)
    initiator = fix.SocketInitiator(application, stores, settings, logs)
    initiator.start()
    for line in sys.stdin:
        msg_type, *fields = json.loads(line)
        message = fix.Message()
        message.getHeader().setField(35, msg_type)
        for field in fields:
            tag, _, value = field.partition("=")
            message.setField(int(tag), value)
        fix.Session.sendToTarget(message, fix.SessionID(begin_string, comp_id, "TOUCHLINE"))
    stopping = threading.Thread(target=initiator.stop)
    stopping.start()
    stopping.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
