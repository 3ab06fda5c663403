"""Django finds this floor here."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "habitat.events"
    label = "events"
    verbose_name = "Events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.controls.actions.alerts import on_raised
        from habitat.controls.policies.settings import register
        from habitat.events import subscribers
        from habitat.events.actions import alerts, wakes
        from habitat.events.policies.settings import SETTINGS
        from habitat.events.workflows import deliveries, queue

        register(SETTINGS)
        subscribers.register()
        queue.register(queue.DELIVERIES, deliveries.drain)
        wakes.connect(queue.wake)
        on_raised(alerts.announce)
