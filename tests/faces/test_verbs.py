"""The grammar of the back office: verbs by POST, judged on the server, refused with the action's own sentence."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from habitat.faces.admin import HouseAdmin, SecondLook, Verb
from habitat.members.models import Member
from habitat.members.policies.roles import Role
from tests.members import people

pytestmark = pytest.mark.django_db


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def verb_url(member: Member, verb: str) -> str:
    return reverse("admin:members_member_verb", args=[member.pk, verb])


def house_admins() -> list[HouseAdmin]:
    return [site for site in admin.site._registry.values() if isinstance(site, HouseAdmin)]


def all_verbs() -> list[tuple[HouseAdmin, str, str]]:
    found = []
    for page in house_admins():
        found += [(page, verb.name, "verb") for verb in page.verbs]
        found += [(page, verb.name, "list_verb") for verb in page.list_verbs]
    return found


def address(page: HouseAdmin, name: str, kind: str) -> str:
    args: list[Any] = [name] if kind == "list_verb" else ["1", name]
    return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_{kind}", args=args)


def test_verbs__are_many() -> None:
    assert len(all_verbs()) >= 18


@pytest.mark.parametrize("who", ["nobody", "member", "admin"])
def test_verb__refuses_get(who: str) -> None:
    client = Client()
    if who != "nobody":
        client = signed_in(people.active() if who == "member" else people.trusted(Role.ADMIN))
    for page, name, kind in all_verbs():
        answer = client.get(address(page, name, kind))
        assert answer.status_code == 405, (page, name)
        assert answer["Allow"] == "POST"


def test_verb__without_permission_is_403() -> None:
    client = signed_in(people.trusted(Role.STEWARD))
    for page, name, kind in all_verbs():
        if page.opts.app_label not in {"members", "controls"}:
            continue
        assert client.post(address(page, name, kind), {"reason": "x", "verb_key": "k"}).status_code == 403, name


def test_verb__member_is_sent_to_sign_in_and_nothing_moves() -> None:
    member = people.active()
    answer = signed_in(people.active("Ben")).post(verb_url(member, "suspend"), {"reason": "x", "verb_key": "k"})
    assert answer.status_code in {302, 403}
    assert Member.objects.get(pk=member.pk).status == "active"


def test_verb__acts_once_for_one_form() -> None:
    operator, member = people.trusted(Role.OPERATIONS), people.active()
    client = signed_in(operator)
    answer = client.post(verb_url(member, "suspend"), {"reason": "lost card", "verb_key": "once"})
    assert answer.status_code == 302
    assert Member.objects.get(pk=member.pk).status == "suspended"
    again = client.post(verb_url(member, "suspend"), {"reason": "lost card", "verb_key": "once"}, follow=True)
    assert again.status_code == 200
    assert "nothing happened twice" in again.content.decode()


def test_verb__refusal_shows_the_actions_sentence_and_status() -> None:
    client, member = signed_in(people.trusted(Role.OPERATIONS)), people.pending("Zoe")
    answer = client.post(verb_url(member, "suspend"), {"reason": "why", "verb_key": "k"})
    assert answer.status_code == 409
    assert "Zoe is pending: the membership cannot go from there to suspended." in answer.content.decode()
    assert Member.objects.get(pk=member.pk).status == "pending"


def test_verb__reason_is_asked_for() -> None:
    client, member = signed_in(people.trusted(Role.OPERATIONS)), people.active()
    answer = client.post(verb_url(member, "suspend"), {"reason": "  ", "verb_key": "k"})
    assert answer.status_code == 422
    assert "This field is required." in answer.content.decode()
    assert Member.objects.get(pk=member.pk).status == "active"


@pytest.mark.parametrize("object_id", ["999999999", "nonsense", "99999999999999999999999"])
def test_verb__unknown_object_is_404(object_id: str) -> None:
    client = signed_in(people.trusted(Role.OPERATIONS))
    url = f"/admin/members/member/{object_id}/verb/suspend/"
    assert client.post(url, {"reason": "x", "verb_key": "k"}).status_code == 404


def test_verb__unknown_verb_is_404() -> None:
    client, member = signed_in(people.trusted(Role.OPERATIONS)), people.active()
    assert client.post(verb_url(member, "promote"), {"reason": "x", "verb_key": "k"}).status_code == 404


def test_verb__needs_the_csrf_token() -> None:
    operator, member = people.trusted(Role.OPERATIONS), people.active()
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator.user)
    assert client.post(verb_url(member, "suspend"), {"reason": "x", "verb_key": "k"}).status_code == 403
    assert Member.objects.get(pk=member.pk).status == "active"


def test_page__offers_only_what_this_person_may_do_now() -> None:
    member = people.active()
    page = signed_in(people.trusted(Role.OPERATIONS)).get(f"/admin/members/member/{member.pk}/change/").content.decode()
    assert 'data-dialog-open="verb-suspend"' in page
    assert "verb-admit" not in page
    assert "verb-grant-role" not in page
    assert page.count("<dialog") == page.count("data-dialog-open=")


def test_page__shows_history_with_who_and_why() -> None:
    operator, member = people.trusted(Role.OPERATIONS, "Olga"), people.active()
    client = signed_in(operator)
    client.post(verb_url(member, "suspend"), {"reason": "lost card", "verb_key": "k"})
    page = client.get(f"/admin/members/member/{member.pk}/change/").content.decode()
    assert "lost card" in page
    assert f"Olga (member:{operator.pk})" in page


def test_page__nothing_is_saved_by_post() -> None:
    client, member = signed_in(people.trusted(Role.ADMIN)), people.active()
    for suffix in ("change/", "delete/"):
        answer = client.post(f"/admin/members/member/{member.pk}/{suffix}", {"display_name": "Changed", "post": "yes"})
        assert answer.status_code == 403
    assert client.post("/admin/members/member/add/", {"display_name": "New"}).status_code == 403
    assert Member.objects.get(pk=member.pk).display_name == "Ada"


def test_every_registered_page__cannot_write() -> None:
    from django.test import RequestFactory

    request = RequestFactory().get("/admin/")
    request.user = people.trusted(Role.ADMIN).user
    for model, page in admin.site._registry.items():
        assert not page.has_add_permission(request), model
        assert not page.has_change_permission(request), model
        assert not page.has_delete_permission(request), model


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_export__follows_the_filters(file_format: str) -> None:
    people.active("Ada")
    people.pending("Pia")
    client = signed_in(people.trusted(Role.OPERATIONS))
    answer = client.get(f"/admin/members/member/export/{file_format}/?status__exact=pending")
    assert answer.status_code == 200
    if file_format == "csv":
        text = answer.content.decode("utf-8-sig")
        assert text.splitlines()[0] == (
            "id,display_name,kind,status,is_investor,ens_subname,ethereum_address,created_at"
        )
        assert "Pia" in text
        assert "Ada" not in text


def test_export__without_permission_is_refused() -> None:
    answer = signed_in(people.trusted(Role.STEWARD)).get("/admin/controls/servicekey/export/csv/")
    assert answer.status_code == 403


def test_pages__open_for_an_administrator() -> None:
    client = signed_in(people.trusted(Role.ADMIN))
    for page in house_admins():
        if page.opts.app_label in {"members", "controls", "auth"}:
            url = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
            assert client.get(url).status_code == 200, url


def test_second_look__comes_before_the_act_and_carries_the_form() -> None:
    done: list[str] = []

    def preview(member: Member, *, acting: Any, reason: str) -> SecondLook:
        return SecondLook(facts=(("Who", member.display_name), ("Why", reason)), warning="For good.")

    def run(member: Member, *, acting: Any, key: str, reason: str) -> None:
        done.append(reason)

    verb = Verb("suspend", "Try it", "members.change_status", run, preview=preview)
    page = admin.site._registry[Member]
    operator, member = people.trusted(Role.OPERATIONS), people.active()
    client = signed_in(operator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "verbs", (verb,), raising=False)
        form = {"reason": "<b>why</b>", "verb_key": "look"}
        looked = client.post(verb_url(member, "suspend"), form)
        assert (looked.status_code, done) == (200, [])
        shown = looked.content.decode()
        for words in ("look once more", "For good.", "&lt;b&gt;why&lt;/b&gt;", 'name="verb_seen" value="1"'):
            assert words in shown
        assert client.post(verb_url(member, "suspend"), form | {"verb_seen": "1"}).status_code == 302
        assert client.post(verb_url(member, "suspend"), form | {"verb_seen": "1"}).status_code == 302
        assert done == ["<b>why</b>"]
