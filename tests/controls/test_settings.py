"""Runtime settings: exact values, bounds, and a history that says who, when and why."""

from decimal import Decimal

import psycopg
import pytest

from habitat.controls.actions import settings
from habitat.controls.errors import SettingInvalid, SettingUnchanged, SettingUnknown
from habitat.controls.models import Setting, SettingHistory
from habitat.controls.policies.settings import SettingDefinition, SettingValue, definition_of, register
from habitat.controls.reports import settings as reports
from habitat.errors import NotAllowed, ReasonRequired
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.members import people

pytestmark = pytest.mark.django_db
KEY = "controls.key_default_days"


def definition(kind: str, default: SettingValue, **bounds: object) -> SettingDefinition:
    return SettingDefinition(key="a.b", kind=kind, default=default, title="A", help="B", **bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "default", "given", "value", "written"),
    [
        ("integer", 1, "42", 42, "42"),
        ("integer", 1, 42, 42, "42"),
        ("integer", 1, "-3", -3, "-3"),
        ("decimal", Decimal(1), "0.10", Decimal("0.1"), "0.1"),
        ("decimal", Decimal(1), "100000000", Decimal(100000000), "100000000"),
        ("boolean", False, "yes", True, "yes"),
        ("boolean", False, True, True, "yes"),
        ("boolean", True, "No", False, "no"),
        ("text", "", "  a b ", "a b", "a b"),
    ],
)
def test_setting__value_and_spelling(
    kind: str, default: SettingValue, given: object, value: SettingValue, written: str
) -> None:
    chosen = definition(kind, default)
    assert chosen.parse(given) == value
    assert type(chosen.parse(given)) is type(value)
    assert chosen.written(chosen.parse(given)) == written
    assert chosen.parse(written) == value


@pytest.mark.parametrize(
    ("kind", "default", "given"),
    [
        ("integer", 1, "1.5"),
        ("integer", 1, "NaN"),
        ("integer", 1, ""),
        ("integer", 1, True),
        ("integer", 1, "1e3"),
        ("decimal", Decimal(1), "0.123456789"),
        ("decimal", Decimal(1), "1" + "0" * 30),
        ("decimal", Decimal(1), None),
        ("decimal", Decimal(1), 0.5),
        ("boolean", False, "perhaps"),
        ("text", "", "x" * 2001),
        ("text", "", "a\x00b"),
    ],
)
def test_setting__misfit_is_refused(kind: str, default: SettingValue, given: object) -> None:
    with pytest.raises(SettingInvalid) as refusal:
        definition(kind, default).parse(given)
    assert refusal.value.code == "setting_invalid"
    assert refusal.value.field == "value"


@pytest.mark.parametrize("given", ["0", "11"])
def test_setting__bounds_are_inclusive(given: str) -> None:
    bounded = definition("integer", 5, minimum=1, maximum=10)
    assert (bounded.parse("1"), bounded.parse("10")) == (1, 10)
    with pytest.raises(SettingInvalid, match="at least 1 and at most 10"):
        bounded.parse(given)


def test_setting__declared_twice_differently_is_a_bug() -> None:
    register([definition_of(KEY)])
    with pytest.raises(ValueError, match="declared twice"):
        register([SettingDefinition(key=KEY, kind="integer", default=1, title="Other", help="")])


def test_value__default_until_somebody_sets_it() -> None:
    assert reports.value(KEY) == 365
    settings.change(key=KEY, value="90", reason="shorter lives", acting=SYSTEM)
    assert reports.value(KEY) == 90
    with pytest.raises(SettingUnknown):
        reports.value("nobody.knows")


def test_change__history_says_who_when_why() -> None:
    operator = people.trusted(Role.OPERATIONS)
    acting = people.acting_as(operator)
    settings.change(key=KEY, value="90", reason="shorter lives", acting=acting)
    settings.change(key=KEY, value="30", reason="shorter still", acting=acting)
    rows = [
        (row.pgh_label, row.value, row.pgh_context["actor"], row.pgh_context["reason"], row.changed_by)
        for row in SettingHistory.objects.order_by("pgh_id")
    ]
    label = f"member:{operator.pk}"
    assert rows == [
        ("insert", "90", label, "shorter lives", label),
        ("update", "30", label, "shorter still", label),
    ]
    assert all(row.pgh_created_at for row in SettingHistory.objects.all())


@pytest.mark.parametrize(
    ("value", "reason", "refusal"),
    [("90", " ", ReasonRequired), ("0", "why", SettingInvalid), ("365", "why", SettingUnchanged)],
)
def test_change__refusal_changes_nothing(value: str, reason: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        settings.change(key=KEY, value=value, reason=reason, acting=SYSTEM)
    assert not Setting.objects.exists()
    assert not SettingHistory.objects.exists()


def test_change__needs_the_permission() -> None:
    with pytest.raises(NotAllowed):
        settings.change(key=KEY, value="90", reason="x", acting=people.acting_as(people.trusted(Role.STEWARD)))
    assert not Setting.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_setting__cannot_be_deleted(app_connection: psycopg.Connection, owner_connection: psycopg.Connection) -> None:
    settings.change(key=KEY, value="90", reason="x", acting=SYSTEM)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute("DELETE FROM controls_setting")
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner_connection.execute("DELETE FROM controls_setting")
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner_connection.execute("UPDATE controls_settinghistory SET value = '1'")
    assert reports.value(KEY) == 90
