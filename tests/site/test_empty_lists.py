"""An empty list of the back office says so, and offers nothing that its reader cannot do."""

import pytest
from django.urls import reverse

from habitat.members.policies.roles import Role
from tests.faces.people import browser
from tests.members.people import trusted

pytestmark = pytest.mark.django_db


def test_empty_list__says_so_in_plain_words():
    olga = browser(trusted(Role.OPERATIONS))
    address = reverse("admin:treasury_payment_changelist")

    page = olga.get(address).content.decode()
    searched = olga.get(address, {"q": "pi_none"}).content.decode()

    assert "Nothing here yet." in page
    assert "Nothing fits this search." in searched
    assert "Reset filters" in searched
    assert "yielded" not in page + searched
    assert "Create a new item" not in page + searched
