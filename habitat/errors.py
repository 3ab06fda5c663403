"""The root of every refusal: a stable code, an HTTP status, a sentence for people, and the numbers in it."""

from typing import Any, ClassVar


class HabitatError(Exception):
    """A named refusal. Page, REST and admin all show `sentence`; programs read `code`.

    Subclasses set `code` (stable for ever), `status` and `template`; keyword arguments fill the template and
    are kept in `details`. A `field` argument names the input at fault.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 422
    template: ClassVar[str] = "This could not be done."

    def __init__(self, *, field: str | None = None, **details: Any) -> None:
        self.field = field
        self.details = details
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """What happened and what to do about it, for a person."""
        return self.template.format(**self.details)


class NotANumber(HabitatError):
    code = "amount_not_a_number"
    template = "“{given}” is not a number. Write the amount with digits and a point, like 12.5."


class AmountNotPositive(HabitatError):
    code = "amount_not_positive"
    template = "The amount must be more than zero; it was {given}."


class AmountTooLarge(HabitatError):
    code = "amount_too_large"
    template = "{given} is more than the books can hold. The largest amount is {largest}."


class TooManyDecimals(HabitatError):
    code = "too_many_decimals"
    template = "{given} has more than {places} decimals. Shorten it: amounts are never rounded for you."


class WrongCurrency(HabitatError):
    code = "wrong_currency"
    template = "This takes {expected}, not {given}."


class ReasonRequired(HabitatError):
    code = "reason_required"
    template = "Say why, in a few words: this is recorded with your name."


class NotAllowed(HabitatError):
    code = "not_allowed"
    status = 403
    template = "You may not do this: it needs the permission “{permission}”."


class IdempotencyConflict(HabitatError):
    code = "idempotency_conflict"
    status = 409
    template = "The key “{key}” was already used for something else. Use a new key for a new request."


class IdempotencyKeyRequired(HabitatError):
    code = "idempotency_key_required"
    status = 400
    template = "Send an Idempotency-Key header of 1 to 200 characters, so that a retry cannot do this twice."


class BodyTooLarge(HabitatError):
    code = "body_too_large"
    status = 413
    template = "The body is larger than {most} bytes, the most that is read. Send less at once."


class CharsetNotUTF8(HabitatError):
    code = "charset_not_utf8"
    status = 415
    template = "The body is said to be {given}; JSON is sent in UTF-8."
