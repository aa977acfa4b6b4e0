"""Section 6 of docs/rules.md: listing, accounts, limits, statuses, checkpoints."""

from reference.answers import Answers
from reference.records import Command
from reference.state import Instrument, Position, SentTerms, Step, require, state_hash
from touchline.core.messages import (
    ALLOCATION_STEPS_MAX,
    GROUP_MAX,
    LIMIT_UNSET,
    PRICE_MAX,
    QTY_MAX,
    TEXT_LANES,
    Allocation,
    EntryStatus,
    ExecType,
    Limit,
    MsgType,
    Reason,
    SelfTrade,
    Side,
)

ACCOUNT_LIMITS = (Limit.ORDER_QTY_MAX, Limit.ORDER_VALUE_MAX, Limit.POSITION_MAX)


def lane_of(cmd: Command) -> int:
    """Whose it is."""
    return (cmd.cl_ord_id >> 32) % TEXT_LANES


TRESPASSES = (
    Reason.FOREIGN_CL_ORD_ID,
    Reason.NOT_THIS_LANE,
    Reason.INVALID_TEXT,
    Reason.NAMED_ALREADY,
)


class Administration(Answers):
    def security_definition(self) -> None:
        """6.1"""
        number = self.cmd.instrument
        require(number < self.capacities.instruments_max, Reason.UNKNOWN_SYMBOL, number)
        require(number not in self.state.instruments, Reason.ALREADY_DEFINED, number)
        self.state.instruments[number] = Instrument(number)
        self.report_administration()

    def account(self) -> None:
        """6.2"""
        number = self.cmd.account
        require(number < self.capacities.accounts_max, Reason.UNKNOWN_ACCOUNT, number)
        require(number not in self.state.accounts, Reason.ALREADY_DEFINED, number)
        self.state.accounts[number] = EntryStatus.OPEN
        self.report_administration()

    def limit(self) -> None:
        """6.3"""
        name, value = self.cmd.field, self.cmd.price
        require(name in set(Limit), Reason.INVALID_FIELD, name)
        instrument = self.listed_instrument(self.cmd.instrument)
        place = (self.cmd.account, self.cmd.instrument)
        attribute = Limit(name).name.lower()
        lowest, highest = {
            Limit.PRICE_MIN: (1, instrument.price_max),
            Limit.PRICE_MAX: (instrument.price_min, PRICE_MAX),
            Limit.QTY_MAX: (1, QTY_MAX),
            Limit.PRICE_COLLAR: (0, PRICE_MAX),
            Limit.REFERENCE_PRICE: (0, PRICE_MAX),
        }.get(Limit(name), (0, LIMIT_UNSET))
        of_account = name in ACCOUNT_LIMITS
        if of_account:
            self.check_account_open(self.cmd.account)
        require(value >= lowest, Reason.INVALID_LIMIT, value, lowest)
        unset = name == Limit.PRICE_COLLAR and value == LIMIT_UNSET
        require(value <= highest or unset, Reason.INVALID_LIMIT, value, highest)
        if of_account:
            self.check_position_place(*place)
            setattr(self.state.positions.setdefault(place, Position()), attribute, value)
        else:
            setattr(instrument, attribute, value)
        self.report_administration(value=value, reason=name)

    def account_status(self) -> None:
        """6.5"""
        account, status = self.cmd.account, self.cmd.field
        self.check_account_open(account)
        require(status in set(EntryStatus), Reason.INVALID_FIELD, status)
        self.state.accounts[account] = status
        self.report_administration(qty=status)

    def self_trade(self) -> None:
        """10.1"""
        account, mode, group = self.cmd.account, self.cmd.field, self.cmd.price
        self.check_account_open(account)
        require(mode in set(SelfTrade), Reason.INVALID_FIELD, mode)
        require(group >= 0, Reason.INVALID_LIMIT, group, 0)
        require(group <= GROUP_MAX, Reason.INVALID_LIMIT, group, GROUP_MAX)
        self.state.self_trades[account] = (mode, group)
        self.report_administration(value=group, qty=mode)

    def allocation(self) -> None:
        """11.1"""
        cmd = self.cmd
        instrument = self.listed_instrument(cmd.instrument)
        require(cmd.field in set(Allocation), Reason.INVALID_FIELD, cmd.field)
        next_place = cmd.side < ALLOCATION_STEPS_MAX and cmd.side in (0, len(instrument.steps))
        require(next_place, Reason.INVALID_FIELD, cmd.side)
        of_account = cmd.field == Allocation.MARKET_MAKER
        if of_account:
            self.check_account_open(cmd.account)
        lots = cmd.field in (Allocation.TOP, Allocation.PRO_RATA)
        percent = cmd.field in (Allocation.FIFO, Allocation.MARKET_MAKER)
        self.check_step_number(cmd.price, QTY_MAX if lots else 0)
        self.check_step_number(cmd.qty, QTY_MAX if lots else 100 if percent else 0)
        orders = [*instrument.book.values(), *instrument.apart()]
        require(not any(orders), Reason.ORDERS_OPEN, cmd.instrument)
        if cmd.side == 0:
            instrument.steps.clear()
            instrument.top = {Side.BUY: 0, Side.SELL: 0}
        account = cmd.account if of_account else 0
        instrument.steps.append(Step(cmd.field, account, cmd.price, cmd.qty))
        self.report_administration(value=cmd.price, qty=cmd.qty, leaves_qty=cmd.side,
                                   reason=cmd.field)  # fmt: skip

    def check_step_number(self, number: int, highest: int) -> None:
        """11.1: from 1, or 0 where the step has none."""
        lowest = min(highest, 1)
        require(number <= highest, Reason.INVALID_LIMIT, number, highest)
        require(number >= lowest, Reason.INVALID_LIMIT, number, lowest)

    def venue_status(self) -> None:
        """6.5"""
        status = self.cmd.field
        require(status in set(EntryStatus), Reason.INVALID_FIELD, status)
        self.state.venue_status = status
        self.report_administration(qty=status)

    def checkpoint(self) -> None:
        """6.7"""
        h = state_hash(self.state)
        self.report_administration(value=h - (1 << 64) if h >= 1 << 63 else h)

    def clock(self) -> None:
        """6.10"""
        self.report_administration(value=self.cmd.price)

    def trespass(self) -> None:
        """6.9"""
        cmd = self.cmd
        require(cmd.field in TRESPASSES, Reason.INVALID_FIELD, cmd.field)
        own = cmd.ord_type != MsgType.TEXT and cmd.cl_ord_id >> 32 == cmd.side
        value = cmd.instrument
        if cmd.field == Reason.FOREIGN_CL_ORD_ID:
            value = cmd.cl_ord_id - (1 << 64) if cmd.cl_ord_id >= 1 << 63 else cmd.cl_ord_id
        elif cmd.field == Reason.NOT_THIS_LANE:
            value = cmd.ord_type
        self.report(
            ExecType.REJECTED,
            cl_ord_id=cmd.cl_ord_id if own else 0,
            account=cmd.account if own else 0,
            instrument=cmd.instrument,
            ord_type=cmd.ord_type,
            time_in_force=cmd.time_in_force,
            side=cmd.side,
            reason=cmd.field,
            value=value,
            limit=cmd.side,
        )

    def terms(self) -> None:
        """8.9: for the order after it."""
        cmd = self.cmd
        self.state.terms[lane_of(cmd)] = SentTerms(
            cmd.cl_ord_id, cmd.price, cmd.order_id & 0xFFFFFFFF, cmd.flags, cmd.field,
            cmd.qty & (1 << 64) - 1, cmd.order_id >> 32,
        )  # fmt: skip

    def text(self) -> None:
        """1.2: a name for the record."""
