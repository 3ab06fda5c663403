"""What a request leaves in the log: one line where a door stays shut, the whole story where something broke."""

import logging

import pytest
from django.test import Client

from habitat.members.policies.roles import Role
from habitat.site.views import trace
from tests.faces.people import browser, reader
from tests.members.people import trusted

pytestmark = pytest.mark.django_db


def told(caplog):
    return [record for record in caplog.records if record.name == "django.request"]


def test_refusal__is_one_line(caplog):
    assert browser(reader()).get("/admin/", follow=True).status_code == 403

    assert [(record.levelno, record.exc_info) for record in told(caplog)] == [(logging.WARNING, None)]
    assert "Forbidden" in caplog.text
    assert "Traceback" not in caplog.text


def test_real_error__keeps_its_traceback(caplog, monkeypatch):
    def broken(*_):
        raise RuntimeError("the search broke")

    monkeypatch.setattr(trace, "search", broken)
    client = Client(raise_request_exception=False)
    client.force_login(trusted(Role.OPERATIONS).user)

    assert client.get("/admin/trace/", {"by": "payment", "q": "1"}).status_code == 500

    assert [record.levelno for record in told(caplog)] == [logging.ERROR]
    assert "RuntimeError: the search broke" in caplog.text
