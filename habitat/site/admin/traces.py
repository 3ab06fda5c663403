"""Every page about a dollar leads to its trace."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from cloud_credits.admin.purchases import PaymentMintAdmin, PurchaseAdmin, RefundRequestAdmin
from habitat.faces.admin import lend
from treasury.admin.bank import BankLineAdmin
from treasury.admin.payments import DisputeAdmin, PaymentAdmin, RefundAdmin
from treasury.reports.trace import By


def _trace(by: By, what: Callable[[Any], Any]) -> Callable[[Any], list[tuple[str, str]]]:
    def links(row: Any) -> list[tuple[str, str]]:
        wanted = what(row)
        return [("Trace it", f"{reverse('trace')}?{urlencode({'by': by.value, 'q': wanted})}")] if wanted else []

    return links


lend(PaymentAdmin, links=_trace(By.PAYMENT, lambda payment: payment.pk))
lend(BankLineAdmin, links=_trace(By.LINE, lambda line: line.pk))
for page in (PurchaseAdmin, PaymentMintAdmin, RefundRequestAdmin, RefundAdmin, DisputeAdmin):
    lend(page, links=_trace(By.PAYMENT, lambda row: row.payment_id))
