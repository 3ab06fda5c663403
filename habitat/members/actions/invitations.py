"""An invitation: a link by e-mail that sets the first password."""

from urllib.parse import urljoin

from allauth.account.adapter import get_adapter
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from habitat.members.errors import NoSignIn
from habitat.members.models import Member, User
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require


def invitation_link(user: User) -> str:
    """Where the person sets their password: works once and expires like any password reset."""
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    uid, token = key.split("-", 1)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": uid, "key": token})
    return urljoin(settings.SITE_URL, path)


@transaction.atomic
def invite(*, member: Member, acting: Actor) -> None:
    """Send the link once everything before it is committed. Raises NotAllowed, NoSignIn."""
    require(acting, "members.add_member")
    user = member.user
    if user is None:
        raise NoSignIn(name=member.display_name)
    context = {"member": member, "link": invitation_link(user)}
    transaction.on_commit(lambda: get_adapter().send_mail("account/email/invitation", user.email, context))
