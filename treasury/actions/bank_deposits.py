"""Money that reaches the bank by wire or ACH becomes a payment, of the member its reference names or of nobody yet."""

from datetime import UTC

from django.db import transaction

from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.members.policies.statuses import MemberKind
from treasury import locks
from treasury.actions import bank_matches, payments
from treasury.errors import LineNotPosted, LineTaken, MatchKindWrong
from treasury.models import BankLine, BankMatch
from treasury.policies.bank import CHECKING, MatchKind, MatchState, is_posted
from treasury.policies.matching import Nature, nature
from treasury.policies.payments import Provider
from treasury.policies.references import member_in, member_reference
from treasury.reports import bank as reports


def bookable() -> list[BankLine]:
    """Posted lines into the operating account that are nobody else's money, and are no suspected duplicate."""
    return [
        line
        for line in reports.waiting_lines()
        if line.account.ledger_code == CHECKING
        and nature(reports.line_fact(line)) is Nature.DEPOSIT
        and not _is_suspected(line)
    ]


@transaction.atomic
def book(*, line: BankLine, acting: Actor) -> BankMatch:
    """Dr 1110 / Cr 2240 as a payment, once a line. The member is the one whose reference stands in its text.

    Raises NotAllowed, LineNotPosted, LineTaken, MatchKindWrong where the line is no deposit, NoPeriod.
    """
    require(acting, "treasury.read_bank")
    before = BankLine.objects.select_related("current").get(pk=line.pk).current
    if before is None or not is_posted(before.status) or before.posted_at is None:
        raise LineNotPosted(line=line.pk, state=before.status if before is not None else "unknown")
    locks.open_period(on=before.posted_at.astimezone(UTC).date())
    row = locks.bank_lines([line.pk])[0]
    current = row.current
    if current is None or not is_posted(current.status) or current.posted_at is None:
        raise LineNotPosted(line=row.pk, state=current.status if current is not None else "unknown")
    holder = reports.holder_of_line(row.pk)
    if holder is not None:
        raise LineTaken(line=row.pk, match=holder)
    if row.account.ledger_code != CHECKING or nature(reports.line_fact(row)) is not Nature.DEPOSIT:
        raise MatchKindWrong(why="the line is no deposit into the operating account")
    member = member_of(current.text)
    payment = payments.receive(
        provider=Provider.BANK,
        reference=row.line_id,
        member=member,
        amount=current.amount,
        method=current.kind[:40],
        occurred_at=current.posted_at,
        acting=acting,
    )
    whose = f"reference {member_reference(member.pk)}" if member is not None else "no reference of a member"
    return bank_matches.hold_deposit(
        line=row, payment_id=payment.pk, entry=payment.journal_entry, why=f"A deposit with {whose}.", acting=acting
    )


def member_of(text: str) -> Member | None:
    """The member whose reference stands in `text`; the house's own accounts have none."""
    number = member_in(text)
    if number is None:
        return None
    return Member.objects.filter(pk=number).exclude(kind=MemberKind.SYSTEM.value).first()


def _is_suspected(line: BankLine) -> bool:
    return BankMatch.objects.filter(
        kind=MatchKind.DUPLICATE.value, state=MatchState.SUGGESTED.value, match_lines__line=line
    ).exists()
