"""A proof: one invariant of the house, checked from scratch, with a count and a sentence."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProofResult:
    """`counted` is how many things were looked at; `message` says what was found."""

    ok: bool
    counted: int
    message: str


@dataclass(frozen=True, slots=True)
class Proof:
    """`name` is the line that `verify_books` prints; `run` reads only."""

    name: str
    run: Callable[[], ProofResult]
