"""The WSGI door gunicorn opens."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "habitat.settings.production")

_django = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402 - they need the settings named above

from habitat.faces.addresses import CharsetDoor  # noqa: E402

application = CharsetDoor(_django)
# All pages' code is read before anybody asks for one: Django would let the first of each process wait for it.
_ = get_resolver().url_patterns
# What is loaded now stays for ever: the collector need not walk it again in the middle of somebody's request.
gc.collect()
gc.freeze()
