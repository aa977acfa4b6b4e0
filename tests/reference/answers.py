"""Section 1 of docs/rules.md: numbered events, refusals, OrderIDs, and the checks all others share.

The first of seven layers: Answers, Administration, Places, Linked, Matching, Auctions, Reference.
"""

from reference.records import Command, Event
from reference.state import Capacities, Instrument, Order, Refused, SentTerms, State, require
from touchline.core.messages import ExecType, Flag, MsgType, Reason


class Answers:
    def __init__(self, capacities: Capacities) -> None:
        self.capacities = capacities
        self.state = State()
        self.cmd = Command()
        self.events: list[Event] = []
        self.sent = SentTerms()  # 8.9: of the order that comes
        self.own: Order | None = None  # which the command has entered or replaced

    def step(self, cmd: Command) -> list[Event]:
        """The events that answer one command. A refusal changes nothing else."""
        self.cmd, self.events, self.own = cmd, [], None
        try:
            require(cmd.type in set(MsgType), Reason.INVALID_MSG_TYPE, cmd.type)
            answer = getattr(self, MsgType(cmd.type).name.lower())  # a method for each MsgType
            answer()
        except Refused as refused:
            self.refuse(refused)
        return self.events

    def report(self, exec_type: int, **values: int) -> None:
        """1.1, 1.2"""
        self.state.event_seq += 1
        self.events.append(Event(self.state.event_seq, self.cmd.ts_ns, exec_type, **values))

    def report_order(self, exec_type: int, order: Order, **values: int) -> None:
        """An event about `order`, which answers the command where it is the command's own."""
        if order.special:
            values["flags"] = values.get("flags", 0) | order.flags
        self.report(
            exec_type,
            order_id=order.order_id,
            cl_ord_id=values.pop(
                "cl_ord_id", self.cmd.cl_ord_id if self.own in (None, order) else 0
            ),  # 8.2
            price=order.price,
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            ord_type=order.ord_type,
            time_in_force=order.time_in_force,
            **values,
        )

    def report_administration(self, **values: int) -> None:
        """6.6"""
        cmd = self.cmd
        self.report(
            cmd.type,
            cl_ord_id=cmd.cl_ord_id,
            instrument=cmd.instrument,
            account=cmd.account,
            **values,
        )

    def refuse(self, refused: Refused) -> None:
        """1.3"""
        cmd = self.cmd
        of_order = cmd.type in (MsgType.CANCEL, MsgType.REPLACE)
        self.report(
            ExecType.CANCEL_REJECTED if of_order else ExecType.REJECTED,
            order_id=cmd.order_id if of_order else 0,
            cl_ord_id=cmd.cl_ord_id,
            account=cmd.account,
            instrument=cmd.instrument,
            ord_type=cmd.ord_type,
            time_in_force=cmd.time_in_force,
            side=cmd.side,
            reason=refused.reason,
            value=refused.value,
            limit=refused.limit,
            flags=Flag.REPLACE if cmd.type == MsgType.REPLACE else 0,
        )

    def take_slot(self) -> int:
        """1.4: the OrderID of an order that begins."""
        if self.state.free_slots:
            slot = self.state.free_slots.pop()
        else:
            slot = len(self.state.generations)
            self.state.generations.append(1)
        return self.state.generations[slot] << 32 | slot

    def end(self, order: Order) -> None:
        """1.4: `order` has ended; its slot may be used again under a new generation."""
        del self.state.open_orders[order.order_id]
        slot = order.order_id & 0xFFFFFFFF
        self.state.generations[slot] = self.state.generations[slot] % 0xFFFFFFFF + 1
        self.state.free_slots.append(slot)

    # What commands of several kinds check

    def listed_instrument(self, number: int) -> Instrument:
        """2.1"""
        require(number in self.state.instruments, Reason.UNKNOWN_SYMBOL, number)
        return self.state.instruments[number]

    def check_account_open(self, number: int) -> None:
        """2.1"""
        require(number in self.state.accounts, Reason.UNKNOWN_ACCOUNT, number)

    def check_position_place(self, account: int, instrument: int) -> None:
        """2.6"""
        taken, places = self.state.positions, self.capacities.positions_max
        has_place = (account, instrument) in taken
        require(has_place or len(taken) < places, Reason.POSITIONS_FULL, limit=places)
