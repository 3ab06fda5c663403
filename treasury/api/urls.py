"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from treasury.api import reserve, stripe_webhooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("reserve", reserve.ReserveView.as_view(), name="api-reserve"),
    path("stripe/webhook", stripe_webhooks.StripeWebhookView.as_view(), name="api-stripe-webhook"),
    path("webhooks/stripe", stripe_webhooks.StripeWebhookView.as_view(), name="api-webhooks-stripe"),
]
