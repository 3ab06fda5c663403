"""What the roof refuses, by name: a stable code, a sentence for people, and the numbers in it."""

from habitat.errors import HabitatError


class ReconcilerNotKept(HabitatError):
    code = "reconciler_not_kept"
    template = "{name} is not kept yet: there is nothing to compare. Kept are {kept}."


class MomentAhead(HabitatError):
    code = "moment_ahead"
    template = "{on} is not over yet: the books can be compared up to now."
