"""Cloud identities: a name under habitat.eth, an address and an empty balance, together or not at all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from cloud_credits import locks
from cloud_credits.errors import AddressTaken, AlreadyInitialized, NoCloudIdentity, SubnameTaken, UnknownMember
from cloud_credits.events import CloudIdentityInitialized
from cloud_credits.models import CloudBalance, EnsRegistration
from cloud_credits.policies.identities import full_name, valid_address, valid_subname
from habitat.errors import HabitatError
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.actions.identities import record_cloud_identity
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """One line of a bulk request."""

    member_id: int
    subname: str
    address: str


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one line: the balance, or the code and sentence of what stood in the way."""

    row: IdentityRow
    balance_id: int | None
    code: str | None
    message: str | None

    @property
    def success(self) -> bool:
        return self.balance_id is not None


@transaction.atomic
def initialize(
    *, member: Member, subname: str, address: str, reason: str = "cloud identity", acting: Actor
) -> CloudBalance:
    """Gives a member their cloud identity; `reason` goes into the member's history. Source: brief 125 §6; domain §2.

    Raises NotAllowed, InvalidSubname, ReservedSubname, SubnameTaken, InvalidAddress, AddressTaken,
    AlreadyInitialized.
    """
    require(acting, "cloud_credits.initialize_identity")
    name = valid_subname(subname, is_system=member.system_code is not None)
    checksummed = valid_address(address)
    held = locks.member(member.pk)
    if held.ens_subname is not None:
        raise AlreadyInitialized(holder=held.display_name, name=full_name(held.ens_subname))
    registration = _register(held, name, checksummed)
    balance, _ = CloudBalance.objects.get_or_create(member=held)
    record_cloud_identity(
        member=held, subname=name, address=checksummed, at=timezone.now(), acting=acting, reason=reason
    )
    emit(
        CloudIdentityInitialized(
            member_id=held.pk,
            ens_subname=full_name(name),
            ethereum_address=checksummed,
            balance_id=balance.pk,
            ens_id=registration.pk,
        ),
        acting=acting,
    )
    return balance


def initialize_many(
    rows: Iterable[IdentityRow],
    *,
    reason: str = "cloud identity",
    acting: Actor,
    progress: Callable[[], None] = lambda: None,
) -> list[RowResult]:
    """Each line by itself: one bad line never undoes the others. Calls `progress` after each. Raises NotAllowed."""
    require(acting, "cloud_credits.initialize_identity")
    results = []
    for row in rows:
        results.append(_try(row, reason, acting))
        progress()
    return results


@transaction.atomic
def revoke(*, member: Member, reason: str, acting: Actor) -> EnsRegistration:
    """Takes a name back for good: it is never issued again. Credits stay. Raises NotAllowed, NoCloudIdentity."""
    require(acting, "cloud_credits.initialize_identity")
    why = require_reason(reason)
    held = locks.member(member.pk)
    registration = EnsRegistration.objects.filter(member=held, revoked_at__isnull=True).first()
    if registration is None:
        raise NoCloudIdentity(holder=held.display_name)
    registration.revoked_at = timezone.now()
    registration.revoked_by = acting.label
    registration.revoke_reason = why
    registration.save(update_fields=["revoked_at", "revoked_by", "revoke_reason"])
    return registration


def _try(row: IdentityRow, reason: str, acting: Actor) -> RowResult:
    try:
        member = Member.objects.filter(pk=row.member_id).first()
        if member is None:
            raise UnknownMember(given=row.member_id)
        balance = initialize(member=member, subname=row.subname, address=row.address, reason=reason, acting=acting)
    except HabitatError as refusal:
        return RowResult(row=row, balance_id=None, code=refusal.code, message=refusal.sentence)
    return RowResult(row=row, balance_id=balance.pk, code=None, message=None)


def _register(member: Member, name: str, address: str) -> EnsRegistration:
    """The unique indexes decide, also between two who ask at once."""
    try:
        with transaction.atomic():
            return EnsRegistration.objects.create(member=member, subname=name, ethereum_address=address)
    except IntegrityError as clash:
        if "subname" in str(clash):
            raise SubnameTaken(given=name, field="subname") from clash
        raise AddressTaken(given=address, field="address") from clash
