"""Which room of a floor may use which: an import-linter contract, the same table on every floor.

import-linter's own contracts hold the order of the floors; this one judges each import between two rooms, within a
floor or down to a lower one. A module that lies in no known room (`apps.py`, a floor's `money.py`) is not judged here.
"""

from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

FACE = frozenset({"policies", "errors", "models", "reports", "actions", "workflows", "events"})

# The table of the house. `policies` and `errors` are under everything: a rule or a refusal may be named anywhere.
MAY_USE: dict[str, frozenset[str]] = {
    "errors": frozenset({"policies"}),
    "policies": frozenset({"errors"}),
    "models": frozenset({"policies", "errors"}),
    "locks": frozenset({"policies", "errors", "models"}),
    "gateways": frozenset({"policies", "errors"}),
    "reports": frozenset({"policies", "errors", "models"}),
    "events": frozenset({"policies", "errors"}),
    "actions": frozenset({"policies", "errors", "models", "locks", "reports", "events"}),
    "workflows": frozenset({"policies", "errors", "models", "gateways", "reports", "actions"}),
    "subscribers": frozenset({"policies", "errors", "reports", "actions", "workflows"}),
    "api": FACE - {"events"},
    "admin": FACE - {"events"},
    "views": FACE - {"events"},
    "management": FACE - {"events"},
}
# A verb may wake the queue after its commit: a wake carries no data, so no flow is run from there.
WAKING = "habitat.events.workflows.queue"


class RoomsContract(Contract):
    """Every import between two rooms stands in the table."""

    type_name = "rooms"

    floors = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        floors: list[str] = [str(floor) for floor in self.floors]  # type: ignore[attr-defined]
        broken = []
        for importer in sorted(graph.modules):
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                if not allowed(importer, imported, floors):
                    details = graph.get_import_details(importer=importer, imported=imported)
                    broken.append((importer, imported, [detail["line_number"] for detail in details]))
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported, lines in check.metadata["broken"]:
            where = ", ".join(f"l.{line}" for line in lines)
            output.print_error(f"{importer} is not allowed to import {imported} ({where})")


def allowed(importer: str, imported: str, floors: list[str]) -> bool:
    """Whether `importer` may name `imported`, by the rooms both lie in."""
    user, used = room_of(importer, floors), room_of(imported, floors)
    if user is None:
        return True
    if user == "policies" and imported == "django":
        return False
    if used is None or user == used:
        return True
    return used in MAY_USE[user] or (user == "actions" and imported == WAKING)


def room_of(module: str, floors: list[str]) -> str | None:
    """The room a module lies in: the first part of its name after its floor's, where that is a room."""
    for floor in _longest_first(floors):
        if module.startswith(f"{floor}."):
            room = module.removeprefix(f"{floor}.").split(".")[0]
            return room if room in MAY_USE else None
    return None


def _longest_first(floors: list[str]) -> Iterator[str]:
    yield from sorted(floors, key=len, reverse=True)
