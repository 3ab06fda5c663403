"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from cloud_credits.api import balances, invoices, metering, purchases, rate_cards, spending, stakes, transactions, usage

urlpatterns: list[URLPattern | URLResolver] = [
    path("balance", balances.BalanceView.as_view(), name="api-balance"),
    path("transactions/", transactions.TransactionListView.as_view(), name="api-transactions"),
    path("transactions/<int:pk>/", transactions.TransactionView.as_view(), name="api-transaction"),
    path("transfers", transactions.TransferView.as_view(), name="api-transfers"),
    path("stakes/", stakes.StakesView.as_view(), name="api-stakes"),
    path("stakes/<int:pk>/unstake", stakes.UnstakeView.as_view(), name="api-unstake"),
    path("invoices/", invoices.InvoiceListView.as_view(), name="api-invoices"),
    path("invoices/<int:pk>", invoices.InvoiceView.as_view(), name="api-invoice"),
    path("invoices/<int:pk>/pay", invoices.PayInvoiceView.as_view(), name="api-invoice-pay"),
    path("stripe/checkout", purchases.CheckoutView.as_view(), name="api-stripe-checkout"),
    path("stripe/invoices", purchases.ReceiptListView.as_view(), name="api-stripe-invoices"),
    path("purchases/", purchases.PurchaseListView.as_view(), name="api-purchases"),
    path("purchases/<int:pk>", purchases.PurchaseView.as_view(), name="api-purchase"),
    path("usage/", usage.UsageListView.as_view(), name="api-usage"),
    path("usage/summary", usage.UsageSummaryView.as_view(), name="api-usage-summary"),
    path("usage/<int:pk>/receipt", usage.UsageReceiptView.as_view(), name="api-usage-receipt"),
    path("spending", spending.SpendingView.as_view(), name="api-spending"),
    path("rate-card", rate_cards.CardOfDayView.as_view(), name="api-rate-card"),
    path("rate-card/quote", rate_cards.QuoteView.as_view(), name="api-rate-card-quote"),
    path("rate-cards/", rate_cards.RateCardListView.as_view(), name="api-rate-cards"),
    path("rate-cards/<int:version>/", rate_cards.RateCardView.as_view(), name="api-rate-card-version"),
    path("rate-cards/<int:version>", rate_cards.RateCardWithoutSlashView.as_view(), name="api-rate-card-version-bare"),
    path("metering/record", metering.MeteringRecordView.as_view(), name="api-metering-record"),
    path("metering/batch", metering.MeteringBatchView.as_view(), name="api-metering-batch"),
    path("cloud/metering", metering.MeteringQueueView.as_view(), name="api-cloud-metering"),
    path("cloud/metering/<int:pk>", metering.MeteringQueueOutcomeView.as_view(), name="api-cloud-metering-outcome"),
]
