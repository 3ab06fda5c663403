"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from habitat.notifications.api import webhooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("webhooks/endpoints/", webhooks.EndpointListView.as_view(), name="api-webhook-endpoints"),
    path("webhooks/endpoints/<int:pk>", webhooks.EndpointView.as_view(), name="api-webhook-endpoint"),
    path("webhooks/endpoints/<int:pk>/secret", webhooks.EndpointSecretView.as_view(), name="api-webhook-secret"),
    path("webhooks/endpoints/<int:pk>/enable", webhooks.EndpointEnableView.as_view(), name="api-webhook-enable"),
    path("webhooks/deliveries/", webhooks.DeliveryListView.as_view(), name="api-webhook-deliveries"),
    path("webhooks/deliveries/<int:pk>/replay", webhooks.DeliveryReplayView.as_view(), name="api-webhook-replay"),
]
