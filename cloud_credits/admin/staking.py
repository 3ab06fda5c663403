"""Stakes in the back office."""

from typing import Any, ClassVar

from django.contrib import admin
from django.utils import timezone

from cloud_credits.actions import staking
from cloud_credits.models import StakingPosition
from cloud_credits.policies.staking import PositionState
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb
from habitat.members.policies.actors import Actor


def _release(position: StakingPosition, *, acting: Actor, key: str, reason: str) -> Done:
    staking.unstake(position=position, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"The stake of {position.member} is released.")


def _is_mature(position: Any) -> bool:
    return bool(position.state == PositionState.ACTIVE and position.unlock_at <= timezone.now())


@admin.register(StakingPosition)
class StakingPositionAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "member", "amount", "days", "share_percent", "staked_at", "unlock_at", "state")
    list_filter = ("state", ("unlock_at", admin.DateFieldListFilter))
    search_fields = ("member__display_name", "member__ens_subname")
    list_select_related = ("member",)
    ordering = ("-id",)
    fields = (
        "id",
        "member",
        "amount",
        "days",
        "share_percent",
        "staked_at",
        "unlock_at",
        "state",
        "stake_transaction",
        "unstake_transaction",
        "released_at",
    )
    readonly_fields = fields
    export_fields = ("id", "member__id", "amount", "days", "share_percent", "staked_at", "unlock_at", "state")
    verbs: ClassVar = (
        Verb(
            "release",
            "Release at maturity",
            "cloud_credits.stake_for_members",
            _release,
            available=_is_mature,
        ),
    )
