"""The sample cooperative: made by the verbs, complete, proved, and left alone by a second run."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from cloud_credits.models import CloudBalance, CloudTransaction, ResourceUsage, StakingPosition
from cloud_credits.policies.movements import TransactionType
from habitat.controls.models import Approval
from habitat.controls.reports.settings import value
from habitat.members.models import Member, User
from habitat.members.reports.actors import actor_of
from habitat.site.policies import demo
from tests.site.cooperative import broken, verify_books

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def key_file(tmp_path, settings):
    settings.SELF_METERING_KEY_FILE = str(tmp_path / "self-metering.key")


def run_demo() -> str:
    out = StringIO()
    call_command("demo", verbosity=0, stdout=out)
    return out.getvalue()


def _rows() -> dict[str, int]:
    return {
        model._meta.label: model.objects.count()
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
    }


def test_demo__makes_a_whole_cooperative_whose_books_hold():
    printed = run_demo()

    assert printed.splitlines() == [
        "member      ana@habitat.example      demo cooperative 2026",
        "steward     ben@habitat.example      demo cooperative 2026",
        "operations  chloe@habitat.example    demo cooperative 2026",
        "operations  dev@habitat.example      demo cooperative 2026",
    ]
    assert Member.objects.filter(status="active").exclude(kind="system").count() == 12
    assert not Member.objects.filter(ens_subname__isnull=True).exists()
    assert {kind.value for kind in TransactionType} - set(CloudTransaction.objects.values_list("type", flat=True)) == {
        "burn",
        "unstake",
        "correction",
    }
    assert CloudTransaction.objects.filter(type="mint", state="completed").count() == 14
    assert Approval.objects.exclude(state="granted").count() == 0
    assert StakingPosition.objects.count() == 3
    assert CloudBalance.objects.get(member__ens_subname="techne").liquid == Decimal(85 + 20)
    assert ResourceUsage.objects.count() == len(list(demo.readings(anchor=date.today())))  # noqa: DTZ011
    assert ResourceUsage.objects.filter(is_late=True).count() == 48
    assert (value("metering.charge_pages"), value("metering.window_seconds")) == (True, 60)
    code, output = verify_books("--all")
    assert (code, broken(output)) == (0, [])


def test_demo__twice_changes_nothing():
    first = run_demo()
    before = _rows()

    second = run_demo()

    assert second == first
    assert _rows() == before


def test_demo__goes_on_where_it_was_interrupted(monkeypatch):
    from habitat.site.workflows.demo import Demo

    with monkeypatch.context() as patched:
        patched.setattr(Demo, "move", _fail)
        with pytest.raises(RuntimeError):
            run_demo()
    assert not StakingPosition.objects.exists()

    run_demo()

    assert StakingPosition.objects.count() == 3
    assert CloudTransaction.objects.filter(type="mint").count() == 14


def test_demo__leaves_what_people_changed_since():
    run_demo()
    from habitat.controls.actions import settings
    from habitat.members.policies.actors import SYSTEM

    settings.change(key="metering.charge_pages", value=False, reason="enough seen", acting=SYSTEM)

    run_demo()

    assert value("metering.charge_pages") is False


def test_logins__sign_in_with_the_printed_password_and_hold_their_role(client):
    run_demo()

    for role, subname in demo.LOGINS:
        user = User.objects.get(email=f"{subname}@habitat.example")
        assert client.login(request=None, email=user.email, password=demo.PASSWORD)
        assert role.value in set(user.groups.values_list("name", flat=True))
    others = User.objects.exclude(email__in=[f"{subname}@habitat.example" for _role, subname in demo.LOGINS])
    assert not [user for user in others if user.has_usable_password()]
    assert actor_of(User.objects.get(email="chloe@habitat.example")).may("cloud_credits.mint_credits")


def test_demo__is_refused_where_it_is_not_allowed(settings):
    settings.DEMO_ALLOWED = False
    before = _rows()

    with pytest.raises(CommandError, match="development settings only"):
        run_demo()

    assert _rows() == before


def test_production_settings__do_not_allow_it():
    from pathlib import Path

    import habitat.settings

    folder = Path(habitat.settings.__file__).parent
    assert [name for name in ("base", "production") if "DEMO_ALLOWED" in (folder / f"{name}.py").read_text()] == []


def _fail(self: object) -> None:
    raise RuntimeError("the power went out")
