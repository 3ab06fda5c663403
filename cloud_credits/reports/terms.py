"""Which terms stand, and who accepted them."""

from cloud_credits.errors import TermsNotAccepted
from cloud_credits.models import TermsAcceptance, TermsVersion


def current() -> TermsVersion:
    """The newest published version."""
    return TermsVersion.objects.latest("version")


def accepted(member_id: int, terms: TermsVersion) -> bool:
    """Whether the member accepted this version."""
    return TermsAcceptance.objects.filter(member_id=member_id, terms=terms).exists()


def require_accepted(member_id: int) -> None:
    """Raises TermsNotAccepted unless the member accepted the version that stands now (domain §10)."""
    standing = current()
    if not accepted(member_id, standing):
        raise TermsNotAccepted(version=standing.version)
