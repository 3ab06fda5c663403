"""The chart in the back office: accounts with what stands on them, sub-accounts, accounts out of use."""

from decimal import Decimal
from typing import ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from habitat.faces.admin import ExportMixin, HouseAdmin, Verb, VerbForm
from habitat.faces.templatetags.faces import usd
from habitat.members.policies.actors import Actor
from treasury.actions import accounts
from treasury.models import Account
from treasury.reports.accounts import balances


class SubAccountForm(VerbForm):
    parent = forms.ModelChoiceField(
        label="Under", queryset=Account.objects.filter(is_postable=False), to_field_name="code"
    )
    suffix = forms.CharField(label="Its own part", max_length=24, help_text="What follows the hyphen: 3100-000012.")
    name = forms.CharField(label="Name", max_length=120)


def _open(*, acting: Actor, key: str, parent: Account, suffix: str, name: str) -> None:
    accounts.open_sub_account(parent=parent.code, suffix=suffix, name=name, acting=acting)


def _retire(account: Account, *, acting: Actor, key: str, reason: str) -> None:
    accounts.retire(account=account, reason=reason, acting=acting)


def _bring_back(account: Account, *, acting: Actor, key: str, reason: str) -> None:
    accounts.bring_back(account=account, reason=reason, acting=acting)


@admin.register(Account)
class AccountAdmin(ExportMixin, HouseAdmin):
    list_display = ("code", "name", "kind", "balance", "normal_side", "ledger", "is_postable", "is_active")
    list_filter = ("kind", "ledger", "is_active", "is_postable")
    search_fields = ("code", "name")
    list_per_page = 100
    fields = ("code", "name", "kind", "normal_side", "ledger", "parent", "is_postable", "is_active", "balance", "lines")
    readonly_fields = ("balance", "lines")
    export_fields = ("code", "name", "kind", "normal_side", "ledger", "is_postable", "is_active")
    list_before_template = "treasury/admin/reports_and_verbs.html"
    list_verbs: ClassVar = (Verb("open", "Open a sub-account", "treasury.open_account", _open, form=SubAccountForm),)
    verbs: ClassVar = (
        Verb(
            "retire",
            "Take out of use",
            "treasury.retire_account",
            _retire,
            available=lambda account: account.is_active and account.is_postable,
            danger=True,
            warning="It keeps its lines and its balance, and takes no more lines.",
        ),
        Verb(
            "bring-back",
            "Take into use again",
            "treasury.retire_account",
            _bring_back,
            available=lambda account: not account.is_active,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """One query of balances a page, kept on the request."""
        self._balances: dict[str, Decimal] = {}
        return super().get_queryset(request)

    @admin.display(description="balance (USD)")
    def balance(self, account: Account) -> str:
        if not account.is_postable:
            return ""
        if account.code not in self._balances:
            self._balances = balances(list(Account.objects.values_list("code", flat=True)))
        return usd(self._balances[account.code])

    @admin.display(description="lines")
    def lines(self, account: Account) -> SafeString | str:
        if not account.is_postable:
            return "Stands above others and takes no lines."
        address = reverse("treasury_report", args=["account-ledger"])
        return format_html('<a href="{}?account={}">Its ledger</a>', address, account.code)
