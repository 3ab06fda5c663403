"""The shortfall drill: the bank falls to 95 % of what is owed, payments queue and cure nothing, the bank is made whole.

Real HTTP throughout: Stripe's page, signed webhooks to the web server, the bank's own balance (domain §6).
"""

from decimal import Decimal

import pytest

from cloud_credits.models import CloudTransaction, Purchase
from cloud_credits.policies.purchases import PurchaseState
from habitat.controls.models import Alert
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from tests.site.cooperative import broken, verify_books
from tests.site.world import World, books, credits_of, payment_of
from tests.treasury.reserves import flags
from treasury.actions import backing
from treasury.errors import SwitchAlreadySo
from treasury.models import BackingCheck, MintSwitchChange, Payment
from treasury.policies.references import member_reference
from treasury.reports import backing as reports

pytestmark = pytest.mark.django_db(transaction=True)

SHORTFALL = "treasury_backing_shortfall"
# Ada buys for a thousand dollars before it begins: 970.70 of them reach Stripe's balance.
BEFORE = "1000"
AT_STRIPE = Decimal("970.70")


def alert() -> str:
    """How the shortfall's alert stands; empty when there never was one."""
    return Alert.objects.filter(code=SHORTFALL).values_list("state", flat=True).first() or ""


def last_check() -> tuple[Decimal, Decimal, Decimal, str]:
    check = BackingCheck.objects.order_by("-id").first()
    return check.required, check.held, check.ratio, check.band


def fall_to(world: World, percent: str) -> None:
    """The bank holds just so much that, with Stripe's balance, `percent` of what is owed is there."""
    required = last_check()[0]
    world.hold(required * Decimal(percent) / 100 - AT_STRIPE)


@pytest.fixture
def owed(world: World) -> Member:
    """The cooperative owes a thousand dollars of credits and has more than enough."""
    ada = world.member("Ada")
    world.buy(ada, BEFORE)
    world.hear()
    assert credits_of(ada) == 100
    assert last_check()[:2] == (Decimal(1000), Decimal(20_000) + AT_STRIPE)
    assert (flags(), alert()) == ((True, True), "")
    return ada


@pytest.mark.parametrize("manual", [True, False], ids=["manual flag on", "manual flag off"])
def test_shortfall__queues_three_payments_and_mints_them_in_order_when_it_is_over(
    world: World, owed: Member, manual: bool
) -> None:
    if not manual:
        backing.suspend_minting(reason="an audit", acting=SYSTEM)
    # Checkouts that were open before: in a shortfall the limit a day is lower, but who pays pays.
    buyers = [world.member(name) for name in ("Bob", "Cleo", "Dora")]
    wishes = [world.wish(member, usd) for member, usd in zip(buyers, ("100", "50", "70"), strict=True)]

    fall_to(world, "95")

    assert last_check() == (Decimal(1000), Decimal(950), Decimal(95), "shortfall")
    assert (flags(), alert()) == ((False, manual), "open")

    arrived = []
    for number, purchase in enumerate(wishes, start=1):
        arrived.append(world.pay(purchase))
        world.hear()
        required, held, ratio, band = last_check()
        assert required == 1000 + sum(wish.usd for wish in wishes[:number])
        # The money is held and owed at once, less Stripe's fee: no payment lifts the ratio to 100 %.
        assert held < required
        assert (band, ratio < 100) == ("shortfall", True)
        assert (flags(), alert()) == ((False, manual), "open")
    assert [payment_of(reference).state for reference in arrived] == ["received"] * 3
    assert [credits_of(member) for member in buyers] == [0, 0, 0]
    assert list(Purchase.objects.filter(state=PurchaseState.PAID).order_by("pk")) == wishes
    assert books()["2240"] == Decimal(-220)
    assert_proofs_hold()

    # The bank is made whole: the flag moves by itself, and what waited is minted, oldest first.
    world.hold("20000")

    assert last_check()[3] == "excess"
    assert (flags(), alert()) == ((True, manual), "resolved")
    if not manual:
        assert [payment_of(reference).state for reference in arrived] == ["received"] * 3
        assert "2240" in books()
        backing.resume_minting(reason="the audit is over", acting=SYSTEM)
        world.work()
    mints = CloudTransaction.objects.filter(type="mint", to_member__in=buyers).order_by("booked_at", "pk")
    assert list(mints.values_list("to_member_id", "amount")) == [
        (buyers[0].pk, Decimal(10)),
        (buyers[1].pk, Decimal(5)),
        (buyers[2].pk, Decimal(7)),
    ]
    assert list(Payment.objects.order_by("occurred_at", "pk").values_list("state", flat=True)) == ["minted"] * 4
    assert "2240" not in books()
    assert books()["2220"] == Decimal(-1220)
    assert alert() == "resolved"
    assert_proofs_hold()


def test_shortfall__turns_the_automatic_flag_once_however_often_it_is_checked(world: World, owed: Member) -> None:
    fall_to(world, "95")
    fall_to(world, "96")
    world.hold("20000")
    world.hold("20001")

    moved = MintSwitchChange.objects.filter(flag="automatic").order_by("pk").values_list("on", flat=True)
    assert list(moved)[-2:] == [False, True]
    assert Alert.objects.filter(code=SHORTFALL).count() == 1


def test_shortfall__is_not_overruled_by_the_manual_flag(world: World, owed: Member) -> None:
    """Somebody turns the manual flag off and on again meanwhile: the automatic one stays as the checks left it."""
    fall_to(world, "95")
    backing.suspend_minting(reason="to be sure", acting=SYSTEM)
    backing.resume_minting(reason="not needed", acting=SYSTEM)
    world.work()

    assert flags() == (False, True)
    with pytest.raises(SwitchAlreadySo):
        backing.resume_minting(reason="again", acting=SYSTEM)
    refusal = reports.mint_allowed(new_cash=True, amount=Decimal(1))
    assert refusal is not None
    assert refusal.code == "minting_suspended"


@pytest.mark.parametrize(
    ("percent", "band", "mints"),
    [("99.99", "shortfall", False), ("100", "low", True), ("104.99", "low", True), ("105", "healthy", True)],
)
def test_bands__meet_at_their_edges(world: World, owed: Member, percent: str, band: str, mints: bool) -> None:
    fall_to(world, percent)

    assert (last_check()[3], flags()[0]) == (band, mints)


def test_low_band__wires_wait_and_the_trace_says_why(world: World, owed: Member) -> None:
    fall_to(world, "104")
    line = world.bank.control(
        "transactions", amount="40", counterpartyName="Ada", bankDescription=f"WIRE {member_reference(owed.pk)}"
    )["id"]
    world.read_bank()

    (why,) = world.traced(line).gaps.values()
    assert why.startswith(
        "waiting The payment has waited for its credits 0 hours: wires wait while the reserve is low."
    )
    assert (credits_of(owed), last_check()[3]) == (Decimal(100), "low")

    world.hold("20000")
    assert (credits_of(owed), world.traced(line).is_whole) == (Decimal(104), True)


def assert_proofs_hold() -> None:
    code, output = verify_books()
    assert (code, broken(output)) == (0, []), output[:3000]
