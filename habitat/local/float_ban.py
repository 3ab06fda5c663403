"""No binary fraction near money: refuses `float`, float literals and float fields in money rooms.

Money is exact (Decimal; token arithmetic is int). A room counts as a money room when it lies in one of the storeys
that hold books or credits, or in `habitat/money.py`; its pages and commands included, for they show the figures.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
MONEY_ROOMS = ("habitat/money.py", "treasury", "cloud_credits", "patronage", "habitat/controls/policies")
FLOATS = {"float"}


def money_files(checkout: Path = CHECKOUT) -> Iterator[Path]:
    for room in MONEY_ROOMS:
        path = checkout / room
        yield from [path] if path.suffix == ".py" and path.exists() else sorted(path.rglob("*.py"))


def floats_in(source: str) -> Iterator[tuple[int, str]]:
    """Line number and complaint for each float in a module's source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"the float literal {node.value!r}"
        elif isinstance(node, ast.Name) and node.id in FLOATS:
            yield node.lineno, "float"
        elif isinstance(node, ast.Attribute) and node.attr in {"FloatField", "Float"}:
            yield node.lineno, node.attr


def complaints(files: Iterable[Path], checkout: Path = CHECKOUT) -> list[str]:
    return [
        f"{path.relative_to(checkout)}:{line}: {what} in a money room; use Decimal (or int for tokens)"
        for path in files
        for line, what in sorted(floats_in(path.read_text()))
    ]


def main() -> int:
    found = complaints(money_files())
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
