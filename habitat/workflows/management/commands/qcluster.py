"""`manage.py qcluster`: django-q2's worker, which here never starts without the clock's schedule."""

from typing import Any

from django_q.management.commands import qcluster

from habitat.members.policies.actors import SYSTEM
from habitat.workflows.actions.schedule import ensure_tick


class Command(qcluster.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        ensure_tick(acting=SYSTEM)
        super().handle(*args, **options)
