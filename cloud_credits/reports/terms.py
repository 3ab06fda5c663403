"""Which terms stand, and who accepted them."""

from datetime import datetime

from cloud_credits.errors import TermsNotAccepted
from cloud_credits.models import TermsAcceptance, TermsVersion

# What the table's numbers reach to.
LARGEST = 2**31


def current() -> TermsVersion:
    """The newest published version."""
    return TermsVersion.objects.latest("version")


def numbered(version: int) -> TermsVersion | None:
    """One published version; None for a number that none has."""
    return TermsVersion.objects.filter(version=version).first() if version < LARGEST else None


def all_but(shown: TermsVersion) -> list[TermsVersion]:
    """The other published versions, newest first."""
    return list(TermsVersion.objects.exclude(pk=shown.pk).order_by("-version"))


def accepted_at(member_id: int, terms: TermsVersion) -> datetime | None:
    """When the member accepted this version; None when they did not."""
    rows = TermsAcceptance.objects.filter(member_id=member_id, terms=terms)
    return rows.values_list("accepted_at", flat=True).first()


def accepted(member_id: int, terms: TermsVersion) -> bool:
    """Whether the member accepted this version."""
    return TermsAcceptance.objects.filter(member_id=member_id, terms=terms).exists()


def require_accepted(member_id: int) -> None:
    """Raises TermsNotAccepted unless the member accepted the version that stands now (domain §10)."""
    standing = current()
    if not accepted(member_id, standing):
        raise TermsNotAccepted(version=standing.version)
