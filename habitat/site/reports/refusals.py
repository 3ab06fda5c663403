"""Every refusal the house can give: its code, its status and its sentence, for the page that problem documents link."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from rest_framework.exceptions import APIException

from habitat.errors import HabitatError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """`sentence` keeps the names of the figures it is filled with."""

    code: str
    status: int
    sentence: str


def refusals() -> list[Refusal]:
    """By code. A code that two classes share stands once, with the first sentence."""
    known: dict[str, Refusal] = {}
    for error in _below(HabitatError):
        known.setdefault(
            error.code, Refusal(error.code, error.status, error.template.replace("{", "‹").replace("}", "›"))
        )
    for framework_error in _below(APIException):
        code = str(framework_error.default_code)
        known.setdefault(code, Refusal(code, framework_error.status_code, str(framework_error.default_detail)))
    return [known[code] for code in sorted(known)]


def _below(root: type[T]) -> Iterator[type[T]]:
    for child in root.__subclasses__():
        yield child
        yield from _below(child)
