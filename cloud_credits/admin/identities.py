"""Names and addresses in the back office: set up one by one or in bulk, and revoked for good."""

import csv
import io
from typing import Any, ClassVar

from django import forms
from django.contrib import admin

from cloud_credits.actions import identities
from cloud_credits.actions.identities import IdentityRow
from cloud_credits.admin.forms import MemberField
from cloud_credits.models import EnsRegistration
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, Verb
from habitat.members.models import Member
from habitat.members.policies.actors import Actor

MOST_ROWS = 1_000
MOST_SHOWN = 20


class IdentityForm(ReasonForm):
    member = MemberField("Member", help_text="The member's number.")
    subname = forms.CharField(label="Name", max_length=63, help_text="a–z, 0–9 and hyphens; .habitat.eth is added.")
    address = forms.CharField(label="Ethereum address", max_length=42, help_text="0x and 40 hexadecimal digits.")


class BulkForm(ReasonForm):
    rows = forms.CharField(
        label="Members",
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
        help_text="One a line: member number, name, address. A bad line does not stop the others.",
    )

    def clean_rows(self) -> list[IdentityRow]:
        """The lines as rows; what is not three columns with a number first is named by its line."""
        found = []
        for number, columns in enumerate(csv.reader(io.StringIO(self.cleaned_data["rows"])), start=1):
            cells = [cell.strip() for cell in columns]
            if not any(cells):
                continue
            if len(cells) != 3 or not cells[0].isascii() or not cells[0].isdigit() or len(cells[0]) > 18:
                raise forms.ValidationError(f"Line {number} is not: member number, name, address.")
            found.append(IdentityRow(member_id=int(cells[0]), subname=cells[1], address=cells[2]))
        if not 0 < len(found) <= MOST_ROWS:
            raise forms.ValidationError(f"Give 1 to {MOST_ROWS} lines; these are {len(found)}.")
        return found


def _initialize(*, acting: Actor, key: str, member: Member, subname: str, address: str, reason: str) -> Done:
    identities.initialize(member=member, subname=subname, address=address, reason=reason, acting=acting)
    return Done(message=f"{member} is {subname}.habitat.eth.")


def _initialize_many(*, acting: Actor, key: str, rows: list[IdentityRow], reason: str) -> Done:
    results = identities.initialize_many(rows, reason=reason, acting=acting)
    refused = [result for result in results if not result.success]
    said = [f"{len(results) - len(refused)} of {len(results)} set up."]
    said += [f"Member {result.row.member_id}: {result.message}" for result in refused[:MOST_SHOWN]]
    if len(refused) > MOST_SHOWN:
        said.append(f"… and {len(refused) - MOST_SHOWN} more.")
    return Done(message=" ".join(said))


def _revoke(registration: EnsRegistration, *, acting: Actor, key: str, reason: str) -> Done:
    identities.revoke(member=registration.member, reason=reason, acting=acting)
    return Done(message=f"{registration.full_name} is revoked.")


def _is_held(registration: Any) -> bool:
    return registration.revoked_at is None


@admin.register(EnsRegistration)
class EnsRegistrationAdmin(ExportMixin, HouseAdmin):
    list_display = ("full_name", "member", "ethereum_address", "registered_onchain", "revoked_at", "created_at")
    list_filter = ("registered_onchain", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("subname", "ethereum_address", "member__display_name")
    list_select_related = ("member",)
    ordering = ("subname",)
    fields = (
        "full_name",
        "member",
        "ethereum_address",
        "text_records",
        "registered_onchain",
        "onchain_tx_hash",
        "registered_at",
        "revoked_at",
        "revoked_by",
        "revoke_reason",
        "created_at",
    )
    export_fields = ("subname", "member__id", "ethereum_address", "registered_onchain", "revoked_at", "created_at")
    list_verbs: ClassVar = (
        Verb("initialize", "Set up", "cloud_credits.initialize_identity", _initialize, form=IdentityForm),
        Verb("initialize-many", "Set up many", "cloud_credits.initialize_identity", _initialize_many, form=BulkForm),
    )
    verbs: ClassVar = (
        Verb(
            "revoke",
            "Revoke",
            "cloud_credits.initialize_identity",
            _revoke,
            available=_is_held,
            danger=True,
            warning="The name is never issued again, to anybody. Credits stay with the member.",
        ),
    )
