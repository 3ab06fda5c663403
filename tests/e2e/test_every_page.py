"""Every page a member or operations can open: no complaint, nobody shut out, no sideways scroll, in both schemes."""

from collections.abc import Iterator

import pytest

from tests.e2e.watching import shut_out, width_needed
from tests.site.doors import House, doors, furnish, path_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chromium, pytest.mark.node, pytest.mark.slow]

NARROW = 320
# The readable API is another package's page; the search answers with a fragment for the page it stands on.
NOT_OURS = ("/api/", "/admin/search/")


def _pages(house: House, who: str) -> Iterator[str]:
    """What opens as a page by GET for this person, taken from the URL configuration."""
    for door in doors():
        path = path_of(door, house)
        if path.startswith(NOT_OURS) or "<slug:verb_name>" in door.route:
            continue
        answer = house.knock(who, "GET", path)
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            yield path


def _look(page, path: str, *, is_portal: bool) -> list[str]:
    wrong = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": 1280, "height": 900})
        answer = page.goto(path)
        if answer.status != 200:
            wrong.append(f"{path}: {answer.status}")
            continue
        wrong += [f"{path} {scheme}: {finding}" for finding in shut_out(page)]
    if is_portal:
        page.set_viewport_size({"width": NARROW, "height": 700})
        if width_needed(page) > NARROW:
            wrong.append(f"{path}: {width_needed(page)} px wide on a screen of {NARROW}")
        wrong += [f"{path} narrow: {finding}" for finding in shut_out(page)]
    return wrong


@pytest.mark.parametrize(("who", "at_least"), [("nobody", 8), ("owner", 20), ("operations", 40)])
def test_every_page__is_well(visit, who, at_least):
    house = furnish()
    paths = list(_pages(house, who))
    if who == "operations":
        # What a member sees on the portal was looked at as a member.
        paths = [path for path in paths if path.startswith("/admin/")] + ["/cloud/"]
    page = visit(house.people.get(who))
    wrong = [line for path in paths for line in _look(page, path, is_portal=not path.startswith("/admin/"))]

    assert not wrong, "\n".join(wrong)
    assert len(paths) >= at_least


def _narrow(page) -> list[str]:
    page.set_viewport_size({"width": NARROW, "height": 700})
    needed = width_needed(page)
    return [f"{needed} px wide on a screen of {NARROW}"] if needed > NARROW else []


def test_pages_behind_forms__are_well(visit):
    """The preview of a transfer, a refused form, the enrolment of a second factor: no address leads there by GET."""
    house = furnish()
    page = visit(house.people["owner"])
    page.goto("/cloud/transfer/")
    page.get_by_label("To").fill("nobody-of-this-name")
    page.get_by_label("Amount in CLOUD").fill("1")
    page.get_by_role("button", name="Check the transfer").click()
    page.wait_for_selector("[aria-invalid]")
    assert shut_out(page) + _narrow(page) == []
    page.get_by_label("To").fill(str(house.people["other"].pk))
    page.get_by_role("button", name="Check the transfer").click()
    page.wait_for_selector("text=You cannot take this back")
    assert shut_out(page) + _narrow(page) == []
    page.goto("/accounts/2fa/totp/activate/")
    page.get_by_label("Password").fill("correct horse battery")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/2fa/totp/activate/")
    assert shut_out(page) + _narrow(page) == []


def test_dialog__shuts_nobody_out(visit):
    house = furnish()
    for scheme in ("light", "dark"):
        page = visit(house.people["operations"], scheme=scheme)
        page.goto(f"/admin/members/member/{house.people['owner'].pk}/change/")
        page.locator('[data-dialog-open="verb-suspend"]').click()
        page.wait_for_selector("#verb-suspend[open]")
        assert shut_out(page) == []


def test_watching__sees_what_is_wrong(visit):
    page = visit()
    page.goto("/accounts/login/")
    page.set_viewport_size({"width": NARROW, "height": 700})
    assert (shut_out(page), width_needed(page)) == ([], NARROW)
    page.evaluate("""() => {
        const wide = document.createElement("img");
        wide.width = 500;
        wide.src = "data:image/gif;base64,R0lGODlhAQABAAAAACw=";
        document.body.append(wide);
    }""")
    assert [finding.partition(":")[0] for finding in shut_out(page)] == ["image-alt"]
    assert width_needed(page) > NARROW
    assert page.watched.wrong == []
    page.evaluate("console.error('broken')")
    page.evaluate(
        "() => { const s = document.createElement('style'); s.textContent = 'p {}'; document.body.append(s) }"
    )
    page.wait_for_timeout(200)
    assert len(page.watched.wrong) >= 2
    page.watched.wrong.clear()
