"""The WSGI door gunicorn opens."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "habitat.settings.production")

_django = get_wsgi_application()

from habitat.faces.addresses import CharsetDoor  # noqa: E402 - it needs the settings named above

application = CharsetDoor(_django)
# What is loaded now stays for ever: the collector need not walk it again in the middle of somebody's request.
gc.collect()
gc.freeze()
