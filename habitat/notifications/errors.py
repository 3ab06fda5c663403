"""What this floor refuses, by name."""

from habitat.errors import HabitatError


class UnknownNotificationType(HabitatError):
    code = "unknown_notification_type"
    template = "There is no notification called {type}."


class NotYours(HabitatError):
    code = "not_found"
    status = 404
    template = "There is no such notification."


class EmailNotDead(HabitatError):
    code = "email_not_dead"
    status = 409
    template = "E-mail {email} is {state}: only a dead one can be sent again."


class NoAddress(HabitatError):
    code = "no_address"
    template = "The member has no sign-in, or it is switched off: there is nowhere to write to."
