"""Refusals of this floor: each with its stable code and its sentence for people."""

from typing import ClassVar

from habitat.errors import HabitatError


class MissingField(HabitatError):
    code = "missing_field"
    template = "“{name}” is missing. A usage event needs it."


class EventIdInvalid(HabitatError):
    code = "event_id_invalid"
    template = "An event id has 1 to 200 visible characters, made once by the service and sent again on a retry."


class ServiceNameInvalid(HabitatError):
    code = "service_name_invalid"
    template = "A service name has 1 to 100 visible characters."


class UnknownPrimitive(HabitatError):
    code = "unknown_primitive"
    template = "“{given}” is not metered here. Send compute, transfer, ltm or stm."


class WrongUnit(HabitatError):
    code = "wrong_unit"
    template = "{primitive} is measured in {unit}, not in “{given}”."


class QuantityNotPositive(HabitatError):
    code = "quantity_not_positive"
    template = "A quantity must be more than zero; it was {given}."


class TimeInvalid(HabitatError):
    code = "time_invalid"
    template = "“{given}” is not a moment. Write it like 2026-04-01T12:00:00Z, with its time zone."


class StartAfterEnd(HabitatError):
    code = "start_after_end"
    template = "The usage would start at {start}, after it ends at {end}."


class EventInFuture(HabitatError):
    code = "event_in_future"
    template = "The usage ends at {given}, which is more than {minutes} minutes ahead of now. Check the service's clock."


class EventTooLate(HabitatError):
    code = "event_too_late"
    template = (
        "The usage ended at {given}, more than {days} days ago. "
        "Operations can let it in with a reason and a second person."
    )


class NoCardInForce(HabitatError):
    code = "no_card_in_force"
    template = "No rate card was in force on {day}, so this usage has no price."


class MeteredMemberUnknown(HabitatError):
    code = "unknown_member"
    template = "There is no member {given}."


class MayNotRedeem(HabitatError):
    code = "may_not_redeem"
    template = "Member {member} is {status} and may not redeem credits."


class EventConflict(HabitatError):
    code = "event_conflict"
    status: ClassVar[int] = 409
    template = "The event “{event_id}” was already recorded with other content. An id names one usage, for ever."


class ImportFileChanged(HabitatError):
    code = "import_file_changed"
    status: ClassVar[int] = 409
    template = "{name} is not the file this import began with: its beginning changed. Import it under another name."


class ImportBusy(HabitatError):
    code = "import_busy"
    status: ClassVar[int] = 409
    template = "Another import of {name} is running. Wait for it, or stop it first."


class ImportFormUnknown(HabitatError):
    code = "import_form_unknown"
    template = "{name} is neither CSV nor NDJSON. Its name must end in .csv, .ndjson or .jsonl."


class RowTooLong(HabitatError):
    code = "row_too_long"
    template = "This row is longer than {largest} bytes; an event never is."


class RowUnreadable(HabitatError):
    code = "row_unreadable"
    template = "This row cannot be read: {why}."
