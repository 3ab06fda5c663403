"""Members in the back office: their facts, their history, and the verbs of a membership."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, Verb, VerbForm
from habitat.members.actions import members
from habitat.members.actions.invitations import invite
from habitat.members.actions.roles import held_roles
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.roles import Role
from habitat.members.policies.statuses import MemberKind
from habitat.members.reports import history


class RegisterForm(VerbForm):
    kind = forms.ChoiceField(
        label="Kind", choices=[(kind.value, kind.value) for kind in MemberKind if kind is not MemberKind.SYSTEM]
    )
    display_name = forms.CharField(label="Name", max_length=120)
    email = forms.CharField(
        label="E-mail address", max_length=254, required=False, help_text="They sign in with it. Empty: no sign-in."
    )
    is_investor = forms.BooleanField(label="LCA member-investor: may stake", required=False)
    send_invitation = forms.BooleanField(
        label="Send an invitation", required=False, initial=True, help_text="A link that sets the first password."
    )


class RoleForm(ReasonForm):
    role = forms.ChoiceField(label="Role")

    def for_object(self, member: Member) -> None:
        """Only the roles that can be given to this member."""
        held = held_roles(member.user) if member.user is not None else frozenset()
        self.fields["role"].choices = [(role.value, role.value) for role in Role if role not in held]


class HeldRoleForm(ReasonForm):
    role = forms.ChoiceField(label="Role")

    def for_object(self, member: Member) -> None:
        """Only the roles that this member holds."""
        held = held_roles(member.user) if member.user is not None else frozenset()
        self.fields["role"].choices = [(role.value, role.value) for role in Role if role in held]


class RenameForm(ReasonForm):
    display_name = forms.CharField(label="Name", max_length=120)


class InvestorForm(ReasonForm):
    is_investor = forms.TypedChoiceField(
        label="LCA member-investor",
        choices=[("yes", "yes: may stake"), ("no", "no")],
        coerce=lambda word: word == "yes",
    )


def _register(*, acting: Actor, key: str, email: str, send_invitation: bool, **given: Any) -> Done:
    member = members.register(email=email or None, acting=acting, **given)
    if email and send_invitation:
        invite(member=member, acting=acting)
    return Done(message=f"{member.display_name} is registered as member {member.pk} and waits to be admitted.")


def _moves(verb: str, label: str, *sources: str, danger: bool = False, warning: str = "") -> Verb:
    def run(member: Member, *, acting: Actor, key: str, reason: str) -> Done:
        moved = getattr(members, verb)(member=member, reason=reason, acting=acting)
        return Done(message=f"{moved.display_name} is now {moved.status}.")

    return Verb(
        name=verb,
        label=label,
        permission="members.change_status",
        run=run,
        available=lambda member: member.kind != MemberKind.SYSTEM and member.status in sources,
        danger=danger,
        warning=warning,
    )


def _ordinary(member: Member) -> bool:
    return bool(member.kind != MemberKind.SYSTEM)


def _may_hold_roles(member: Member) -> bool:
    return member.user_id is not None


def _grant(member: Member, *, acting: Actor, key: str, role: str, reason: str) -> None:
    members.grant_role(member=member, role=role, reason=reason, acting=acting)


def _revoke(member: Member, *, acting: Actor, key: str, role: str, reason: str) -> None:
    members.revoke_role(member=member, role=role, reason=reason, acting=acting)


def _rename(member: Member, *, acting: Actor, key: str, display_name: str, reason: str) -> None:
    members.rename(member=member, display_name=display_name, reason=reason, acting=acting)


def _set_investor(member: Member, *, acting: Actor, key: str, is_investor: bool, reason: str) -> None:
    members.set_investor(member=member, is_investor=is_investor, reason=reason, acting=acting)


def _invite(member: Member, *, acting: Actor, key: str) -> Done:
    invite(member=member, acting=acting)
    return Done(message=f"An invitation is on its way to {member.user}.")


FOR_GOOD = "This cannot be undone. Credits held stay redeemable; trusted roles end at once."


@admin.register(Member)
class MemberAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "display_name", "kind", "status", "investor", "user", "cloud_name", "created_at")
    list_display_links = ("id", "display_name")
    list_filter = ("status", "kind", "is_investor")
    search_fields = ("display_name", "user__email", "ens_subname", "ethereum_address")
    list_select_related = ("user",)
    ordering = ("id",)
    fields = (
        "id",
        "display_name",
        "kind",
        "status",
        "roles",
        "is_investor",
        "user",
        "system_code",
        "cloud_name",
        "ethereum_address",
        "cloud_wallet_created_at",
        "created_at",
    )
    readonly_fields = ("id", "roles", "cloud_name", "created_at")
    export_fields = (
        "id",
        "display_name",
        "kind",
        "status",
        "is_investor",
        "ens_subname",
        "ethereum_address",
        "created_at",
    )
    list_verbs: ClassVar = (Verb("register", "Register a member", "members.add_member", _register, form=RegisterForm),)
    verbs: ClassVar = (
        _moves("admit", "Admit", "pending"),
        _moves(
            "suspend",
            "Suspend",
            "active",
            danger=True,
            warning="Nothing moves in or out until the membership is reinstated. Trusted roles end at once.",
        ),
        _moves("deactivate", "Set inactive", "active", warning="Trusted roles end at once."),
        _moves("reinstate", "Reinstate", "suspended", "inactive"),
        _moves("withdraw", "Record a withdrawal", "active", danger=True, warning=FOR_GOOD),
        _moves("expel", "Expel", "active", danger=True, warning=FOR_GOOD),
        Verb("grant-role", "Give a role", "members.manage_roles", _grant, form=RoleForm, available=_may_hold_roles),
        Verb(
            "revoke-role",
            "Take a role away",
            "members.manage_roles",
            _revoke,
            form=HeldRoleForm,
            available=_may_hold_roles,
        ),
        Verb(
            "set-investor",
            "Set member-investor",
            "members.change_member",
            _set_investor,
            form=InvestorForm,
            available=_ordinary,
            initial=lambda member: {"is_investor": "no" if member.is_investor else "yes"},
        ),
        Verb(
            "rename",
            "Rename",
            "members.change_member",
            _rename,
            form=RenameForm,
            available=_ordinary,
            initial=lambda member: {"display_name": member.display_name},
        ),
        Verb("invite", "Send an invitation", "members.add_member", _invite, form=VerbForm, available=_may_hold_roles),
    )

    @admin.display(description="investor", boolean=True, ordering="is_investor")
    def investor(self, member: Member) -> bool:
        return member.is_investor

    @admin.display(description="cloud name", ordering="ens_subname")
    def cloud_name(self, member: Member) -> str:
        return member.full_ens_name or "—"

    @admin.display(description="roles")
    def roles(self, member: Member) -> str:
        if member.user is None:
            return "—"
        return ", ".join(role.value for role in Role if role in held_roles(member.user)) or "—"

    def history_rows(self, request: HttpRequest, obj: Member) -> list[history.HistoryRow]:
        return history.of_member(obj)
