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
