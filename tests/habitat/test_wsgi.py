"""What gunicorn opens has everything read before the first request."""

import os
import subprocess
import sys

from habitat.local.cluster import CHECKOUT


def test_wsgi__has_read_every_page_before_anybody_asks() -> None:
    told = "import gc, sys, habitat.wsgi; print('habitat.urls' in sys.modules, gc.get_freeze_count() > 100_000)"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "habitat.settings.test"}
    asked = [sys.executable, "-c", told]
    answer = subprocess.run(asked, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "True True"
