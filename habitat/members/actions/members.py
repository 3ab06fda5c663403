"""The verbs of a membership: register, admit, suspend, end, name, trust."""

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django_fsm import can_proceed

from habitat.members import locks
from habitat.members.actions.history import because, require_reason
from habitat.members.actions.roles import give, held_roles, take, trusted_roles
from habitat.members.errors import (
    EmailInvalid,
    EmailTaken,
    InvestorUnchanged,
    KindNotOpen,
    LastAdministrator,
    NameRequired,
    NoSignIn,
    OwnMembership,
    RoleHeld,
    RoleNeedsActiveMember,
    RoleNotHeld,
    RoleUnknown,
    StatusRefused,
    SystemMemberFixed,
)
from habitat.members.models import Member, User
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require, require_own
from habitat.members.policies.roles import Role
from habitat.members.policies.statuses import MemberKind, MemberStatus, may_move

LONGEST_NAME = 120


@transaction.atomic
def register(
    *,
    kind: MemberKind | str,
    display_name: str,
    email: str | None = None,
    password: str | None = None,
    is_investor: bool = False,
    acting: Actor,
) -> Member:
    """A new pending member, with a sign-in when an e-mail address is given (domain §2).

    Without a password the sign-in has an unusable one until the invitation sets it. Raises NotAllowed, KindNotOpen,
    NameRequired, EmailInvalid, EmailTaken; nothing is written then.
    """
    require(acting, "members.add_member")
    if kind not in {MemberKind.PERSON, MemberKind.ORGANISATION}:
        raise KindNotOpen(kind=str(kind), field="kind")
    name = _name(display_name)
    with because(acting=acting, reason="registered"):
        user = _sign_in(email, password) if email else None
        return Member.objects.create(kind=MemberKind(kind).value, display_name=name, user=user, is_investor=is_investor)


@transaction.atomic
def admit(*, member: Member, reason: str, acting: Actor) -> Member:
    """pending → active. Raises NotAllowed, ReasonRequired, StatusRefused, OwnMembership, SystemMemberFixed."""
    return _move(member, "admit", MemberStatus.ACTIVE, reason, acting)


@transaction.atomic
def suspend(*, member: Member, reason: str, acting: Actor) -> Member:
    """active → suspended: credits stay, nothing moves, trusted roles end. Raises like `admit`."""
    return _move(member, "suspend", MemberStatus.SUSPENDED, reason, acting)


@transaction.atomic
def deactivate(*, member: Member, reason: str, acting: Actor) -> Member:
    """active → inactive: a pause; trusted roles end. Raises like `admit`."""
    return _move(member, "deactivate", MemberStatus.INACTIVE, reason, acting)


@transaction.atomic
def reinstate(*, member: Member, reason: str, acting: Actor) -> Member:
    """suspended or inactive → active; roles of trust are given anew, one by one. Raises like `admit`."""
    return _move(member, "reinstate", MemberStatus.ACTIVE, reason, acting)


@transaction.atomic
def withdraw(*, member: Member, reason: str, acting: Actor) -> Member:
    """active → withdrawn, for good; credits held may still be redeemed. Raises like `admit`."""
    return _move(member, "withdraw", MemberStatus.WITHDRAWN, reason, acting)


@transaction.atomic
def expel(*, member: Member, reason: str, acting: Actor) -> Member:
    """active → expelled, for good; credits held may still be redeemed. Raises like `admit`."""
    return _move(member, "expel", MemberStatus.EXPELLED, reason, acting)


@transaction.atomic
def rename(*, member: Member, display_name: str, reason: str, acting: Actor) -> Member:
    """Another name to show. A member renames themself; others need `members.change_member`.

    Raises NotAllowed, NameRequired, ReasonRequired, SystemMemberFixed.
    """
    require_own(acting, member.pk, "members.change_member")
    reason = require_reason(reason)
    name = _name(display_name)
    row = _ordinary(member)
    with because(acting=acting, reason=reason):
        row.display_name = name
        row.save(update_fields=["display_name"])
    return row


@transaction.atomic
def set_investor(*, member: Member, is_investor: bool, reason: str, acting: Actor) -> Member:
    """Mark or unmark an LCA member-investor; only they may stake. Raises NotAllowed, InvestorUnchanged, …"""
    require(acting, "members.change_member")
    reason = require_reason(reason)
    row = _ordinary(member)
    if row.is_investor == is_investor:
        raise InvestorUnchanged(name=row.display_name)
    with because(acting=acting, reason=reason):
        row.is_investor = is_investor
        row.save(update_fields=["is_investor"])
    return row


@transaction.atomic
def grant_role(*, member: Member, role: Role | str, reason: str, acting: Actor) -> Member:
    """Give an active member a role; steward, operations and admin also open the back office.

    Raises NotAllowed, ReasonRequired, RoleUnknown, OwnMembership, NoSignIn, RoleNeedsActiveMember, RoleHeld.
    """
    chosen, reason = _role_request(member, role, reason, acting)
    row, user = _member_and_user(member)
    if row.status != MemberStatus.ACTIVE:
        raise RoleNeedsActiveMember(name=row.display_name, status=row.status, role=chosen.value)
    if chosen in held_roles(user):
        raise RoleHeld(name=row.display_name, role=chosen.value, field="role")
    with because(acting=acting, reason=reason):
        give(user, chosen)
    return row


@transaction.atomic
def revoke_role(*, member: Member, role: Role | str, reason: str, acting: Actor) -> Member:
    """Take a role away. Raises NotAllowed, ReasonRequired, RoleUnknown, OwnMembership, NoSignIn, RoleNotHeld,
    LastAdministrator."""
    chosen, reason = _role_request(member, role, reason, acting)
    row, user = _member_and_user(member)
    if chosen not in held_roles(user):
        raise RoleNotHeld(name=row.display_name, role=chosen.value, field="role")
    with because(acting=acting, reason=reason):
        _take(row, user, chosen)
    return row


def _move(member: Member, verb: str, target: MemberStatus, reason: str, acting: Actor) -> Member:
    require(acting, "members.change_status")
    reason = require_reason(reason)
    if acting.is_member(member.pk):
        raise OwnMembership
    row = _ordinary(member)
    source = MemberStatus(row.status)
    # `admit` and `reinstate` share a target; the machine's own sources tell them apart.
    if not may_move(source, target) or not can_proceed(getattr(row, verb)):
        raise StatusRefused(name=row.display_name, status=source.value, target=target.value)
    with because(acting=acting, reason=reason):
        getattr(row, verb)()
        row.save(update_fields=["status"])
        if source is MemberStatus.ACTIVE:
            _end_trust(row)
    return row


def _end_trust(member: Member) -> None:
    """Roles of trust end when a membership stops being active, so that nobody acts on after a suspension."""
    if member.user_id is None:
        return
    user = locks.user(member.user_id)
    for role in trusted_roles(user):
        _take(member, user, role)


def _take(member: Member, user: User, role: Role) -> None:
    if role is Role.ADMIN:
        group = locks.role_group(role.value)
        if not group.user_set.exclude(pk=user.pk).filter(is_active=True).exists():
            raise LastAdministrator(name=member.display_name)
    take(user, role)


def _role_request(member: Member, role: Role | str, reason: str, acting: Actor) -> tuple[Role, str]:
    require(acting, "members.manage_roles")
    reason = require_reason(reason)
    if acting.is_member(member.pk):
        raise OwnMembership
    try:
        return Role(role), reason
    except ValueError:
        raise RoleUnknown(role=str(role), roles=", ".join(Role), field="role") from None


def _member_and_user(member: Member) -> tuple[Member, User]:
    row = _ordinary(member)
    if row.user_id is None:
        raise NoSignIn(name=row.display_name)
    return row, locks.user(row.user_id)


def _ordinary(member: Member) -> Member:
    row = locks.member(member.pk)
    if row.kind == MemberKind.SYSTEM:
        raise SystemMemberFixed(name=row.display_name)
    return row


def _name(given: str) -> str:
    name = " ".join(given.replace("\x00", "").split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise NameRequired(longest=LONGEST_NAME, field="display_name")
    return name


def _sign_in(email: str, password: str | None) -> User:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise EmailInvalid(given=email[:80], field="email") from None
    user = User.objects.build(email=address, password=password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise EmailTaken(email=address, field="email") from None
    # Operations vouch for the address. Unconfirmed, it would be dropped when the member asks for another one.
    EmailAddress.objects.create(user=user, email=address, primary=True, verified=True)
    give(user, Role.MEMBER)
    return user
