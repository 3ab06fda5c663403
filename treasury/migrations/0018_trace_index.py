"""The trace looks webhooks up by the object they tell of."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("treasury", "0017_reconciliation_guards")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX stripeevent_object ON treasury_stripeevent ((payload #> '{data,object,id}'))",
            "DROP INDEX stripeevent_object",
        )
    ]
