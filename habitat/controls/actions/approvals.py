"""Decisions that take two people: one asks, another decides, and what was asked happens once."""

from typing import Any, Final, Protocol

from django.db import transaction
from django.utils import timezone

from habitat.controls import locks
from habitat.controls.errors import ApprovalSettled, NotYourRequest, PersonNeeded, SecondPersonNeeded
from habitat.controls.models import Approval
from habitat.controls.policies.approvals import ApprovalState, kind_of
from habitat.errors import NotAllowed
from habitat.members.actions.history import because, require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor, ActorKind
from habitat.members.policies.permissions import require
from habitat.members.policies.statuses import MemberStatus

LONGEST_SUBJECT: Final = 200


class OnGranted(Protocol):
    def __call__(self, *, approval: Approval, acting: Actor) -> Any: ...


_ON_GRANTED: dict[str, OnGranted] = {}
_ON_REFUSED: dict[str, OnGranted] = {}


def on_granted(kind: str, carry_out: OnGranted) -> None:
    """What granting `kind` does, in the same transaction. Called once, from AppConfig.ready."""
    _ON_GRANTED[kind] = carry_out


def on_refused(kind: str, undo: OnGranted) -> None:
    """What a refusal or a withdrawal of `kind` does, in the same transaction: free what the request held."""
    _ON_REFUSED[kind] = undo


@transaction.atomic
def request(*, kind: str, subject: str, payload: dict[str, str], reason: str, acting: Actor) -> Approval:
    """Ask for something that another person must grant. Raises ApprovalKindUnknown, ReasonRequired.

    The verb that asks has judged whether `acting` may ask.
    """
    kind_of(kind)
    return Approval.objects.create(
        kind=kind,
        subject=subject[:LONGEST_SUBJECT],
        payload=payload,
        reason=require_reason(reason),
        requested_by=acting.label,
        requested_by_name=acting.name,
    )


@transaction.atomic
def grant(*, approval: Approval, reason: str, acting: Actor) -> Approval:
    """A second person agrees, and what was asked happens now; if it fails, the request stays open.

    Raises PersonNeeded, SecondPersonNeeded, NotAllowed, ReasonRequired, ApprovalSettled and what the verb itself
    raises.
    """
    reason = require_reason(reason)
    row = _second_persons(approval, acting)
    row.grant()
    _settle(row, reason, acting)
    carry_out = _ON_GRANTED.get(row.kind)
    if carry_out is not None:
        with because(acting=acting, reason=row.reason):
            carry_out(approval=row, acting=acting)
    return row


@transaction.atomic
def refuse(*, approval: Approval, reason: str, acting: Actor) -> Approval:
    """A second person says no. Raises like `grant`."""
    reason = require_reason(reason)
    row = _second_persons(approval, acting)
    row.refuse()
    _settle(row, reason, acting)
    _undo(row, acting)
    return row


@transaction.atomic
def withdraw(*, approval: Approval, reason: str, acting: Actor) -> Approval:
    """Whoever asked takes it back. Raises NotYourRequest, ReasonRequired, ApprovalSettled."""
    reason = require_reason(reason)
    row = _open(approval)
    if row.requested_by != acting.label:
        raise NotYourRequest
    row.withdraw()
    _settle(row, reason, acting)
    _undo(row, acting)
    return row


def _second_persons(approval: Approval, acting: Actor) -> Approval:
    kind = kind_of(approval.kind)
    if acting.kind is not ActorKind.MEMBER:
        raise PersonNeeded
    require(acting, kind.permission)
    row = _open(approval)
    # Asked after the lock: whoever was suspended while they waited for it decides nothing.
    if not Member.objects.filter(pk=acting.id, status=MemberStatus.ACTIVE).exists():
        raise NotAllowed(permission=kind.permission)
    if row.requested_by == acting.label:
        raise SecondPersonNeeded(permission=kind.permission)
    return row


def _open(approval: Approval) -> Approval:
    row = locks.approval(approval.pk)
    if row.state != ApprovalState.REQUESTED:
        raise ApprovalSettled(state=row.state)
    return row


def _settle(row: Approval, reason: str, acting: Actor) -> None:
    row.decided_by, row.decided_by_name = acting.label, acting.name
    row.decided_at, row.decision_reason = timezone.now(), reason
    row.save(update_fields=["state", "decided_by", "decided_by_name", "decided_at", "decision_reason"])


def _undo(row: Approval, acting: Actor) -> None:
    undo = _ON_REFUSED.get(row.kind)
    if undo is not None:
        with because(acting=acting, reason=row.decision_reason):
            undo(approval=row, acting=acting)
