"""What an attack has in hand: connections from its own address, a time limit, a list of faults."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.fix_client import Closed, FixClient, Message, framed, utc_now

SOURCE = "127.0.0.9"
ATTACKER = "ATTACKER"
VICTIM = "VICTIM"
PASSWORD = "secret"
SOH = "\x01"
REFUSED_S = 15.0  # within which whoever sent no good Logon must have been got rid of
ANSWER_S = 5.0  # what is not answered by then will not be


@dataclass
class Target:
    """A venue under attack. `stop` is set when the time is up, or when the venue has died."""

    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    clock: Callable[[float], None] = lambda seconds: None  # moves the venue's clock
    kill: Callable[[], None] = lambda: None  # ends the gateway: for a test of the verdict
    _held: list[socket.socket] = field(default_factory=list)

    def going(self) -> bool:
        return not self.stop.is_set()

    def fault(self, text: str) -> None:
        if text not in self.faults:
            self.faults.append(text)

    def wait(self, seconds: float) -> None:
        self.stop.wait(seconds)

    def connect(self, timeout_s: float = 5.0) -> socket.socket:
        """A connection that stays until the attack's end, unless it is closed before."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout_s, (SOURCE, 0))
        self._held.append(made)
        return made

    def client(self, comp_id: str = ATTACKER, begin_string: str = "FIX.4.4") -> FixClient:
        return FixClient(self.port, comp_id, begin_string, source=SOURCE, timeout_s=ANSWER_S)

    def logged_on(self, comp_id: str = ATTACKER, begin_string: str = "FIX.4.4") -> FixClient:
        client = self.client(comp_id, begin_string)
        answer = client.logon()
        if answer["35"] != "A":
            self.fault(f"the attacker's own Logon was answered by {answer}")
        return client

    def close(self) -> None:
        self.stop.set()
        for one in self._held:
            one.close()


def logon(*fields: str, comp_id: str = VICTIM, seq: int = 1, usual: bool = True) -> bytes:
    """A Logon as it goes over the wire; `usual`: with EncryptMethod and HeartBtInt."""
    header = ("35=A", f"34={seq}", f"49={comp_id}", "56=TOUCHLINE", f"52={utc_now()}")
    body = (*header, *(("98=0", "108=30") if usual else ()), *fields)
    return framed("FIX.4.4", SOH.join(body) + SOH)


def order(cl_ord_id: str, side: str = "1", qty: str = "10", price: str = "1.00") -> list[str]:
    fields = f"11={cl_ord_id}|55=S05|54={side}|38={qty}|40=2|44={price}|60={utc_now()}"
    return fields.split("|")


@contextlib.contextmanager
def hung_up_on() -> Iterator[None]:
    """To be disconnected is what an attacker may expect."""
    with contextlib.suppress(OSError, Closed):
        yield


def ended(connection: socket.socket, seconds: float = REFUSED_S) -> bool:
    """Whether the venue closes a connection in time, whatever it says before."""
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(65536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def answers(client: FixClient, mark: str) -> list[Message]:
    """What the venue has sent up to its answer to a TestRequest; ends with {} when it hung up."""
    found: list[Message] = []
    try:
        client.send("1", f"112={mark}")
        while (message := client.receive()).get("112") != mark:
            found.append(message)
    except (OSError, Closed):
        found.append({})
    return found


def answer(client: FixClient, msg_type: str, *fields: str) -> Message:
    """What the venue says to a request, by its ClOrdID or its number; {} when it hung up."""
    seq = str(client.next_seq)
    named = {field.removeprefix("11=") for field in fields if field.startswith("11=")}
    try:
        client.send(msg_type, *fields)
        while True:
            message = client.receive()
            about = message["35"] in "389j" and message.get("45") == seq
            if about or message.get("11") in named:
                return message
    except (OSError, Closed):
        return {}


def drained(client: FixClient, until: Callable[[], bool]) -> threading.Thread:
    """A thread that reads and forgets what comes, so that the venue's answers find room."""

    def read() -> None:
        with hung_up_on():
            while until():
                client.receive()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
