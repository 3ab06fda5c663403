"""Every proof of every floor in order, and what each found."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError, transaction

from habitat.controls.policies.proofs import Proof, ProofResult
from habitat.site.reports import guards, roles
from habitat.site.reports.floors import exported, title_of

GUARDS = "guards"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `verify_books`."""

    floor: str
    proof: str
    result: ProofResult

    @property
    def cause(self) -> str:
        """What an alert of this break is told apart by."""
        return f"{self.floor}: {self.proof}"


def proofs() -> list[tuple[str, Proof]]:
    """(floor, proof): the floors' own in the order of the house, the guards of all of them last."""
    gathered = [
        (title_of(floor), proof) for floor, exports in exported("reports.proofs", "PROOFS") for proof in exports
    ]
    return gathered + [(GUARDS, proof) for proof in (*roles.PROOFS, *guards.PROOFS)]


def findings() -> Iterator[Finding]:
    """Runs one proof after the other, lazily: who stops reading stops the proving."""
    for floor, proof in proofs():
        yield Finding(floor, proof.name, _judged(proof))


def _judged(proof: Proof) -> ProofResult:
    """A proof that cannot be run proves nothing: it counts as broken."""
    try:
        with transaction.atomic():
            return proof.run()
    except DatabaseError as error:
        return ProofResult(ok=False, counted=0, message=f"it could not be run: {str(error).strip().splitlines()[0]}")
