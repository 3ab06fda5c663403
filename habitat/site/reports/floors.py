"""The floors from the ground up, and the lists each exports: the roof gathers them, it adds none of its own."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from django.apps import apps

# Books first: what stands above them is proved against them.
IN_ORDER_OF_PROOF: Final = (
    "treasury",
    "habitat.events",
    "cloud_credits",
    "patronage",
    "habitat.workflows",
    "habitat.notifications",
    "habitat.controls",
    "habitat.members",
    "habitat.faces",
    "habitat.site",
)
# The rows of these floors are guarded; what others install (sign-in, task queue) is their own affair.
OWN_LABELS: Final = frozenset(
    {"treasury", "events", "cloud_credits", "patronage", "workflows", "notifications", "controls", "members"}
)


def title_of(floor: str) -> str:
    """`habitat.events` as people read it: `events`."""
    return floor.rpartition(".")[2]


def exported(module: str, name: str) -> Iterator[tuple[str, Any]]:
    """(floor, its `name`) for every installed floor whose `module`, as in `reports.proofs`, exports `name`."""
    for floor in IN_ORDER_OF_PROOF:
        if not apps.is_installed(floor):
            continue
        path = f"{floor}.{module}"
        if _exists(path):
            found = getattr(import_module(path), name, None)
            if found is not None:
                yield floor, found


def _exists(path: str) -> bool:
    """A floor may lack the module, or the room it would lie in."""
    try:
        return find_spec(path) is not None
    except ModuleNotFoundError:
        return False
