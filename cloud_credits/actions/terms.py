"""Publishing the terms of service, and accepting them (domain §10)."""

import hashlib

from django.db import transaction

from cloud_credits import locks
from cloud_credits.errors import TermsEmpty, TermsOutdated
from cloud_credits.events import TermsPublished
from cloud_credits.models import TermsAcceptance, TermsVersion
from cloud_credits.reports.terms import current
from habitat.errors import NotAllowed
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require

PUBLISH = "cloud_credits.publish_terms"
LONGEST_REASON = 500
LONGEST_TITLE = 200


@transaction.atomic
def publish(*, title: str, body: str, reason: str, acting: Actor) -> TermsVersion:
    """A new version with the next number; it is never edited. Raises NotAllowed, ReasonRequired, TermsEmpty."""
    require(acting, PUBLISH)
    why = require_reason(reason)[:LONGEST_REASON]
    heading, text = title.strip()[:LONGEST_TITLE], body.replace("\r\n", "\n").strip()
    if not heading or not text or "\x00" in heading + text:
        raise TermsEmpty(field="body")
    locks.terms_head()
    version = TermsVersion.objects.create(
        version=current().version + 1,
        title=heading,
        body=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        published_by=acting.label,
        reason=why,
    )
    emit(TermsPublished(version=version.version, title=heading), acting=acting)
    return version


@transaction.atomic
def accept(*, member: Member, version: int, acting: Actor) -> TermsAcceptance:
    """The member agrees to the version that stands now; once is enough. Nobody agrees for somebody else.

    Raises NotAllowed, TermsOutdated.
    """
    if not acting.is_member(member.pk):
        raise NotAllowed(permission="to act for yourself")
    standing = current()
    if version != standing.version:
        raise TermsOutdated(given=version, version=standing.version)
    acceptance, _ = TermsAcceptance.objects.get_or_create(member=member, terms=standing)
    return acceptance
