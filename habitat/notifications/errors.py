"""What this floor refuses, by name."""

from typing import ClassVar

from habitat.errors import HabitatError


class UnknownNotificationType(HabitatError):
    code = "unknown_notification_type"
    template = "There is no notification called {type}."


class AlwaysTold(HabitatError):
    code = "always_told"
    status = 409
    template = "“{title}” always reaches you {channel}. {why}"


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


class WebhooksNotSetUp(HabitatError):
    code = "webhooks_not_set_up"
    status = 503
    template = "This house has no key to sign webhooks with. Operations sets WEBHOOK_SIGNING_KEY in its environment."


class WebhookUrlRefused(HabitatError):
    code = "webhook_url_refused"
    template = "Webhooks cannot go to this address: {problem}."


class WebhookTypesUnknown(HabitatError):
    code = "webhook_types_unknown"
    template = "“{given}” is nothing to subscribe to. Choose among: {known}."


class WebhookExists(HabitatError):
    code = "webhook_exists"
    status = 409
    template = "This key already has an endpoint at this address. Remove that one first."


class WebhookKeyUnfit(HabitatError):
    code = "webhook_key_unfit"
    template = (
        "The key {name} is revoked, expired or without the scope webhooks. "
        "Take a living one with that scope; operations issue them."
    )


class TooManyWebhooks(HabitatError):
    code = "too_many_webhooks"
    status = 409
    template = "A key has at most {most} endpoints. Remove one first."


class WebhookUnknown(HabitatError):
    code = "not_found"
    status = 404
    template = "There is no such endpoint."


class WebhookNotInState(HabitatError):
    code = "webhook_not_in_state"
    status = 409
    template = "The endpoint is {state}, so this cannot be done. {next}"
    following: ClassVar[dict[str, str]] = {
        "active": "Messages go to it already.",
        "disabled": "Nothing is sent to it until it is switched on.",
        "removed": "It never comes back: create another one at its address.",
    }

    def __init__(self, *, state: str) -> None:
        super().__init__(state=state, next=self.following[state])


class WebhookJustRotated(HabitatError):
    code = "webhook_just_rotated"
    status = 409
    template = (
        "The secret was changed already, and both sign until {until}: a further change would end the one you may still "
        "use. If its answer was lost, ask operations for a new one."
    )


class WebhookNotReplayable(HabitatError):
    code = "webhook_not_replayable"
    status = 409
    template = "Delivery {delivery} is {state}: only what is dead or delivered can be sent again."


class WebhookSuperseded(HabitatError):
    code = "webhook_superseded"
    status = 409
    template = "Delivery {delivery} says what is over: a newer message took its place. {newer}"


class AddressNotAllowed(HabitatError):
    code = "webhook_address_not_allowed"
    # Which one is the house's own affair: its name server may know more than the internet's.
    template = "{host} leads to an address that is not of the public internet."


class ReceiverUnreachable(HabitatError):
    code = "webhook_receiver_unreachable"
    template = "{host} cannot be reached: {problem}."
