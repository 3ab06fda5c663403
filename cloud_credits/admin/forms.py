"""What the back office asks when credits move: a member by number or name, and an exact amount."""

from django import forms

from cloud_credits.reports import recipients
from habitat.errors import HabitatError
from habitat.faces.admin import ReasonForm
from habitat.members.models import Member
from habitat.money import Money, parse_amount


class CloudAmountField(forms.CharField):
    """CLOUD as typed: parsed exactly, refused with the sentence everybody sees."""

    def __init__(self) -> None:
        super().__init__(
            label="Amount, CLOUD",
            max_length=40,
            help_text="At most eight decimals. 1 CLOUD is 10 USD.",
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        )

    def clean(self, value: object) -> Money:
        text = super().clean(value)
        try:
            return parse_amount(text)
        except HabitatError as refusal:
            raise forms.ValidationError(refusal.sentence, code=refusal.code) from refusal


class MemberField(forms.CharField):
    """A member by number, or by name under habitat.eth."""

    def __init__(self, label: str, *, required: bool = True, help_text: str = "") -> None:
        super().__init__(
            label=label,
            max_length=80,
            required=required,
            help_text=help_text or "A member number, or a name like alice or alice.habitat.eth.",
        )

    def clean(self, value: object) -> Member | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return recipients.find(text)
        except HabitatError as refusal:
            raise forms.ValidationError(refusal.sentence, code=refusal.code) from refusal


class AmountForm(ReasonForm):
    amount = CloudAmountField()


class GrantForm(ReasonForm):
    giver = MemberField("From", help_text="One of the cooperative's own accounts: techne, pool or watershed.")
    recipient = MemberField("To")
    amount = CloudAmountField()


class CorrectionForm(ReasonForm):
    from_member = MemberField("Take from", required=False, help_text="Empty: nobody; credits are added.")
    to_member = MemberField("Give to", required=False, help_text="Empty: nobody; credits are taken.")
    amount = CloudAmountField()
