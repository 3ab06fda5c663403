"""Which policy a path gets: strict everywhere but where a third party's page cannot live under it."""

import pytest
from django.test import Client

from tests.faces.people import browser, reader

pytestmark = pytest.mark.django_db


def directives(response):
    return dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";") if part.strip())


STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


@pytest.mark.parametrize(
    "path", ["/", "/accounts/login/", "/accounts/signup/", "/nowhere/", "/api/balance", "/administer/"]
)
def test_policy__strict_for_everybody(path):
    found = directives(Client().get(path))
    assert {name: found[name] for name in STRICT} == STRICT


@pytest.mark.parametrize("path", ["/cloud/", "/cloud/usage/", "/cloud/transfer/", "/notifications/"])
def test_policy__strict_for_members(path):
    found = directives(browser(reader("1")).get(path))
    assert {name: found[name] for name in STRICT} == STRICT


def test_policy__the_back_office_may_evaluate_but_runs_no_inline_script():
    found = directives(Client().get("/admin/", follow=False))
    assert "'unsafe-eval'" in found["script-src"]
    assert "'unsafe-inline'" not in found["script-src"]
    assert found["frame-ancestors"] == "'none'"


def test_policy__the_api_docs_may_style_inline_and_nothing_else():
    found = directives(Client().get("/api/docs/"))
    assert found["script-src"] == "'self'"
    assert found["style-src"] == "'self' 'unsafe-inline'"
