"""The guards of webhooks: endpoints keep their address, messages their words, deliveries their order."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0003_webhooks"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0004_webhook_guards")]
