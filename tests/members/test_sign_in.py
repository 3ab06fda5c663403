"""Signing in: by e-mail, with a second factor for staff, and what each status may still see."""

import base64
import re
import time

import pytest
import time_machine
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import hotp_value, validate_totp_code
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client, override_settings
from django.urls import reverse

from habitat.members.actions import members
from habitat.members.models import Member, User, UserHistory
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import STAFF, Role
from tests.members import people

pytestmark = pytest.mark.django_db
enforced = override_settings(STAFF_MFA_REQUIRED=True)


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


def sign_in(member: Member, client: Client | None = None) -> Client:
    browser = client or Client()
    answer = browser.post("/accounts/login/", {"login": member.user.email, "password": people.PASSWORD})
    assert answer.status_code == 302, answer.content.decode()
    return browser


def code_for(secret: str, *, half_minutes_ago: int = 0) -> str:
    counter = int(time.time()) // app_settings.TOTP_PERIOD - half_minutes_ago
    return f"{hotp_value(secret, counter):06d}"


def enrol(client: Client) -> str:
    """Set up a second factor through the pages; gives its secret."""
    page = client.get("/accounts/2fa/totp/activate/")
    if page.status_code == 302:
        # Whoever changes a sign-in proves again who they are.
        assert page["Location"].startswith(reverse("account_reauthenticate"))
        assert client.post(page["Location"], {"password": people.PASSWORD}).status_code == 302
        page = client.get("/accounts/2fa/totp/activate/")
    assert page.status_code == 200
    secret = page.context["form"].secret
    answer = client.post("/accounts/2fa/totp/activate/", {"code": code_for(secret)})
    assert answer.status_code == 302, answer.content.decode()
    return str(secret)


def test_settings__production_asks_for_the_second_factor() -> None:
    from habitat.settings import base

    assert base.STAFF_MFA_REQUIRED is True
    assert settings.MFA_SUPPORTED_TYPES == ["totp", "webauthn", "recovery_codes"]


@pytest.mark.parametrize("role", sorted(STAFF))
@enforced
def test_staff__without_second_factor_reach_only_enrolment(role: Role) -> None:
    client = sign_in(people.trusted(role))
    for path in ("/admin/", "/admin/members/member/", "/settings/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index")), path
    assert client.get("/accounts/2fa/").status_code == 200
    answer = client.get("/api/balance")
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")
    assert answer["Content-Type"] == "application/problem+json"


@enforced
def test_staff__without_second_factor_cannot_act() -> None:
    client, member = sign_in(people.trusted(Role.OPERATIONS)), people.active()
    url = reverse("admin:members_member_verb", args=[member.pk, "suspend"])
    answer = client.post(url, {"reason": "x", "verb_key": "k"})
    assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index"))
    assert Member.objects.get(pk=member.pk).status == "active"


@pytest.mark.parametrize(("half_minutes_ago", "counts"), [(0, True), (1, True), (2, False)])
def test_code__counts_for_one_half_minute_more(half_minutes_ago: int, counts: bool) -> None:
    secret = "JBSWY3DPEHPK3PXP"
    with time_machine.travel("2026-06-01 12:00:10Z", tick=False):
        assert validate_totp_code(secret, code_for(secret, half_minutes_ago=half_minutes_ago)) is counts


@enforced
def test_staff__enrol_by_totp_then_sign_in_with_it() -> None:
    operator = people.trusted(Role.OPERATIONS)
    client = sign_in(operator)
    secret = enrol(client)
    assert Authenticator.objects.filter(user=operator.user, type="totp").count() == 1
    assert client.get("/admin/").status_code == 200

    again = Client()
    first = again.post("/accounts/login/", {"login": operator.user.email, "password": people.PASSWORD})
    assert (first.status_code, first["Location"]) == (302, reverse("mfa_authenticate"))
    assert again.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert "_auth_user_id" not in again.session
    wrong = again.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert wrong.status_code == 200
    assert "_auth_user_id" not in again.session
    cache.clear()
    right = again.post(reverse("mfa_authenticate"), {"code": code_for(secret)})
    assert right.status_code == 302
    assert again.get("/admin/").status_code == 200


@enforced
def test_recovery_codes__alone_are_no_second_factor() -> None:
    operator = people.trusted(Role.OPERATIONS)
    Authenticator.objects.create(user=operator.user, type="recovery_codes", data={})
    assert sign_in(operator).get("/admin/")["Location"] == reverse("mfa_index")


@enforced
def test_member__needs_no_second_factor() -> None:
    assert sign_in(people.active()).get("/settings/").status_code == 200


def test_back_office__has_no_sign_in_of_its_own() -> None:
    answer = Client().post("/admin/login/", {"username": "a", "password": "b"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("verb", ["suspend", "deactivate", "withdraw", "expel"])
def test_sign_in__stays_open_to_look(verb: str) -> None:
    member = people.active()
    getattr(members, verb)(member=member, reason="x", acting=SYSTEM)
    page = sign_in(member).get("/settings/")
    assert page.status_code == 200
    assert Member.objects.get(pk=member.pk).status in page.content.decode()


def test_suspension__ends_the_back_office_at_once() -> None:
    operator = people.trusted(Role.OPERATIONS)
    client = sign_in(operator)
    assert client.get("/admin/").status_code == 200
    members.suspend(member=operator, reason="lost laptop", acting=SYSTEM)
    assert client.get("/admin/").status_code in {302, 403}
    assert people.acting_as(operator).permissions == frozenset()


@pytest.mark.parametrize("email", ["ADA@Example.ORG", "ada@example.org"])
def test_sign_in__case_does_not_matter(email: str) -> None:
    people.pending("Ada", email="Ada@Example.org")
    client = Client()
    answer = client.post("/accounts/login/", {"login": email, "password": people.PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/cloud/")


def test_sign_in__wrong_password_is_refused_and_limited() -> None:
    member = people.active()
    client = Client()
    texts = []
    for _ in range(6):
        answer = client.post("/accounts/login/", {"login": member.user.email, "password": "wrong"})
        texts.append(answer.content.decode())
    assert "_auth_user_id" not in client.session
    assert "Too many failed" in texts[-1]


def test_sign_up__is_closed() -> None:
    before = User.objects.count()
    form = {"email": "new@example.org", "password1": people.PASSWORD, "password2": people.PASSWORD}
    answer = Client().post("/accounts/signup/", form)
    assert "registered by operations" in answer.content.decode()
    assert User.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_invitation__sets_the_first_password() -> None:
    client = Client()
    client.force_login(people.trusted(Role.OPERATIONS).user)
    form = {"kind": "person", "display_name": "Nia", "email": "nia@example.org", "send_invitation": "on"}
    answer = client.post("/admin/members/member/verb/register/", form | {"verb_key": "k"})
    assert answer.status_code == 302
    user = User.objects.get(email="nia@example.org")
    assert not user.has_usable_password()
    (letter,) = [letter for letter in mail.outbox if letter.to == ["nia@example.org"]]
    link = re.search(r"http\S+", letter.body)
    assert link is not None
    path = link[0].removeprefix(settings.SITE_URL)
    guest = Client()
    landed = guest.get(path, follow=True)
    assert landed.status_code == 200
    chosen = {"password1": people.PASSWORD, "password2": people.PASSWORD}
    assert guest.post(landed.redirect_chain[-1][0], chosen).status_code == 302
    sign_in(Member.objects.get(user=user))


def test_sessions__are_listed_and_can_be_ended() -> None:
    member = people.active()
    here, there = sign_in(member), sign_in(member)
    page = here.get("/accounts/sessions/")
    assert page.status_code == 200
    assert len(page.context["sessions"]) == 2
    here.post("/accounts/sessions/")
    assert there.get("/settings/").status_code == 302
    assert here.get("/settings/").status_code == 200


def test_settings__member_changes_their_own_name() -> None:
    member = people.active("Ada")
    client = sign_in(member)
    assert client.get("/settings/name/").status_code == 405
    assert client.post("/settings/name/", {"display_name": "Ada L."}).status_code == 302
    assert Member.objects.get(pk=member.pk).display_name == "Ada L."
    assert client.post("/settings/name/", {"display_name": "  "}).status_code == 422
    assert Member.objects.get(pk=member.pk).display_name == "Ada L."


def test_settings__nobody_is_sent_to_sign_in() -> None:
    answer = Client().get("/settings/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/settings/")


def test_history__keeps_no_password() -> None:
    member = people.active()
    client = sign_in(member)
    form = {"oldpassword": people.PASSWORD, "password1": "another long phrase", "password2": "another long phrase"}
    assert client.post("/accounts/password/change/", form).status_code == 302
    columns = {field.name for field in UserHistory._meta.get_fields()}
    assert not columns & {"password", "last_login"}
    assert UserHistory.objects.filter(pgh_obj=member.user).count() == 1


def test_history__names_the_address_a_change_came_through() -> None:
    operator, member = people.trusted(Role.OPERATIONS), people.active()
    client = sign_in(operator)
    url = reverse("admin:members_member_verb", args=[member.pk, "suspend"])
    client.post(url, {"reason": "lost card", "verb_key": "k"})
    last = member.history.first()
    assert last.pgh_context == {
        "user": operator.user_id,
        "url": url,
        "actor": f"member:{operator.pk}",
        "actor_name": "Olga",
        "reason": "lost card",
    }


def test_totp_helper__speaks_the_standard() -> None:
    # RFC 6238's test secret at a fixed time, so that the flow above is not judged by its own mirror.
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert f"{hotp_value(secret, 59 // 30):06d}" == "287082"


def ask_for_address(client: Client, email: str) -> None:
    """Post the form, and prove again who one is: the form goes on by itself after that."""
    answer = client.post("/accounts/email/", {"email": email, "action_add": ""})
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert client.post(answer["Location"], {"password": people.PASSWORD}).status_code in {200, 302}


def test_address__changes_only_after_the_new_one_is_confirmed() -> None:
    member = people.active()
    old = member.user.email
    client = sign_in(member)
    ask_for_address(client, "new@example.org")
    assert User.objects.get(pk=member.user_id).email == old
    letter = next(letter for letter in mail.outbox if letter.to == ["new@example.org"])
    link = re.search(r"http\S+", letter.body)
    assert link is not None
    path = re.sub(r"^https?://[^/]+", "", link[0])
    assert client.get(path).status_code == 200
    assert User.objects.get(pk=member.user_id).email == old
    assert client.post(path).status_code == 302
    assert User.objects.get(pk=member.user_id).email == "new@example.org"
    last = UserHistory.objects.filter(pgh_obj_id=member.user_id).first()
    assert last is not None
    assert (last.email, last.pgh_context["user"], last.pgh_context["url"]) == ("new@example.org", member.user_id, path)


def test_address__of_another_member_is_refused() -> None:
    member, other = people.active("Ada"), people.active("Ben")
    client = sign_in(member)
    ask_for_address(client, other.user.email)
    assert User.objects.filter(email=other.user.email).count() == 1
    assert User.objects.get(pk=member.user_id).email != other.user.email
