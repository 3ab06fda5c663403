"""`/cloud/top-up/`: buying by itself when little is left: on, off, and what it did."""

from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from cloud_credits.actions import topups as verbs
from cloud_credits.models import Purchase, TopUp
from cloud_credits.policies.settings import TOP_UPS_A_DAY
from cloud_credits.policies.topups import Judgement, TopUpState, Verdict
from cloud_credits.reports import purchases, terms, topups
from cloud_credits.reports.balances import balance_of
from cloud_credits.views.tables import PURCHASES
from cloud_credits.workflows.topups import charge_now
from habitat.controls.reports.settings import value as setting
from habitat.errors import HabitatError
from habitat.faces.pages import MemberPage
from habitat.members.reports.actors import actor_of
from habitat.money import cents, parse_amount, plain
from treasury.reports.stripe_documents import SavedCard

# What the form asks for, in its order; the consent is asked anew each time.
FIGURES: Final = ("threshold", "amount", "most_a_day", "method")


class TopUpForm(forms.Form):
    threshold = forms.CharField(
        label="When my liquid balance falls below, in CLOUD",
        max_length=60,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    amount = forms.CharField(
        label="Buy, in CLOUD",
        max_length=60,
        help_text="From 0.1, with at most three decimals. 1 CLOUD is 10 dollars.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    most_a_day = forms.IntegerField(label="At most so often a day", min_value=1)
    method = forms.ChoiceField(label="With", widget=forms.RadioSelect)
    agreed = forms.BooleanField(
        label="Charge this card without asking me each time, until I switch it off",
        error_messages={"required": "Tick this, or leave the top-up off."},
    )

    def __init__(self, *args: Any, cards: list[SavedCard], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = int(setting(TOP_UPS_A_DAY))
        self.fields["method"].choices = [(card.id, topups.in_words(card)) for card in cards]  # type: ignore[attr-defined]
        self.fields["most_a_day"].max_value = most  # type: ignore[attr-defined]
        self.fields["most_a_day"].widget.attrs["max"] = most
        self.fields["most_a_day"].help_text = f"Up to {most}."

    def refuse(self, refusal: HabitatError) -> None:
        self.add_error(refusal.field if refusal.field in self.fields else None, refusal.sentence)


class TopUpPage(MemberPage):
    """GET: how it stands. POST: what would happen; nothing does yet. POST `confirmed`: switched on, or its figures
    changed; the first purchase at once where it is due."""

    def get(self, request: HttpRequest) -> HttpResponse:
        cards = topups.usable_cards(self.member.pk)
        asked = {name: request.GET[name] for name in FIGURES if name in request.GET}
        return self.show(request, TopUpForm(initial=self.initial(cards) | asked, cards=cards), cards)

    def post(self, request: HttpRequest) -> HttpResponse:
        cards = topups.usable_cards(self.member.pk)
        form = TopUpForm(request.POST, cards=cards)
        if not form.is_valid():
            return self.show(request, form, cards, status=422)
        given = form.cleaned_data
        try:
            wish: dict[str, Any] = {
                "member": self.member,
                "threshold": parse_amount(given["threshold"], field="threshold"),
                "amount": parse_amount(given["amount"]),
                "method_id": given["method"],
                "most_a_day": given["most_a_day"],
                "acting": actor_of(request.user),
            }
            if "confirmed" not in request.POST:
                return self.preview(request, TopUpForm(initial=given, cards=cards), *verbs.plan(**wish))
            before = topups.newest(self.member.pk)
            verbs.switch_on(**wish)
        except HabitatError as refusal:
            form.refuse(refusal)
            return self.show(request, form, cards, status=refusal.status)
        charge_now(self.member.pk)
        self.tell(request, before)
        return redirect("cloud-top-up")

    def preview(self, request: HttpRequest, form: TopUpForm, row: TopUp, judgement: Judgement) -> HttpResponse:
        for field in form.fields.values():
            field.widget = forms.HiddenInput()
        context = {
            "form": form,
            "row": row,
            "charged_now": judgement.verdict is Verdict.BUY,
            "waits": judgement.why,
            "liquid": balance_of(self.member.pk).liquid,
            "back": urlencode({name: form.initial[name] for name in FIGURES}),
        }
        return render(request, "cloud_credits/top_up_preview.html", context)

    def tell(self, request: HttpRequest, before: Purchase | None) -> None:
        """What came of it: the card may have been declined already."""
        row, newest = topups.of_member(self.member.pk), topups.newest(self.member.pk)
        if row is None or row.state != TopUpState.ON.value:
            messages.warning(request, f"The automatic top-up stopped: {row.because if row else ''}")
        elif newest is None or newest == before:
            messages.success(request, "The automatic top-up is on. Nothing was charged.")
        else:
            bought = f"{plain(newest.amount)} CLOUD for {cents(newest.usd)} USD"
            messages.success(request, f"The automatic top-up is on, and the purchase of {bought} has begun.")

    def initial(self, cards: list[SavedCard]) -> dict[str, Any]:
        kept = topups.of_member(self.member.pk)
        first = cards[0].id if cards else ""
        if kept is None:
            return {"most_a_day": 1, "method": first}
        known = any(card.id == kept.method_id for card in cards)
        return {
            "threshold": plain(kept.threshold),
            "amount": plain(kept.amount),
            "most_a_day": kept.most_a_day,
            "method": kept.method_id if known else first,
        }

    def show(self, request: HttpRequest, form: TopUpForm, cards: list[SavedCard], *, status: int = 200) -> HttpResponse:
        kept = topups.of_member(self.member.pk)
        rows = topups.history(self.member.pk)
        context = {
            "form": form,
            "member": self.member,
            "kept": kept,
            "is_on": kept is not None and kept.state == TopUpState.ON.value,
            "waits": _waits(self.member, kept),
            "cards": cards,
            "terms_accepted": terms.accepted(self.member.pk, terms.current()),
            "why_not": purchases.room_for(self.member).why,
            "liquid": balance_of(self.member.pk).liquid,
            "table": PURCHASES.render(rows) if rows else "",
        }
        return render(request, "cloud_credits/top_up.html", context, status=status)


class SwitchOff(MemberPage):
    """POST only."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            verbs.switch_off(member=self.member, acting=actor_of(request.user))
        except HabitatError as refusal:
            messages.info(request, refusal.sentence)
        else:
            messages.success(request, "The automatic top-up is off. What is under way still arrives.")
        return redirect("cloud-top-up")


def _waits(member: Any, kept: TopUp | None) -> str:
    """Why nothing is bought although the balance is low; empty when nothing stands in the way."""
    if kept is None or kept.state != TopUpState.ON.value:
        return ""
    judgement: Judgement = verbs.judge_now(member, kept)
    return judgement.why if judgement.verdict is Verdict.WAIT else ""
