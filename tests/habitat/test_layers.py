"""The house's layout holds, and what holds it bites: floors, rooms, writes, strings, floats."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import AppConfig, apps
from django.db.migrations.loader import MigrationLoader

from habitat.local import float_ban, rooms
from habitat.local.cluster import CHECKOUT
from tests.database import is_ours

CONFIGURATION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in CONFIGURATION["contracts"]}
# Floor by floor from the ground up; a module's height is the index of the row that names it.
FLOORS = [[name.strip(" ()") for name in re.split("[:|]", layer)] for layer in reversed(CONTRACTS["floors"]["layers"])]
# Settings assemble the house, and the urls module opens its doors: only these may name an upper floor.
MAY_NAME_ANY_FLOOR = ("habitat.settings", "habitat.urls", "habitat.local", "habitat.wsgi", "habitat.asgi")
DOTTED = re.compile(r"^(?:habitat|treasury|cloud_credits|patronage)(?:\.[A-Za-z_][A-Za-z_0-9]*)+$")
WRITES = {
    "abulk_create",
    "acreate",
    "adelete",
    "asave",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "save",
    "update_or_create",
}
# Said of anything that came from a manager or a queryset; dicts and files have these verbs too.
QUERYSET_WRITES = {"create", "delete", "update", "raw"}
QUERYSET_MARKS = {"objects", "filter", "exclude", "all", "select_for_update", "get_queryset", "_base_manager"}
# What is saved there is a file or a session, not a row of a floor.
NOT_A_ROW = {"workbook", "book", "session", "storage", "cache"}
WRITING_ROOMS = {"actions", "locks"}


def floor_of(module: str) -> int | None:
    """The height of the floor a module lies on, None when it lies on none."""
    best: tuple[int, int] | None = None
    for height, names in enumerate(FLOORS):
        for name in names:
            if module == name or module.startswith(f"{name}."):
                best = max(best or (0, 0), (len(name), height))
    return best[1] if best else None


def our_apps() -> list[AppConfig]:
    return [config for config in apps.get_app_configs() if is_ours(Path(config.path))]


def our_modules() -> Iterator[tuple[str, Path]]:
    for root in CONFIGURATION["root_packages"]:
        for path in sorted((CHECKOUT / root).rglob("*.py")):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), path


# --- import-linter bites


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The house's sources in another place, to break there."""
    target = tmp_path_factory.mktemp("house")
    shutil.copy(CHECKOUT / "pyproject.toml", target)
    for root in CONFIGURATION["root_packages"]:
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(CHECKOUT / root, target / root, ignore=ignored)
    return target


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports__the_house_keeps_its_layers() -> None:
    done = lint(CHECKOUT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("where", "planted", "contract"),
    [
        ("treasury/__init__.py", "import cloud_credits", "Imports go down the house"),
        ("habitat/members/__init__.py", "import habitat.controls", "Imports go down the house"),
        ("habitat/money.py", "import habitat.members.policies.actors", "Imports go down the house"),
        ("treasury/policies/__init__.py", "import treasury.models", "Each room uses only the rooms it may"),
        ("treasury/policies/__init__.py", "from django.db import models", "Each room uses only the rooms it may"),
        ("treasury/models/__init__.py", "import treasury.actions", "Each room uses only the rooms it may"),
        ("treasury/reports/__init__.py", "import treasury.actions", "Each room uses only the rooms it may"),
        ("treasury/actions/__init__.py", "import treasury.workflows", "Each room uses only the rooms it may"),
        ("cloud_credits/actions/__init__.py", "import treasury.api", "Each room uses only the rooms it may"),
        ("cloud_credits/views/__init__.py", "import cloud_credits.locks", "Each room uses only the rooms it may"),
        ("habitat/local/__init__.py", "import django", "What runs the house locally knows neither Django nor any app"),
        ("treasury/__init__.py", "import habitat.settings", "No room reads a settings module or the local cluster"),
    ],
)
def test_imports__a_planted_violation_is_found(copy: Path, where: str, planted: str, contract: str) -> None:
    victim = copy / where
    before = victim.read_text()
    victim.write_text(f"{before}\n{planted}\n")
    try:
        done = lint(copy)
    finally:
        victim.write_text(before)
    assert done.returncode == 1, done.stdout
    assert re.search(rf"{contract}.*BROKEN", done.stdout)


@pytest.mark.parametrize(
    ("importer", "imported", "verdict"),
    [
        ("treasury.actions.journal", "treasury.locks", True),
        ("treasury.actions.journal", "treasury.gateways.stripe", False),
        ("treasury.workflows.payments", "treasury.gateways.stripe", True),
        ("treasury.workflows.payments", "treasury.locks", False),
        ("treasury.subscribers", "treasury.models", False),
        ("treasury.gateways.stripe", "treasury.models", False),
        ("habitat.events.actions.outbox", "habitat.events.workflows.queue", True),
        ("habitat.events.actions.outbox", "habitat.events.workflows.drains", False),
        ("habitat.events.models", "habitat.workflows.models", True),
        ("treasury.apps", "treasury.subscribers", True),
    ],
)
def test_rooms__table(importer: str, imported: str, verdict: bool) -> None:
    assert rooms.allowed(importer, imported, CONTRACTS["rooms"]["floors"]) is verdict


# --- what import-linter cannot see


def test_floors__every_app_stands_on_one() -> None:
    homeless = [config.name for config in our_apps() if floor_of(config.name) is None]
    assert homeless == []
    # The faces are the toolkit of every page and API: they have no rooms.
    assert {config.name for config in our_apps()} - {"habitat.faces"} <= set(CONTRACTS["rooms"]["floors"])
    assert {config.name.split(".")[0] for config in our_apps()} <= set(CONFIGURATION["root_packages"])


def test_floors__every_folder_with_an_apps_module_is_installed() -> None:
    written = {name.removesuffix(".apps") for name, path in our_modules() if path.name == "apps.py"}
    assert written == {config.name for config in our_apps()}


def test_relations__point_down_or_stay() -> None:
    upward = []
    for config in our_apps():
        for model in config.get_models(include_auto_created=True):
            for field in model._meta.get_fields():
                target = field.related_model if field.concrete and field.is_relation else None
                if target is None or target == "self":
                    continue
                height = floor_of(target._meta.app_config.name)
                if height is not None and height > (floor_of(config.name) or 0):
                    upward.append(f"{model._meta.label}.{field.name} → {target._meta.label}")
    assert upward == []


def test_migrations__depend_on_their_own_or_a_lower_floor() -> None:
    heights = {config.label: floor_of(config.name) for config in our_apps()}
    upward = [
        f"{label}.{name} → {needed}"
        for (label, name), migration in MigrationLoader(None).disk_migrations.items()
        for needed in [*migration.dependencies, *migration.run_before]
        if label in heights and (heights.get(_label(needed)) or 0) > heights[label]
    ]
    assert upward == []


def _label(dependency: tuple[str, str]) -> str:
    # A dependency on the user model names the setting instead of an app; members stands under all that use it.
    return dependency[0] if dependency[0] != "__setting__" else "members"


def strings_upward(module: str, source: str) -> list[str]:
    """Dotted paths in a module's strings (tasks, include(), import_string) that name a higher floor."""
    height = floor_of(module)
    if height is None or module.startswith(MAY_NAME_ANY_FLOOR):
        return []
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.match(node.value):
            named = floor_of(node.value)
            if named is not None and named > height:
                found.append(f"{module}:{node.lineno} names {node.value}")
    return found


def test_strings__name_no_upper_floor() -> None:
    found = [line for module, path in our_modules() for line in strings_upward(module, path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("treasury.workflows.jobs", 'run = "cloud_credits.workflows.seal"', True),
        ("treasury.views.urls", 'include("habitat.site.views.urls")', True),
        ("cloud_credits.workflows.jobs", 'run = "treasury.workflows.backing"', False),
        ("habitat.urls", 'include("cloud_credits.api.urls")', False),
        ("treasury.subscribers", 'subscribe("treasury", "cloud.minted", heard)', False),
    ],
)
def test_strings__walk_bites(module: str, source: str, found: bool) -> None:
    assert bool(strings_upward(module, source)) is found


# --- only actions write


def writes_in(source: str) -> list[str]:
    """Calls in a module's source that write a row."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        verb, chain = node.func.attr, set(_chain(node.func.value))
        if chain & NOT_A_ROW:
            continue
        if verb in WRITES or (verb in QUERYSET_WRITES and chain & QUERYSET_MARKS):
            found.append(f"{node.lineno}: .{verb}()")
    return found


def _chain(node: ast.AST) -> Iterator[str]:
    """The names a call hangs on: `Member.objects.filter(…).update` hangs on Member, objects and filter."""
    while True:
        if isinstance(node, ast.Attribute):
            yield node.attr
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Name):
            yield node.id
            return
        else:
            return


def test_writes__only_in_actions() -> None:
    floors = CONTRACTS["rooms"]["floors"]
    found = [
        f"{module}:{line}"
        for module, path in our_modules()
        if (room := rooms.room_of(module, floors)) is not None and room not in WRITING_ROOMS
        for line in writes_in(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("member.save()", True),
        ("Member.objects.filter(id=1).update(name='x')", True),
        ("Member.objects.create(name='x')", True),
        ("cards.all().delete()", True),
        ("context.update(total=1)", False),
        ("workbook.save(stream)", False),
        ("request.session.save()", False),
    ],
)
def test_writes__walk_bites(source: str, found: bool) -> None:
    assert bool(writes_in(source)) is found


# --- no float near money


def test_floats__none_in_money_rooms() -> None:
    assert float_ban.complaints(float_ban.money_files()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = float('1.5')", True),
        ("x = 0.1", True),
        ("def f(x: float) -> None: ...", True),
        ("x = models.FloatField()", True),
        ("x = Decimal('0.1')", False),
        ("x = 10 ** 18", False),
    ],
)
def test_floats__ban_bites(source: str, found: bool) -> None:
    assert bool(list(float_ban.floats_in(source))) is found
