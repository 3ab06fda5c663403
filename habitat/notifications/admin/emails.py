"""E-mails in the back office: what went out, what could not, and sending it again with a reason."""

from typing import Any

from django.contrib import admin

from habitat.faces.admin import HouseAdmin, Verb
from habitat.members.policies.actors import Actor
from habitat.notifications.actions import emails
from habitat.notifications.models import Email
from habitat.notifications.policies.channels import EmailState


def send_again(email: Email, *, acting: Actor, key: str, reason: str) -> None:
    emails.send_again(email=email, reason=reason, acting=acting)


def is_dead(email: Any) -> bool:
    return bool(email.state == EmailState.DEAD.value)


@admin.register(Email)
class EmailAdmin(HouseAdmin):
    list_display = ("id", "member", "type", "subject", "state", "attempts", "sent_at", "error")
    list_filter = ("state", "type")
    list_select_related = ("member",)
    search_fields = ("=id", "sent_to", "subject")
    ordering = ("-id",)
    verbs = (
        Verb(
            name="send-again",
            label="Send again",
            permission=emails.RESEND,
            run=send_again,
            available=is_dead,
            done="The e-mail is queued again.",
        ),
    )
