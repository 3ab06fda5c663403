"""dj-stripe's admin pages write to Stripe and past our actions: all of them are taken away."""

import importlib

from django.apps import apps
from django.contrib import admin

# Autodiscovery comes to it after us; imported now, it registers now and never again.
importlib.import_module("djstripe.admin")
for model in apps.get_app_config("djstripe").get_models():
    if admin.site.is_registered(model):
        admin.site.unregister(model)
