"""The test cards and test bank accounts, and what each does."""

from dataclasses import dataclass

from treasury.sandbox.store import Document
from treasury.sandbox.stripe import shapes


@dataclass(frozen=True, slots=True)
class Instrument:
    """A way to pay. `decline`: the code of the bank's refusal; `authenticate`: the payer must confirm when present;
    `dispute`: contested after it succeeded; `at_once`: its money is available immediately."""

    number: str
    token: str
    label: str
    brand: str = "visa"
    decline: str | None = None
    decline_code: str | None = None
    message: str = "Your card was declined."
    authenticate: bool = False
    dispute: bool = False
    at_once: bool = False
    bank: bool = False

    @property
    def kind(self) -> str:
        return "us_bank_account" if self.bank else "card"

    def method(self) -> Document:
        last4 = self.number[-4:]
        details = shapes.bank_details(last4) if self.bank else shapes.card_details(self.brand, last4)
        return shapes.payment_method(self.kind, details, self.number)


INSTRUMENTS = (
    Instrument("4242424242424242", "pm_card_visa", "succeeds"),
    Instrument("5555555555554444", "pm_card_mastercard", "succeeds", brand="mastercard"),
    Instrument("4000000000000077", "pm_card_bypassPending", "succeeds, money available at once", at_once=True),
    Instrument(
        "4000000000000002",
        "pm_card_visa_chargeDeclined",
        "is declined",
        decline="card_declined",
        decline_code="generic_decline",
    ),
    Instrument(
        "4000000000009995",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "has insufficient funds",
        decline="card_declined",
        decline_code="insufficient_funds",
        message="Your card has insufficient funds.",
    ),
    Instrument(
        "4000000000000341",
        "pm_card_chargeCustomerFail",
        "can be saved, then is declined",
        decline="card_declined",
        decline_code="generic_decline",
    ),
    Instrument("4000002500003155", "pm_card_authenticationRequired", "needs authentication", authenticate=True),
    Instrument("4000000000000259", "pm_card_createDispute", "succeeds, then is disputed", dispute=True),
    Instrument("000123456789", "pm_usBankAccount_success", "bank account, succeeds later", bank=True),
    Instrument(
        "000111111113",
        "pm_usBankAccount_accountClosed",
        "bank account, fails later",
        bank=True,
        decline="bank_account_declined",
        decline_code="account_closed",
        message="The customer's bank account has been closed.",
    ),
)
BY_NUMBER = {instrument.number: instrument for instrument in INSTRUMENTS}
BY_TOKEN = {instrument.token: instrument for instrument in INSTRUMENTS}


def instrument(name: str) -> Instrument | None:
    """By number (spaces and dashes allowed), by token, or the word `us_bank_account`."""
    bare = name.replace(" ", "").replace("-", "")
    if name == "us_bank_account":
        bare = "000123456789"
    return BY_NUMBER.get(bare) or BY_TOKEN.get(name)
