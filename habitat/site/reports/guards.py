"""Every guard of every floor is in the database and switched on: triggers, constraints, withheld privileges."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pgtrigger
from django.apps import apps
from django.db import connection

from habitat.controls.policies.guards import Guard, GuardKind
from habitat.controls.policies.proofs import Proof, ProofResult
from habitat.site.reports.floors import OWN_LABELS, exported

APP_ROLE: Final = "habitat_app"
# O fires for everybody, A also while replicating. D is off, R fires only while replicating: both let writes through.
_FIRING: Final = frozenset({"O", "A"})
_SHOWN_AT_MOST: Final = 5

_TRIGGERS: Final = """
SELECT c.relname, coalesce(k.conname, t.tgname), t.tgenabled::text, t.tgisinternal
  FROM pg_trigger t
  JOIN pg_class c ON c.oid = t.tgrelid
  LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint AND t.tgisinternal
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
"""
# `conenforced` is newer than PostgreSQL 15: read where it is there. `n` are not-null marks, `t` triggers.
_CONSTRAINTS: Final = """
SELECT c.relname, k.conname, k.convalidated AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true),
       k.contype::text
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND k.contype NOT IN ('n', 't')
UNION ALL
SELECT c.relname, i.relname, x.indisvalid AND x.indislive, 'i'
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class c ON c.oid = x.indrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND x.indisunique
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.conrelid = x.indrelid)
"""
_TABLE_PRIVILEGES: Final = """
SELECT c.relname, p.name
  FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS p (name)
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
   AND has_table_privilege(%s, c.oid, p.name)
"""
_COLUMN_PRIVILEGES: Final = """
SELECT c.relname, p.name, array_agg(a.attname::text ORDER BY a.attnum)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE']) AS p (name)
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
   AND has_column_privilege(%s, c.oid, a.attnum, p.name)
 GROUP BY 1, 2
"""
_ROLE: Final = """
SELECT r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication,
       has_schema_privilege(r.oid, 'public', 'CREATE'),
       (SELECT string_agg(c.relname, ', ') FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
           AND pg_has_role(r.oid, c.relowner, 'MEMBER'))
  FROM pg_roles r WHERE r.rolname = %s
"""
_COLUMNS: Final = re.compile(r"(?P<privilege>[A-Z]+) \((?P<columns>[^)]+)\)")


@dataclass(frozen=True)
class Manifest:
    """What every floor says must stand in the database."""

    guards: tuple[Guard, ...]

    def of(self, kind: GuardKind) -> list[Guard]:
        return [guard for guard in self.guards if guard.kind == kind]

    @cached_property
    def history_triggers(self) -> frozenset[tuple[str, str]]:
        """Those that write the history of people, keys, settings and cards."""
        return frozenset(
            (model._meta.db_table, trigger.get_pgid(model))
            for model, trigger in pgtrigger.registered()
            if model._meta.app_label in OWN_LABELS
        )

    @cached_property
    def constraints(self) -> frozenset[tuple[str, str]]:
        """Named by a floor's guards, or declared by a model."""
        declared = {
            (model._meta.db_table, constraint.name)
            for label in OWN_LABELS & {config.label for config in apps.get_app_configs()}
            for model in apps.get_app_config(label).get_models()
            for constraint in model._meta.constraints
        }
        return frozenset(declared | {(guard.table, guard.name) for guard in self.of(GuardKind.CONSTRAINT)})

    @cached_property
    def tables(self) -> list[str]:
        """Every table of every floor of the house."""
        owned = {
            model._meta.db_table
            for label in OWN_LABELS & {config.label for config in apps.get_app_configs()}
            for model in apps.get_app_config(label).get_models(include_auto_created=True)
        }
        return sorted(owned | {guard.table for guard in self.guards})

    @cached_property
    def columns(self) -> dict[tuple[str, str], frozenset[str]]:
        """The columns the application role may write, by (table, privilege)."""
        found = {}
        for guard in self.of(GuardKind.COLUMNS):
            match = _COLUMNS.fullmatch(guard.name)
            if match is None:
                message = f"{guard.table}: {guard.name!r} is no list of columns"
                raise ValueError(message)
            found[guard.table, match["privilege"]] = frozenset(match["columns"].replace(" ", "").split(","))
        return found


def manifest() -> Manifest:
    """Every floor's `policies/guards.py: GUARDS`. The ground floor's are plain tuples of the same four fields."""
    gathered: list[Guard] = []
    for _floor, guards in exported("policies.guards", "GUARDS"):
        gathered += [guard if isinstance(guard, Guard) else Guard(*guard) for guard in guards]
    return Manifest(tuple(gathered))


def triggers_fire() -> ProofResult:
    """Every listed trigger, and every foreign key's own, is there and enabled."""
    listed = manifest()
    stops = {(guard.table, guard.name): guard.stops for guard in listed.of(GuardKind.TRIGGER)}
    stops |= dict.fromkeys(listed.history_triggers, "a change without its history")
    found, internal = _found_triggers(listed.tables)
    faults = [
        f"trigger {name} on {table} is {found.get((table, name)) or 'missing'} (it stops: {stops[table, name]})"
        for table, name in sorted(stops)
        if found.get((table, name)) != "enabled"
    ]
    faults += [f"foreign key {name} on {table} is {state}" for (table, name), state in internal if state != "enabled"]
    return _result(len(stops) + len(internal), faults, good="every trigger is present and enabled")


def constraints_hold() -> ProofResult:
    """Every constraint a floor lists or a model declares is there and validated; none stands unvalidated."""
    listed = manifest()
    found = {(table, name): valid for table, name, valid, _kind in _rows(_CONSTRAINTS, [listed.tables] * 2)}
    faults = [
        f"constraint {name} on {table} is {'not validated' if (table, name) in found else 'missing'}"
        for table, name in sorted(listed.constraints | found.keys())
        if not found.get((table, name), False)
    ]
    return _result(len(found), faults, good="every constraint is present and validated")


def privileges_are_withheld() -> ProofResult:
    """The application role lacks what each floor withholds, and writes only the columns it was given."""
    listed = manifest()
    if not _rows("SELECT FROM pg_roles WHERE rolname = %s", [APP_ROLE]):
        return ProofResult(ok=False, counted=0, message=f"the role {APP_ROLE} is missing")
    tables = {(table, privilege) for table, privilege in _rows(_TABLE_PRIVILEGES, [listed.tables, APP_ROLE])}
    columns = {(table, p): frozenset(names) for table, p, names in _rows(_COLUMN_PRIVILEGES, [listed.tables, APP_ROLE])}
    withheld = listed.of(GuardKind.NO_PRIVILEGE)
    faults = [
        f"{APP_ROLE} holds {guard.name} on {guard.table} (it would allow: {guard.stops})"
        for guard in withheld
        if (guard.table, guard.name) in tables
    ]
    asked = {(guard.table, guard.name) for guard in withheld} | listed.columns.keys()
    for table, privilege in sorted(asked - tables):
        beyond = columns.get((table, privilege), frozenset()) - listed.columns.get((table, privilege), frozenset())
        faults += [f"{APP_ROLE} holds {privilege} on {table} column {column}" for column in sorted(beyond)]
    return _result(len(asked), faults, good="the application role lacks what it must lack")


def role_is_ordinary() -> ProofResult:
    """The application role is no superuser, owns no table, changes no schema, empties and re-arms no table."""
    tables = manifest().tables
    found = _rows(_ROLE, [tables, APP_ROLE])
    if not found:
        return ProofResult(ok=False, counted=0, message=f"the role {APP_ROLE} is missing")
    mighty, creates, owned = found[0]
    held = _rows(_TABLE_PRIVILEGES, [tables, APP_ROLE])
    faults = [f"{APP_ROLE} is a superuser, or may become one"] if mighty else []
    faults += [f"{APP_ROLE} may create tables and functions"] if creates else []
    faults += [f"{APP_ROLE} may act as the owner of {owned}"] if owned else []
    faults += [f"{APP_ROLE} holds {name} on {table}" for table, name in sorted(held) if name in {"TRUNCATE", "TRIGGER"}]
    return _result(len(tables), faults, good="the application role is an ordinary one")


def nothing_is_unlisted() -> ProofResult:
    """No trigger stands on a table of the house that no floor lists: it could change rows behind the verbs.

    A constraint that nobody lists only refuses: it is named, and breaks nothing.
    """
    listed = manifest()
    known = {(guard.table, guard.name) for guard in listed.of(GuardKind.TRIGGER)} | listed.history_triggers
    found, _ = _found_triggers(listed.tables)
    faults = [f"trigger {name} on {table} is on no list" for table, name in sorted(found.keys() - known)]
    extra = [
        f"{name} on {table}"
        for table, name, _valid, kind in _rows(_CONSTRAINTS, [listed.tables] * 2)
        if kind in {"c", "x", "u", "i"}
        and (table, name) not in listed.constraints
        and not _named_by_django(table, name)
    ]
    good = "no trigger is unlisted" + (f"; constraints on no list: {_some(sorted(extra))}" if extra else "")
    return _result(len(found), faults, good=good)


def _found_triggers(tables: list[str]) -> tuple[dict[tuple[str, str], str], list[tuple[tuple[str, str], str]]]:
    """The state of each trigger by (table, name), and of the ones that PostgreSQL keeps for foreign keys."""
    named: dict[tuple[str, str], str] = {}
    internal: dict[tuple[str, str], str] = {}
    for table, name, enabled, is_internal in _rows(_TRIGGERS, [tables]):
        state = "enabled" if enabled in _FIRING else "disabled"
        if is_internal:
            internal[table, name] = "disabled" if "disabled" in (state, internal.get((table, name))) else state
        else:
            named[table, name] = state
    return named, sorted(internal.items())


def _named_by_django(table: str, name: str) -> bool:
    """Unique and positive columns, whose constraints carry the table's name."""
    return name.startswith(table[:20]) and re.search(r"_(key|check|uniq)$", name) is not None


def _result(counted: int, faults: list[str], *, good: str) -> ProofResult:
    return ProofResult(ok=not faults, counted=counted, message=_some(faults) if faults else good)


def _some(things: list[str]) -> str:
    more = len(things) - _SHOWN_AT_MOST
    return "; ".join(things[:_SHOWN_AT_MOST]) + (f"; and {more} more" if more > 0 else "")


def _rows(query: str, parameters: Iterable[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, list(parameters))
        return cursor.fetchall()


# As habitat.members' migration 0007 made it: the owner may replace a function, and this one moves every deadline.
_CLOCK_BODY: Final = "SELECT pg_catalog.clock_timestamp()"
_CLOCK: Final = """
SELECT btrim(p.prosrc), l.lanname, p.proconfig IS NULL, p.prosecdef
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.proname = 'habitat_now' AND p.pronamespace = 'public'::regnamespace
"""


def clock_is_real() -> ProofResult:
    """`habitat_now()`, which opens and closes votes, is the database's clock and reads no setting."""
    found = _rows(_CLOCK, [])
    faults = [] if found == [(_CLOCK_BODY, "sql", True, False)] else [f"habitat_now() is something else: {found}"]
    return _result(1, faults, good="the house's clock is the database's own")


PROOFS: Final = (
    Proof("every trigger is present and enabled", triggers_fire),
    Proof("every constraint is present and validated", constraints_hold),
    Proof("the application role lacks what it must lack", privileges_are_withheld),
    Proof("the application role is an ordinary one", role_is_ordinary),
    Proof("no trigger is unlisted", nothing_is_unlisted),
    Proof("the house's clock is the database's own", clock_is_real),
)
