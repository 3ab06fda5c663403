"""The reference a member writes on a wire: `HAB-000123-4`, the member number with a check digit.

The digit is Damm's (Damm 2004, a totally anti-symmetric quasigroup of order 10): it finds every single wrong digit and
every swap of two neighbours, so a slip of the pen names nobody instead of somebody else.
"""

import re
from typing import Final

_QUASIGROUP: Final = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
DIGITS: Final = 6
# Banks drop hyphens and spaces, or put some in; letters may come in either case.
_WRITTEN: Final = re.compile(r"(?<![A-Z0-9])HAB[\s-]{0,3}(?P<number>\d{6,12})[\s-]{0,3}(?P<check>\d)(?![0-9])")


def check_digit(number: str) -> str:
    """Damm's digit of a string of digits."""
    interim = 0
    for digit in number:
        interim = int(_QUASIGROUP[interim][int(digit)])
    return str(interim)


def member_reference(member_id: int) -> str:
    """What the member with that number writes on a wire: `HAB-000123-` and the check digit."""
    number = f"{member_id:0{DIGITS}d}"
    return f"HAB-{number}-{check_digit(number)}"


def member_in(text: str) -> int | None:
    """The one member number that `text` names rightly; None when there is none, or when it names two members."""
    found = {
        int(match["number"])
        for match in _WRITTEN.finditer(text.upper())
        if check_digit(match["number"]) == match["check"]
    }
    return found.pop() if len(found) == 1 else None
