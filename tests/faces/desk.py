"""The back office's verbs in tests: sent as its forms send them, with or without the second look."""

from itertools import count
from typing import Any

from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from habitat.faces.admin import KEY_FIELD, SEEN_FIELD
from habitat.members.policies.roles import Role
from tests.members.people import trusted

_keys = count(1)


def desk_of(role: Role) -> Client:
    """Somebody of that role at the desk."""
    client = Client()
    client.force_login(trusted(role).user)
    return client


def address(target: Model | type[Model], verb: str) -> str:
    options, of_one = target._meta, isinstance(target, Model)
    name = f"admin:{options.app_label}_{options.model_name}_{'verb' if of_one else 'list_verb'}"
    return reverse(name, args=[target.pk, verb] if of_one else [verb])


def look(client: Client, target: Model | type[Model], verb: str, **fields: Any) -> HttpResponse:
    """The first form alone."""
    return client.post(address(target, verb), {KEY_FIELD: f"desk-{next(_keys)}", **fields})


def send(client: Client, target: Model | type[Model], verb: str, **fields: Any) -> HttpResponse:
    """The form as its second page sends it, where it has one."""
    return look(client, target, verb, **{SEEN_FIELD: "1"}, **fields)


def page(client: Client, target: Model) -> str:
    """The object's own page."""
    options = target._meta
    answer = client.get(reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[target.pk]))
    assert answer.status_code == 200
    return answer.content.decode()
