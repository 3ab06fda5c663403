"""Growing and pruning the chart: sub-accounts under a parent, and accounts no longer in use."""

from django.db import transaction

from habitat.members.actions.history import because, require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from treasury.errors import (
    AccountCodeMalformed,
    AccountCodeTaken,
    AccountTakesNoSubAccounts,
    UnknownAccount,
)
from treasury.models import Account
from treasury.policies.chart import is_account_code


@transaction.atomic
def open_sub_account(*, parent: str, suffix: str, name: str, acting: Actor) -> Account:
    """`{parent}-{suffix}` (3100 a member, 1210 a token); the one that exists already under the same name is given back.

    Raises NotAllowed, UnknownAccount, AccountTakesNoSubAccounts, AccountCodeMalformed, AccountCodeTaken.
    """
    require(acting, "treasury.open_account")
    above = Account.objects.filter(code=parent).first()
    if above is None:
        raise UnknownAccount(code=parent, field="parent")
    if above.is_postable:
        raise AccountTakesNoSubAccounts(code=parent, field="parent")
    code = f"{parent}-{suffix}"
    if not is_account_code(code):
        raise AccountCodeMalformed(code=code, field="suffix")
    facts = {
        "name": name,
        "kind": above.kind,
        "normal_side": above.normal_side,
        "ledger": above.ledger,
        "parent": above,
    }
    account, _ = Account.objects.get_or_create(code=code, defaults=facts)
    if account.name != name:
        raise AccountCodeTaken(code=code, field="suffix")
    return account


@transaction.atomic
def retire(*, account: Account, reason: str, acting: Actor) -> Account:
    """Take an account out of use: it keeps its lines and takes no more. Raises NotAllowed, ReasonRequired."""
    return _set_in_use(account, is_active=False, reason=reason, acting=acting)


@transaction.atomic
def bring_back(*, account: Account, reason: str, acting: Actor) -> Account:
    """Take a retired account into use again. Raises NotAllowed, ReasonRequired."""
    return _set_in_use(account, is_active=True, reason=reason, acting=acting)


def _set_in_use(account: Account, *, is_active: bool, reason: str, acting: Actor) -> Account:
    require(acting, "treasury.retire_account")
    reason = require_reason(reason)
    with because(acting=acting, reason=reason):
        account.is_active = is_active
        account.save(update_fields=["is_active"])
    return account
