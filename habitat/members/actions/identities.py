"""The cloud identity of a member: a name, an address and a date, written once."""

from datetime import datetime

from django.db import IntegrityError, transaction

from habitat.members import locks
from habitat.members.actions.history import because
from habitat.members.errors import IdentityFixed, IdentityTaken
from habitat.members.models import Member
from habitat.members.policies.actors import Actor


@transaction.atomic
def record_cloud_identity(
    *, member: Member, subname: str, address: str, at: datetime, acting: Actor, reason: str = "cloud identity"
) -> Member:
    """Write the three identity fields (domain §2). cloud_credits has judged the name and the address before.

    Raises IdentityFixed when the member has one, IdentityTaken when another member has the name or the address.
    """
    row = locks.member(member.pk)
    if row.ens_subname is not None:
        raise IdentityFixed(name=row.display_name)
    row.ens_subname, row.ethereum_address, row.cloud_wallet_created_at = subname, address, at
    try:
        with transaction.atomic(), because(acting=acting, reason=reason):
            row.save(update_fields=["ens_subname", "ethereum_address", "cloud_wallet_created_at"])
    except IntegrityError as error:
        if "_uniq" not in str(error) and "_key" not in str(error):
            raise
        raise IdentityTaken(subname=subname, address=address) from None
    return row
