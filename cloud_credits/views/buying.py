"""`/cloud/buy/`: how much, how it is paid, and the way to Stripe's payment page."""

from decimal import Decimal
from typing import Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from cloud_credits.actions import purchases as verbs
from cloud_credits.actions.purchases import Wish
from cloud_credits.models import Invoice, Purchase
from cloud_credits.policies.invoices import Paying
from cloud_credits.policies.purchases import SMALLEST, PayBy, PurchaseKind, PurchaseState
from cloud_credits.reports import purchases
from cloud_credits.reports.terms import current
from cloud_credits.workflows.purchases import open_now
from habitat.errors import HabitatError
from habitat.faces.pages import MemberPage, new_key, query
from habitat.members.models import Member
from habitat.members.reports.actors import actor_of
from habitat.money import parse_amount, plain
from treasury.reports.backing import mint_allowed
from treasury.reports.stripe_documents import cards

# Refusals that name no field of their own, and the field of this form that people would change.
FIELD_OF: Final = {"recurring_paused": "repeat", "recurring_running": "repeat"}
WIRE: Final = "wire"
LONGEST_NUMBER: Final = 18
# How the ways of paying are called while minting pauses.
LATER: Final = {PayBy.CARD.value: "Card", PayBy.BANK.value: "Bank debit (ACH): clears in about four working days"}


class BuyForm(forms.Form):
    amount = forms.CharField(
        label="Amount in CLOUD",
        max_length=60,
        help_text="Any amount from 0.1, with at most three decimals. 1 CLOUD is 10 dollars.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "data-cloud-amount": ""}),
    )
    pay_by = forms.ChoiceField(
        label="Pay with",
        choices=[
            (PayBy.CARD.value, "Card: the credits come at once"),
            (PayBy.BANK.value, "Bank debit (ACH): the credits come when it has cleared, in about four working days"),
            (WIRE, "Wire: you send it from your bank"),
        ],
        initial=PayBy.CARD.value,
        widget=forms.RadioSelect,
    )
    repeat = forms.ChoiceField(
        label="How often",
        choices=[(PurchaseKind.ONCE.value, "Once"), (PurchaseKind.RECURRING.value, "Every month, until you stop it")],
        initial=PurchaseKind.ONCE.value,
        widget=forms.RadioSelect,
    )
    save = forms.BooleanField(
        label="Keep this card or account at Stripe for the next time",
        required=False,
        help_text="Habitat never sees its number.",
    )
    invoice = forms.IntegerField(required=False, min_value=1, max_value=10**LONGEST_NUMBER, widget=forms.HiddenInput)
    key = forms.CharField(max_length=200, widget=forms.HiddenInput)

    def promise_later(self) -> None:
        """While minting pauses no way of paying brings credits at once."""
        choices = self.fields["pay_by"].choices  # type: ignore[attr-defined]
        self.fields["pay_by"].choices = [(way, LATER.get(way, words)) for way, words in choices]  # type: ignore[attr-defined]

    def refuse(self, refusal: HabitatError) -> None:
        """Shows the refusal's own sentence beside the field it is about."""
        field = refusal.field or FIELD_OF.get(refusal.code)
        self.add_error(field if field in self.fields else None, refusal.sentence)


class InvoiceForm(BuyForm):
    """For an invoice: no wire and no month, for the credits are to pay it as soon as they come."""

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]
        del self.fields["repeat"]
        choices = [choice for choice in BuyForm.base_fields["pay_by"].choices if choice[0] != WIRE]  # type: ignore[attr-defined]
        self.fields["pay_by"].choices = choices  # type: ignore[attr-defined]


class SeeOther(HttpResponseRedirect):
    """303: what was posted is done, and the next page is fetched."""

    status_code = 303


class BuyPage(MemberPage):
    """GET: the form, and today's limits. POST: a purchase, and the way to Stripe; once for each form."""

    def get(self, request: HttpRequest) -> HttpResponse:
        invoice = self.invoice(request.GET.get("invoice", ""))
        asked = request.GET.get("amount", "")[:60]
        given = {"amount": asked, "key": new_key()}
        if invoice is not None:
            paying = Paying.CARD if request.GET.get("whole") else Paying.MISSING
            given |= {"invoice": str(invoice.pk), "amount": plain(purchases.to_buy_for(invoice, paying=paying))}
        form = (InvoiceForm if invoice else BuyForm)(initial=given)
        return self.show(request, form, invoice)

    def post(self, request: HttpRequest) -> HttpResponse:
        invoice = self.invoice(request.POST.get("invoice", ""))
        form = (InvoiceForm if invoice else BuyForm)(request.POST)
        if not form.is_valid():
            return self.show(request, form, invoice, status=422)
        if form.cleaned_data["invoice"] and invoice is None:
            form.add_error(None, "This invoice is not open any more. Go back to your invoices.")
            return self.show(request, form, None, status=409)
        try:
            amount = parse_amount(form.cleaned_data["amount"])
            if form.cleaned_data["pay_by"] == WIRE:
                return self.show_wire(request, Decimal(amount.amount))
            purchase = self.begin(request, form, invoice)
        except HabitatError as refusal:
            form.refuse(refusal)
            return self.show(request, form, invoice, status=refusal.status)
        return self.lead_on(request, open_now(purchase))

    def begin(self, request: HttpRequest, form: BuyForm, invoice: Invoice | None) -> Purchase:
        given = form.cleaned_data
        kind = PurchaseKind.INVOICE if invoice else PurchaseKind(given["repeat"])
        return verbs.begin(
            member=self.member,
            amount=parse_amount(given["amount"]),
            kind=kind,
            invoice=invoice,
            idempotency_key=given["key"],
            acting=actor_of(request.user),
            wish=Wish(pay_by=PayBy(given["pay_by"]), save=given["save"]),
        )

    def lead_on(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        """To Stripe's page where it is open; else to the purchase, which says what it waits for."""
        if purchase.state == PurchaseState.OPEN and purchase.checkout_url:
            return SeeOther(purchase.checkout_url)
        if purchase.state == PurchaseState.CREATED:
            messages.info(request, "Stripe does not answer yet. Your purchase is kept and goes on by itself.")
        return SeeOther(reverse("cloud-purchase", args=[purchase.pk]))

    def invoice(self, number: str) -> Invoice | None:
        is_number = number.isascii() and number.isdigit() and len(number) < LONGEST_NUMBER
        return purchases.payable_invoice(self.member.pk, int(number)) if is_number else None

    def show(self, request: HttpRequest, form: BuyForm, invoice: Invoice | None, *, status: int = 200) -> HttpResponse:
        member: Member = self.member
        standing = current()
        pauses = mint_allowed(new_cash=True, amount=Decimal(0)) is not None
        if pauses:
            form.promise_later()
        here = reverse("cloud-buy") + query({name: request.GET.get(name) for name in ("invoice", "whole", "amount")})
        context = {
            "form": form,
            "invoice": invoice,
            "room": purchases.room_for(member),
            "smallest": SMALLEST,
            "minting_pauses": pauses,
            "cards": cards(member.pk),
            "recurring": purchases.running_recurring(member.pk),
            "terms": standing,
            "here": here,
        }
        return render(request, "cloud_credits/buy.html", context, status=status)

    def show_wire(self, request: HttpRequest, amount: Decimal) -> HttpResponse:
        """Nothing is written: the wire itself is the purchase, known by its reference when it arrives."""
        context = {
            "amount": amount,
            "reference": purchases.wire_reference(self.member.pk),
            "details": purchases.wire_details(),
            "room": purchases.room_for(self.member),
        }
        return render(request, "cloud_credits/buy_wire.html", context)
