"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from cloud_credits.views import (
    buying,
    home,
    invoices,
    purchases,
    rate_cards,
    receipts,
    recurring,
    spending,
    terms,
    topups,
    transactions,
    transfers,
    usage,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("cloud/", home.CloudHome.as_view(), name="cloud-home"),
    path("cloud/transactions/", transactions.TransactionList.as_view(), name="cloud-transactions"),
    path("cloud/transactions/<int:number>/", transactions.TransactionDetail.as_view(), name="cloud-transaction"),
    path("cloud/transfer/", transfers.TransferPage.as_view(), name="cloud-transfer"),
    path("cloud/transfer/confirm/", transfers.TransferConfirm.as_view(), name="cloud-transfer-confirm"),
    path("cloud/buy/", buying.BuyPage.as_view(), name="cloud-buy"),
    path("cloud/purchases/", purchases.PurchaseList.as_view(), name="cloud-purchases"),
    path("cloud/purchases/<int:number>/", purchases.PurchaseDetail.as_view(), name="cloud-purchase"),
    path("cloud/recurring/<int:number>/pause/", recurring.Pause.as_view(), name="cloud-recurring-pause"),
    path("cloud/recurring/<int:number>/resume/", recurring.Resume.as_view(), name="cloud-recurring-resume"),
    path("cloud/recurring/<int:number>/cancel/", recurring.Cancel.as_view(), name="cloud-recurring-cancel"),
    path("terms/", terms.terms, name="terms"),
    path("terms/<int:version>/", terms.terms, name="terms-version"),
    path("terms/accept/", terms.AcceptTerms.as_view(), name="terms-accept"),
    path("cloud/usage/", usage.UsagePage.as_view(), name="cloud-usage"),
    path("cloud/usage/<int:number>/receipt/", receipts.ReceiptPage.as_view(), name="cloud-usage-receipt"),
    path("cloud/usage/verify_receipt.py", receipts.verifying_script, name="cloud-verify-receipt"),
    path("cloud/spending/", spending.SpendingPage.as_view(), name="cloud-spending"),
    path("cloud/top-up/", topups.TopUpPage.as_view(), name="cloud-top-up"),
    path("cloud/top-up/off/", topups.SwitchOff.as_view(), name="cloud-top-up-off"),
    path("cloud/invoices/", invoices.InvoiceList.as_view(), name="cloud-invoices"),
    path("cloud/invoices/<int:number>/", invoices.InvoiceDetail.as_view(), name="cloud-invoice"),
    path("cloud/invoices/<int:number>/invoice.pdf", invoices.InvoicePdf.as_view(), name="cloud-invoice-pdf"),
    path("cloud/invoices/<int:number>/pay/", invoices.PayInvoice.as_view(), name="cloud-invoice-pay"),
    path(
        "cloud/invoices/<int:number>/pay/confirm/",
        invoices.ConfirmPayment.as_view(),
        name="cloud-invoice-pay-confirm",
    ),
    path("rate-cards/", rate_cards.RateCardList.as_view(), name="rate-cards"),
    path("rate-cards/<int:version>/", rate_cards.RateCardDetail.as_view(), name="rate-card"),
]
