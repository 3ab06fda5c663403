"""What may be a cloud identity: the subname under habitat.eth and the Ethereum address (domain §2)."""

import re
from typing import Final

from eth_utils.address import is_checksum_address, to_checksum_address

from cloud_credits.errors import InvalidAddress, InvalidSubname, ReservedSubname

PARENT_NAME: Final = "habitat.eth"
SUBNAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)

SYSTEM_SUBNAMES: Final = frozenset({"techne", "pool", "watershed"})
RESERVED_SUBNAMES: Final = SYSTEM_SUBNAMES | {
    "admin", "administrator", "api", "app", "bank", "cloud", "coop", "cooperative", "ens", "eth", "habitat",
    "help", "ledger", "mail", "operations", "root", "security", "steward", "stewards", "support", "system",
    "treasury", "vault", "www",
}  # fmt: skip

# Addresses this low are the chain's own precompiled contracts, or will be: nobody holds a key to them.
PRECOMPILES_END: Final = 0x10000


def valid_subname(given: str, *, is_system: bool = False) -> str:
    """The subname as it is stored. Raises InvalidSubname, ReservedSubname (system accounts may use theirs)."""
    if not SUBNAME.fullmatch(given) or given.startswith("xn--"):
        raise InvalidSubname(given=given, field="subname")
    if given in RESERVED_SUBNAMES and not (is_system and given in SYSTEM_SUBNAMES):
        raise ReservedSubname(given=given, field="subname")
    return given


def valid_address(given: str) -> str:
    """The address in EIP-55 form. Raises InvalidAddress: length, digits, wrong checksum, precompiles."""
    digits = given[2:]
    if not ADDRESS.fullmatch(given) or int(digits, 16) < PRECOMPILES_END:
        raise InvalidAddress(given=given, field="address")
    mixed_case = digits != digits.lower() and digits != digits.upper()
    if mixed_case and not is_checksum_address(given):
        raise InvalidAddress(given=given, field="address")
    return str(to_checksum_address(given.lower()))


def full_name(subname: str) -> str:
    return f"{subname}.{PARENT_NAME}"
