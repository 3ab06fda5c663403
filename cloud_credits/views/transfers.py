"""`/cloud/transfer/`: form, then a preview that says what will happen, then one confirmed transfer."""

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from cloud_credits.actions.transfers import transfer
from cloud_credits.policies.transfers import LONGEST_MEMO
from cloud_credits.reports import recipients, transfer_preview
from cloud_credits.reports.balances import balance_of
from cloud_credits.reports.transfer_preview import TransferPreview
from habitat.errors import HabitatError
from habitat.faces.pages import MemberPage, new_key
from habitat.members.reports.actors import actor_of
from habitat.money import parse_amount, plain

# Refusals that name no field of their own, and the field of this form that people would change.
FIELD_OF = {"insufficient_balance": "amount"}


class TransferForm(forms.Form):
    recipient = forms.CharField(
        label="To",
        max_length=100,
        help_text="A cloud name like mara.habitat.eth, or a member number like 12.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    amount = forms.CharField(
        label="Amount in CLOUD",
        max_length=60,
        help_text="At most eight decimals. 1 CLOUD is 10 dollars.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    memo = forms.CharField(
        label="What it is for", max_length=LONGEST_MEMO, required=False, help_text="The recipient reads this."
    )

    def refuse(self, refusal: HabitatError) -> None:
        """Shows the refusal's own sentence beside the field it is about."""
        field = refusal.field or FIELD_OF.get(refusal.code)
        self.add_error(field if field in self.fields else None, refusal.sentence)


class ConfirmForm(TransferForm):
    key = forms.CharField(max_length=200)


class TransferPage(MemberPage):
    """GET: the form. POST: the preview; nothing moves yet."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = {name: request.GET.get(name, "") for name in ("recipient", "amount", "memo")}
        return self.show_form(request, TransferForm(initial=asked))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TransferForm(request.POST)
        if not form.is_valid():
            return self.show_form(request, form, status=422)
        try:
            preview = self.preview(form)
        except HabitatError as refusal:
            form.refuse(refusal)
            return self.show_form(request, form, status=refusal.status)
        confirm = ConfirmForm(
            initial={
                "recipient": str(preview.recipient.pk),
                "amount": plain(preview.amount),
                "memo": form.cleaned_data["memo"],
                "key": new_key(),
            }
        )
        for field in confirm.fields.values():
            field.widget = forms.HiddenInput()
        context = {
            "preview": preview,
            "form": confirm,
            "memo": form.cleaned_data["memo"],
            "back": urlencode(form.cleaned_data),
        }
        return render(request, "cloud_credits/transfer_preview.html", context)

    def preview(self, form: TransferForm) -> TransferPreview:
        return transfer_preview.preview(
            sender=self.member,
            recipient=recipients.find(form.cleaned_data["recipient"]),
            amount=parse_amount(form.cleaned_data["amount"]),
        )

    def show_form(self, request: HttpRequest, form: TransferForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "balance": balance_of(self.member.pk), "member": self.member}
        return render(request, "cloud_credits/transfer.html", context, status=status)


class TransferConfirm(TransferPage):
    """POST only: the transfer itself, once for each form however often it is sent."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ConfirmForm(request.POST)
        if not form.is_valid():
            return self.show_form(request, TransferForm(request.POST), status=422)
        try:
            outcome = transfer(
                sender=self.member,
                recipient=recipients.find(form.cleaned_data["recipient"]),
                amount=parse_amount(form.cleaned_data["amount"]),
                memo=form.cleaned_data["memo"],
                idempotency_key=form.cleaned_data["key"],
                acting=actor_of(request.user),
            )
        except HabitatError as refusal:
            shown = TransferForm(request.POST)
            shown.is_valid()
            shown.refuse(refusal)
            return self.show_form(request, shown, status=refusal.status)
        if outcome.replayed:
            messages.info(request, "This transfer had already been made. It was not made again.")
        else:
            messages.success(request, "Sent. The credits are in the recipient's balance now.")
        return redirect("cloud-transaction", outcome.transaction.pk)
