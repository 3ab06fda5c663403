"""`/cloud/spending/`: the running month against the member's own cap, and the balance below which they are told."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from cloud_credits.actions import spending as verbs
from cloud_credits.reports import topups
from cloud_credits.reports.spending import Spending, spending_of
from habitat import clock
from habitat.errors import HabitatError
from habitat.faces.pages import MemberPage
from habitat.members.reports.actors import actor_of
from habitat.money import Money, parse_amount, plain

FIELD_OF = {"monthlyCap": "monthly_cap", "lowBalance": "low_balance"}


class LimitsForm(forms.Form):
    monthly_cap = forms.CharField(
        label="Most a month, in CLOUD",
        max_length=60,
        required=False,
        help_text="Metered usage beyond it is refused until the next month (UTC) begins. Empty: no cap.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    low_balance = forms.CharField(
        label="Tell me below, in CLOUD",
        max_length=60,
        required=False,
        help_text="You are told once when your liquid balance falls below it. Empty: never.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def amount(self, name: str) -> Money | None:
        """What was typed; None for an empty field. Raises what `parse_amount` raises, on this field."""
        given = self.cleaned_data[name].strip()
        return parse_amount(given, field=name) if given else None

    def refuse(self, refusal: HabitatError) -> None:
        field = FIELD_OF.get(refusal.field or "", refusal.field)
        self.add_error(field if field in self.fields else None, refusal.sentence)


class SpendingPage(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        now = spending_of(self.member.pk, at=clock.now())
        initial = {"monthly_cap": _typed(now.allowance.cap), "low_balance": _typed(now.low_balance)}
        return self.show(request, LimitsForm(initial=initial), now)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = LimitsForm(request.POST)
        if not form.is_valid():
            return self.show(request, form, status=422)
        try:
            verbs.set_limits(
                member=self.member,
                monthly_cap=form.amount("monthly_cap"),
                low_balance=form.amount("low_balance"),
                acting=actor_of(request.user),
            )
        except HabitatError as refusal:
            form.refuse(refusal)
            return self.show(request, form, status=refusal.status)
        messages.success(request, "Kept. It holds from the next charge on.")
        return redirect("cloud-spending")

    def show(
        self, request: HttpRequest, form: LimitsForm, now: Spending | None = None, *, status: int = 200
    ) -> HttpResponse:
        shown = now or spending_of(self.member.pk, at=clock.now())
        context: dict[str, Any] = {"form": form, "now": shown, "member": self.member, "gauge": _gauge(shown)}
        context["top_up"] = topups.of_member(self.member.pk)
        return render(request, "cloud_credits/spending.html", context, status=status)


def _typed(amount: Decimal | None) -> str:
    return "" if amount is None else plain(amount)


def _gauge(now: Spending) -> int | None:
    """How full the month is, in whole per cent, for the bar; None without a cap."""
    cap = now.allowance.cap
    return None if cap is None else min(int(now.allowance.spent * 100 / cap), 100)
