"""Balances in the back office: who holds what, and the verbs that mint, redeem, burn, grant and correct."""

from typing import ClassVar

from django.contrib import admin

from cloud_credits.actions import burns, corrections, grants, mints, redemptions
from cloud_credits.admin.forms import AmountForm, CorrectionForm, GrantForm
from cloud_credits.models import CloudBalance
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.money import Money, plain


def _mint(balance: CloudBalance, *, acting: Actor, key: str, amount: Money, reason: str) -> Done:
    mints.request_manual_mint(member=balance.member, amount=amount, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"Asked: {plain(amount.amount)} CLOUD. Another person must approve it under Approvals.")


def _redeem(balance: CloudBalance, *, acting: Actor, key: str, amount: Money, reason: str) -> Done:
    redemptions.redeem(member=balance.member, amount=amount, description=reason, idempotency_key=key, acting=acting)
    return Done(message=f"{plain(amount.amount)} CLOUD of {balance.member} are redeemed.")


def _burn(balance: CloudBalance, *, acting: Actor, key: str, amount: Money, reason: str) -> Done:
    burns.burn(member=balance.member, amount=amount, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"{plain(amount.amount)} CLOUD of {balance.member} are burned.")


def _grant(*, acting: Actor, key: str, giver: Member, recipient: Member, amount: Money, reason: str) -> Done:
    grants.grant(giver=giver, recipient=recipient, amount=amount, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"{plain(amount.amount)} CLOUD went from {giver} to {recipient}.")


def _correct(
    *, acting: Actor, key: str, from_member: Member | None, to_member: Member | None, amount: Money, reason: str
) -> Done:
    outcome = corrections.correct(
        from_member=from_member, to_member=to_member, amount=amount, reason=reason, idempotency_key=key, acting=acting
    )
    return Done(message=f"Correction {outcome.transaction.pk} is booked.")


@admin.register(CloudBalance)
class CloudBalanceAdmin(ExportMixin, HouseAdmin):
    list_display = ("member", "liquid", "staked", "total", "version", "booked_at", "onchain_sync_status")
    list_filter = ("onchain_sync_status", "member__kind")
    search_fields = ("member__display_name", "member__ens_subname")
    list_select_related = ("member",)
    ordering = ("-total", "id")
    fields = (
        "member",
        "liquid",
        "staked",
        "total",
        "version",
        "last_transaction",
        "booked_at",
        "onchain_balance",
        "onchain_synced_at",
        "onchain_sync_status",
        "created_at",
    )
    export_fields = ("member__id", "member__display_name", "liquid", "staked", "total", "version", "booked_at")
    verbs: ClassVar = (
        Verb(
            "mint",
            "Ask for a mint",
            "cloud_credits.mint_credits",
            _mint,
            form=AmountForm,
            warning="Nothing is minted until another person approves. Minting by hand costs the cooperative: 5930.",
        ),
        Verb(
            "redeem",
            "Redeem",
            "cloud_credits.redeem_credits",
            _redeem,
            form=AmountForm,
            warning="For usage that no service metered: the credits are spent and count as revenue, 4420.",
        ),
        Verb(
            "burn",
            "Burn",
            "cloud_credits.burn_credits",
            _burn,
            form=AmountForm,
            danger=True,
            warning="The credits are gone at once. A mistake is undone by reversing the transaction.",
        ),
    )
    list_verbs: ClassVar = (
        Verb("grant", "Grant", "cloud_credits.grant_credits", _grant, form=GrantForm),
        Verb(
            "correct",
            "Correct",
            "cloud_credits.correct_credits",
            _correct,
            form=CorrectionForm,
            danger=True,
            warning="Both sides filled move credits; one side adds or takes them and posts against 5930.",
        ),
    )
