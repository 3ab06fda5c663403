"""The credit ledger and its keys in the back office: read, exported, and undone only by a reversal."""

from typing import ClassVar

from django.contrib import admin

from cloud_credits.actions import corrections
from cloud_credits.models import CloudTransaction, IdempotencyKey
from cloud_credits.policies.movements import TransactionState
from cloud_credits.policies.reversals import check_reversible
from habitat.errors import HabitatError
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb
from habitat.members.policies.actors import Actor


def _reverse(row: CloudTransaction, *, acting: Actor, key: str, reason: str) -> Done:
    corrections.reverse(original=row, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"Transaction {row.pk} is reversed.")


def _reversible(row: CloudTransaction) -> bool:
    try:
        check_reversible(row.as_movement(), transaction_id=row.pk, state=row.state)
    except HabitatError:
        return False
    return bool(row.state == TransactionState.COMPLETED)


@admin.register(CloudTransaction)
class CloudTransactionAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "type", "state", "from_member", "to_member", "amount", "purpose", "booked_at", "acting")
    list_filter = ("type", "state", "purpose", ("booked_at", admin.DateFieldListFilter))
    search_fields = ("=id", "reference", "from_member__display_name", "to_member__display_name")
    search_help_text = "A transaction number, what it is for, or a member's name."
    list_select_related = ("from_member", "to_member")
    ordering = ("-id",)
    fields = (
        "id",
        "type",
        "state",
        "from_member",
        "to_member",
        "amount",
        "purpose",
        "description",
        "reference",
        "journal_entry",
        "reverses",
        "from_liquid_after",
        "from_staked_after",
        "from_sequence",
        "to_liquid_after",
        "to_staked_after",
        "to_sequence",
        "booked_at",
        "created_at",
        "acting",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "type",
        "state",
        "from_member__id",
        "to_member__id",
        "amount",
        "purpose",
        "description",
        "reference",
        "journal_entry__id",
        "reverses__id",
        "booked_at",
        "acting",
    )
    verbs: ClassVar = (
        Verb(
            "reverse",
            "Reverse",
            "cloud_credits.correct_credits",
            _reverse,
            available=_reversible,
            danger=True,
            warning=(
                "Corrections undo it; what the holder has already spent becomes a receivable. "
                "A reversal cannot itself be reversed."
            ),
        ),
    )


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ExportMixin, HouseAdmin):
    list_display = ("namespace", "operation", "key", "transaction", "created_at")
    list_filter = ("operation",)
    search_fields = ("=key", "=transaction__id")
    list_select_related = ("transaction",)
    ordering = ("-id",)
    fields = ("namespace", "operation", "key", "digest", "transaction", "created_at")
    readonly_fields = fields
    export_fields = ("namespace", "operation", "key", "transaction__id", "created_at")
