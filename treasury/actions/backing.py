"""The mint switch and the checks that move it: what is written when the backing is computed, and by whose word."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.events.actions.outbox import emit
from habitat.events.actions.wakes import wake_after_commit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.permissions import require
from habitat.money import plain
from treasury import events, locks
from treasury.errors import SwitchAlreadySo
from treasury.models import BackingCheck, BackingRequest, MintSwitch, MintSwitchChange
from treasury.policies.backing import Backing, Band, Flag, Provider, may_mint, ratio
from treasury.reports.backing import Computed, aging, computed, outdated

CAUSE: Final = "backing"
QUEUE: Final = "backing"
LONGEST_REASON: Final = 500
LONGEST_TRIGGER: Final = 40


@transaction.atomic
def record_check(
    *, trigger: str, acting: Actor, as_of: datetime | None = None, books_until: date | None = None
) -> BackingCheck:
    """Computes the backing from the readings there are, keeps it with its terms, and moves the automatic flag.

    Checks come one after the other; a check of an earlier moment than one there already moves and tells nothing.
    Event `backing.checked`, and `minting.suspended` or `minting.resumed`. Raises NotAllowed. Rule: domain §6.
    """
    require(acting, "treasury.check_backing")
    locks.backing_check()
    found = computed(as_of=as_of, books_until=books_until)
    is_newest = not BackingCheck.objects.filter(as_of__gt=found.backing.as_of).exists()
    check = _keep(found, trigger)
    if is_newest:
        _alert(found.backing, check, acting)
        _decide(found.backing, check, acting)
    emit(
        events.BackingChecked(
            check_id=str(check.pk),
            as_of=check.as_of.isoformat(),
            band=check.band,
            required=plain(check.required),
            held=plain(check.held),
            ratio=plain(check.ratio) if check.ratio is not None else None,
        ),
        acting=acting,
    )
    return check


@contextmanager
def in_flight(*, waits: bool, acting: Actor) -> Iterator[bool]:
    """One check at a time asks bank and Stripe; False when another does and this does not wait. No transaction."""
    with locks.one_check_in_flight(waits=waits) as is_mine:
        yield is_mine


@transaction.atomic(savepoint=False)
def request_check(*, trigger: str, acting: Actor = SYSTEM) -> BackingRequest:
    """Something moved: the next check answers this and whatever else waits by then."""
    wake_after_commit(QUEUE)
    return BackingRequest.objects.create(trigger=trigger[:LONGEST_TRIGGER])


@transaction.atomic(savepoint=False)
def answer_requests(*, up_to: int, acting: Actor = SYSTEM) -> int:
    """A check that began after these were asked has answered them; how many."""
    return BackingRequest.objects.filter(pk__lte=up_to).delete()[0]


@transaction.atomic
def suspend_minting(*, reason: str, acting: Actor) -> MintSwitch:
    """Turns the manual flag off: no credits are minted until somebody turns it on. Waits for mints in flight.

    Raises NotAllowed, ReasonRequired, SwitchAlreadySo.
    """
    return _by_hand(on=False, reason=reason, acting=acting)


@transaction.atomic
def resume_minting(*, reason: str, acting: Actor) -> MintSwitch:
    """Turns the manual flag on; the automatic one stays as the checks left it.

    Raises NotAllowed, ReasonRequired, SwitchAlreadySo.
    """
    return _by_hand(on=True, reason=reason, acting=acting)


def _by_hand(*, on: bool, reason: str, acting: Actor) -> MintSwitch:
    require(acting, "treasury.switch_minting")
    why = require_reason(reason)
    switch = locks.mint_switch_exclusive()
    if switch.manual is on:
        raise SwitchAlreadySo(state="on" if on else "off")
    return _move(switch, Flag.MANUAL, on=on, why=why, acting=acting)


def _move(switch: MintSwitch, flag: Flag, *, on: bool, why: str, acting: Actor) -> MintSwitch:
    """Sets one flag of the locked switch, keeps why, and tells when minting as a whole begins or ends by it."""
    was_minting = switch.automatic and switch.manual
    setattr(switch, flag.value, on)
    switch.changed_at = timezone.now()
    switch.save(update_fields=[flag.value, "changed_at"])
    MintSwitchChange.objects.create(flag=flag.value, on=on, reason=why[:LONGEST_REASON], acting=acting.label)
    is_minting = switch.automatic and switch.manual
    if is_minting != was_minting:
        told = events.MintingResumed if is_minting else events.MintingSuspended
        emit(told(flag=flag.value, reason=why[:LONGEST_REASON]), acting=acting)
    return switch


def _keep(found: Computed, trigger: str) -> BackingCheck:
    backing = found.backing
    check = BackingCheck(
        as_of=backing.as_of,
        trigger=trigger[:LONGEST_TRIGGER],
        outstanding=backing.outstanding,
        in_flight=backing.in_flight,
        required=backing.required,
        held=backing.held,
        settled_held=backing.settled_held,
        ratio=ratio(required=backing.required, held=backing.held),
        settled_ratio=ratio(required=backing.required, held=backing.settled_held),
        band=backing.band.value,
        terms=[term.written() for term in backing.terms],
        snapshot=found.books.snapshot,
        last_entry=found.books.last_entry,
        books_until=found.books_until,
    )
    check.save(force_insert=True)
    return check


def _decide(backing: Backing, check: BackingCheck, acting: Actor) -> None:
    """Moves the automatic flag where it must; the switch is locked only then."""
    old = outdated(backing)
    on = may_mint(found=backing.band, required=backing.required, outdated=old)
    if MintSwitch.objects.get(pk=1).automatic is on:
        return
    switch = locks.mint_switch_exclusive()
    if switch.automatic is not on:
        _move(switch, Flag.AUTOMATIC, on=on, why=_why(check, old), acting=acting)


def _why(check: BackingCheck, old: tuple[Provider, ...]) -> str:
    said = f"Check {check.pk}: {plain(check.held)} USD are held for {plain(check.required)} USD ({check.band})"
    return f"{said}; no reading of {' and '.join(old)} is young enough." if old else f"{said}."


def _alert(backing: Backing, check: BackingCheck, acting: Actor) -> None:
    """One alert a cause, resolved as soon as its closing rule holds (domain §6)."""
    message = f"{plain(check.held)} USD are held for {plain(check.required)} USD of credits and payments."
    details = {"check": str(check.pk), "held": plain(check.held), "required": plain(check.required)}
    for code, band in (("treasury_backing_shortfall", Band.SHORTFALL), ("backing_low", Band.LOW)):
        if backing.band is band:
            raise_alert(code=code, cause=CAUSE, message=message, details=details, acting=acting)
        elif backing.band is not Band.UNKNOWN:
            resolve_cause(code, CAUSE, acting=acting)
    old = aging(backing)
    for provider in Provider:
        if provider in old:
            read_at = backing.read_at.get(provider)
            since = f"was last read {read_at:%Y-%m-%d %H:%M} UTC" if read_at else "was never read"
            raise_alert(
                code="reading_stale",
                cause=provider.value,
                message=f"The balance at {provider.value} {since}.",
                details={"check": str(check.pk), "provider": provider.value},
                acting=acting,
            )
        else:
            resolve_cause("reading_stale", provider.value, acting=acting)
