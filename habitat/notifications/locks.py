"""Row locks of this floor."""

from habitat.notifications.models import Email
from habitat.notifications.policies.channels import EmailState


def email(email_id: int) -> Email:
    """The e-mail, its row locked. Raises Email.DoesNotExist."""
    return Email.objects.select_for_update(no_key=True).get(pk=email_id)


def held_email(email_id: int, fence: int) -> Email | None:
    """The e-mail if whoever took it under `fence` still holds it, locked; None when it moved on."""
    held = Email.objects.select_for_update(no_key=True)
    return held.filter(pk=email_id, fence=fence, state=EmailState.SENDING.value).first()
