"""Finds the member somebody means: by cloud name or by member number."""

import re

from cloud_credits.errors import UnknownMember
from habitat.members.models import Member

NAME_ENDING = ".habitat.eth"
_NUMBER = re.compile(r"#?(\d{1,18})", re.ASCII)


def find(given: str, *, field: str = "recipient") -> Member:
    """`mara`, `mara.habitat.eth`, `12` or `#12`; case does not matter. Raises UnknownMember on `field`."""
    text = given.strip().lower()
    number = _NUMBER.fullmatch(text)
    name = text.removesuffix(NAME_ENDING)
    # A cloud name may be all digits too; the number comes first, as it is printed on every page.
    found = Member.objects.filter(pk=int(number[1])).first() if number else None
    found = found or (Member.objects.filter(ens_subname=name).first() if name else None)
    if found is None:
        raise UnknownMember(given=given.strip()[:60], field=field)
    return found
