"""Who may do what, as the database has it, against what the floors list: nobody was given more by the back door."""

from typing import Final

from django.db import connection

from habitat.controls.policies.proofs import Proof, ProofResult
from habitat.site.reports.floors import exported

# A right held directly belongs to no role, so no floor lists it.
_HELD: Final = """
SELECT g.name, t.app_label || '.' || p.codename
  FROM auth_group g
  JOIN auth_group_permissions h ON h.group_id = g.id
  JOIN auth_permission p ON p.id = h.permission_id
  JOIN django_content_type t ON t.id = p.content_type_id
UNION ALL
SELECT 'user ' || h.user_id, t.app_label || '.' || p.codename
  FROM members_user_user_permissions h
  JOIN auth_permission p ON p.id = h.permission_id
  JOIN django_content_type t ON t.id = p.content_type_id
"""


def roles_are_as_listed() -> ProofResult:
    """Each role holds exactly what the floors list for it, and no sign-in holds a permission of its own."""
    listed = {
        (role.value, name)
        for _floor, permissions in exported("policies.roles", "PERMISSIONS")
        for role, names in permissions.items()
        for name in names
    }
    with connection.cursor() as cursor:
        cursor.execute(_HELD)
        held = set(cursor.fetchall())
    wrong = sorted(held ^ listed)
    message = f"{len(wrong)} wrong, the first: {' '.join(wrong[0])}" if wrong else ""
    return ProofResult(ok=not wrong, counted=len(listed), message=message)


PROOFS: Final = (Proof("roles hold exactly what the floors list", roles_are_as_listed),)
