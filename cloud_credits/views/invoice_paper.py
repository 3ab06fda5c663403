"""An invoice as PDF: the same lines and amounts as its page, dated by the day it was sent."""

from cloud_credits.models import Invoice
from cloud_credits.policies.invoices import InvoiceState
from cloud_credits.reports.invoices import state_in_words
from cloud_credits.views.tables import INVOICE_LINES
from habitat.faces.pdf import Document
from habitat.faces.templatetags.faces import cloud, in_usd

FROM = "Techne (techne.habitat.eth)"
PEG = "1 CLOUD is 10 US dollars. Amounts in CLOUD are exact; dollars are rounded to cents."


def paper(invoice: Invoice) -> Document:
    """The document of an invoice; a draft says that it is one."""
    name = str(invoice)
    document = Document(
        title=f"{name} · {invoice.title}",
        subject=f"{cloud(invoice.total)} CLOUD for {invoice.member.display_name}",
        created_at=invoice.sent_at or invoice.created_at,
    )
    document.heading(name, under=invoice.title)
    document.facts(_facts(invoice))
    INVOICE_LINES.pdf(document, invoice.lines.all(), {"amount": invoice.total})
    document.paragraph(f"Total: {cloud(invoice.total)} CLOUD ({in_usd(invoice.total)})", is_strong=True)
    document.paragraph(PEG)
    return document


def _facts(invoice: Invoice) -> list[tuple[str, str]]:
    payer = invoice.member
    named = f", {payer.full_ens_name}" if payer.full_ens_name else ""
    return [
        ("From", FROM),
        ("To", f"{payer.display_name}, member {payer.pk}{named}"),
        ("Sent", f"{invoice.sent_at:%Y-%m-%d}" if invoice.sent_at else "not sent: a draft"),
        ("Due", f"{invoice.due_on}" if invoice.due_on else ""),
        ("State", state_in_words(invoice)),
        ("Paid", f"{invoice.paid_at:%Y-%m-%d %H:%M} UTC" if invoice.paid_at else ""),
        ("Transaction", str(invoice.payment_transaction_id or "")),
        ("Refunded", f"transaction {invoice.refund_transaction_id}" if _is_refunded(invoice) else ""),
    ]


def _is_refunded(invoice: Invoice) -> bool:
    return bool(invoice.state == InvoiceState.REFUNDED)
