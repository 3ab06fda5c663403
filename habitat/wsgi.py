"""The WSGI door gunicorn opens."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "habitat.settings.production")

application = get_wsgi_application()
# What is loaded now stays for ever: the collector need not walk it again in the middle of somebody's request.
gc.collect()
gc.freeze()
