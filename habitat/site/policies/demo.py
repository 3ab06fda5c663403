"""The sample cooperative: who is in it, what they hold, give, lock and use; all of it fixed, nothing random."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Final

from cloud_credits.policies.governance import Choice
from cloud_credits.policies.primitives import Primitive
from habitat.members.policies.roles import Role
from habitat.members.policies.statuses import MemberKind, SystemAccount

# For development settings only: `manage.py demo` refuses anywhere else.
PASSWORD: Final = "demo cooperative 2026"  # noqa: S105 - printed for everybody, on a machine of one's own
REASON: Final = "Sample cooperative"


@dataclass(frozen=True, slots=True)
class Person:
    """`subname` is also the name in the e-mail address; a `role` above member opens the back office."""

    name: str
    subname: str
    minted: Decimal
    role: Role | None = None
    has_password: bool = False
    is_investor: bool = False
    kind: MemberKind = MemberKind.PERSON

    @property
    def email(self) -> str:
        return f"{self.subname}@habitat.example"


PEOPLE: Final = (
    Person("Ana", "ana", Decimal(320), has_password=True, is_investor=True),
    Person("Ben", "ben", Decimal(180), role=Role.STEWARD, has_password=True),
    Person("Chloe", "chloe", Decimal(90), role=Role.OPERATIONS, has_password=True),
    Person("Dev", "dev", Decimal(90), role=Role.OPERATIONS, has_password=True),
    Person("Elin", "elin", Decimal(150), role=Role.STEWARD),
    Person("Farid", "farid", Decimal(240), role=Role.ADMIN, is_investor=True),
    Person("Grace", "grace", Decimal(75)),
    Person("Hugo", "hugo", Decimal("132.5")),
    Person("Ines", "ines", Decimal(410), is_investor=True),
    Person("Jonas", "jonas", Decimal(60)),
    Person("Kira", "kira", Decimal("99.99")),
    Person("Corner Bakery", "corner-bakery", Decimal(500), kind=MemberKind.ORGANISATION),
)
ASKS, AGREES = "chloe", "dev"
# The second person of operations is there to decide what the first one asks.
LOGINS: Final = (
    (Role.MEMBER, "ana"),
    (Role.STEWARD, "ben"),
    (Role.OPERATIONS, "chloe"),
    (Role.OPERATIONS, "dev"),
)


@dataclass(frozen=True, slots=True)
class Gift:
    """A transfer or a grant of `amount` CLOUD; `giver` is a subname or a system account."""

    giver: str
    recipient: str
    amount: Decimal
    memo: str


@dataclass(frozen=True, slots=True)
class Lock:
    """A stake of `amount` CLOUD for `days`."""

    member: str
    amount: Decimal
    days: int


# 20,000 USD of capital (domain §6), and what the members had paid for their opening credits.
OPENED_ON: Final = date(2026, 1, 1)
OPENING_CASH: Final = Decimal(20_000) + 10 * Decimal(3_250)
OPENING: Final = "Opening cash: capital, and payments for the opening credits"

# Techne takes no mint: credits reach it by invoices and grants only (domain §3).
SYSTEM_MINTS: Final = ((SystemAccount.POOL, Decimal(600)), (SystemAccount.WATERSHED, Decimal(250)))
TRANSFERS: Final = (
    Gift("ana", "ben", Decimal("12.5"), "Bread for the assembly"),
    Gift("corner-bakery", "grace", Decimal(25), "Saturday shift"),
    Gift("ines", "jonas", Decimal(40), "Lent for the press"),
    Gift("hugo", "kira", Decimal("3.75"), "Coffee"),
    Gift("jonas", "ines", Decimal(10), "First part back"),
    Gift("elin", "dev", Decimal(8), "Bicycle repair"),
    Gift("ben", "corner-bakery", Decimal("6.2"), "Two loaves"),
    Gift("kira", "hugo", Decimal("0.00000001"), "The smallest amount there is"),
)
GRANTS: Final = (
    Gift(SystemAccount.POOL.value, "grace", Decimal(30), "Grant: evening course"),
    Gift(SystemAccount.WATERSHED.value, "jonas", Decimal(45), "Grant: river survey"),
    Gift(SystemAccount.POOL.value, SystemAccount.TECHNE.value, Decimal(100), "Hosting of common services"),
    Gift(SystemAccount.TECHNE.value, "hugo", Decimal(15), "Thanks for the night shift"),
)
LOCKS: Final = (Lock("ana", Decimal(100), 90), Lock("ines", Decimal(150), 365), Lock("farid", Decimal(50), 30))


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice of techne for `quantity` times `price` CLOUD."""

    member: str
    title: str
    quantity: Decimal
    price: Decimal
    is_paid: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """A purchase of `amount` CLOUD by card, which Stripe keeps for later where `saves_card`."""

    member: str
    amount: Decimal
    saves_card: bool = False


@dataclass(frozen=True, slots=True)
class Refill:
    """An automatic top-up: below `threshold` CLOUD buy `amount` with the card the member saved."""

    member: str
    threshold: Decimal
    amount: Decimal
    most_a_day: int


INVOICES: Final = (
    Bill("ana", "Web site for the orchard", Decimal(8), Decimal("2.5"), is_paid=True),
    Bill("ines", "Press kit", Decimal(3), Decimal(4), is_paid=False),
)
PURCHASES: Final = (
    Wish("ana", Decimal(25)),
    Wish("hugo", Decimal("12.5")),
    Wish("grace", Decimal(60)),
    Wish("ana", Decimal(5), saves_card=True),
)
# Ana holds far more: nothing is charged before she has used most of it.
REFILL: Final = Refill("ana", Decimal(20), Decimal(10), 1)
# Of which of them how much goes back.
REFUND_OF: Final = 1
REFUND: Final = Decimal("2.5")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rate card put before the members: rates and costs by primitive where they differ from version 1's.

    `days` from the notice to its first day in force; `closes_in` days of voting, opened at once; None where it is
    only discussed. `comments` and `ballots` name who spoke or voted.
    """

    proposer: str
    rates: dict[Primitive, Decimal]
    costs: dict[Primitive, Decimal]
    target_margin: Decimal
    days: int
    justification: str
    capacity: str
    comments: tuple[tuple[str, str], ...]
    evidence: str = ""
    closes_in: int | None = None
    ballots: tuple[tuple[str, Choice, str], ...] = ()


# An emergency may go to the vote at once, so a newcomer finds an open vote on the first day (domain §4); the other
# card is where most are: in its two weeks of discussion.
PROPOSALS: Final = (
    Proposal(
        proposer="ben",
        rates={Primitive.TRANSFER: Decimal("0.15")},
        costs={Primitive.TRANSFER: Decimal("0.03")},
        target_margin=Decimal(80),
        days=9,
        justification=(
            "Our network provider has tripled the price of outbound traffic, at ten days' notice. At 0.1 CLOUD a "
            "gigabyte we still cover the cost, but no longer the reserve that we owe ourselves. 0.15 is the most the "
            "cap allows. Nothing else changes."
        ),
        capacity="Traffic as in the last quarter: about 40 gigabytes a week.",
        evidence="The provider's letter of this week: 0.03 USD a gigabyte instead of 0.01, from next month on.",
        comments=(
            ("ines", "Can we see the provider's letter? I would like to know whether the old price is gone for good."),
            ("chloe", "It is. I have asked two others; both are above 0.03 USD."),
            ("corner-bakery", "For us that is about one credit a month. Fine, if it keeps the archive where it is."),
        ),
        closes_in=6,
        ballots=(("elin", Choice.YES, "Better a small step now than a large one in spring."),),
    ),
    Proposal(
        proposer="chloe",
        rates={Primitive.COMPUTE: Decimal("0.9"), Primitive.LTM: Decimal("0.06"), Primitive.STM: Decimal("0.45")},
        costs={Primitive.COMPUTE: Decimal("0.0375"), Primitive.LTM: Decimal("0.027")},
        target_margin=Decimal(88),
        days=45,
        justification=(
            "The new machines compute for less, so compute and short-term memory become cheaper. Long-term memory "
            "costs us more since we keep a second copy elsewhere."
        ),
        capacity="Room for twice the usage of the last quarter.",
        comments=(
            ("hugo", "Cheaper rendering is what I was waiting for."),
            ("kira", "Does the second copy cover what is in the archive already?"),
            ("dev", "Yes, from the first day on."),
        ),
    ),
)

SERVICE_NAMES: Final = {
    Primitive.COMPUTE: "render-farm",
    Primitive.TRANSFER: "file-exchange",
    Primitive.LTM: "archive",
    Primitive.STM: "notebook",
}
KEY_NAME: Final = "Demo services"
# Readings of every third day of the last month, and half-month readings of the two months before: those are older
# than 35 days, and come in only with a second person's agreement (domain §4).
RECENT_DAYS: Final = range(1, 31, 3)
LATE_DAYS: Final = (40, 54, 68, 82)


@dataclass(frozen=True, slots=True)
class Reading:
    """One usage event of the plan, without the member's id."""

    subname: str
    primitive: Primitive
    quantity: Decimal
    ended_at: datetime

    @property
    def event_id(self) -> str:
        return f"demo:{self.subname}:{self.ended_at:%Y-%m-%d}:{self.primitive.value}"


def readings(*, anchor: date) -> Iterator[Reading]:
    """Three months of usage before `anchor`, oldest first. The same anchor gives the same readings."""
    for back in sorted((*LATE_DAYS, *RECENT_DAYS), reverse=True):
        ended_at = datetime.combine(anchor - timedelta(days=back), time(18), tzinfo=UTC)
        for number, person in enumerate(PEOPLE):
            primitive = list(Primitive)[(number + back) % len(Primitive)]
            yield Reading(person.subname, primitive, _quantity(person.subname, back), ended_at)


def _quantity(subname: str, back: int) -> Decimal:
    """Between 0.25 and 2.75 units, from the names alone."""
    step = int.from_bytes(sha256(f"{subname}:{back}".encode()).digest()[:2])
    return Decimal("0.25") + (Decimal(step % 2500) / 1000).quantize(Decimal("0.001"))


def address_of(name: str) -> str:
    """A well-formed demo address for a subname or system account; nobody holds a key to it."""
    return f"0x{sha256(f'habitat demo {name}'.encode()).hexdigest()[:40]}"
