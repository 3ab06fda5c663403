"""The mint switch's one row, what waits for a check, and what the database refuses: sql/0015_backing_guards.sql."""

from django.db import migrations, models

import habitat.faces.fields
import treasury.models.journal
from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("treasury", "0014_bank_line_guard"),
        ("members", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="BackingRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("trigger", models.CharField(max_length=40)),
                ("asked_at", models.DateTimeField(db_default=treasury.models.journal.ClockTime(), editable=False)),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddField(
            model_name="backingcheck",
            name="books_until",
            field=models.DateField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="backingcheck",
            name="last_entry",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="backingcheck",
            name="snapshot",
            field=models.TextField(db_default="", default="", editable=False),
        ),
        migrations.AddField(
            model_name="backingcheck",
            name="transaction",
            field=habitat.faces.fields.TransactionIdField(
                db_default=habitat.faces.fields.CurrentTransaction(), editable=False
            ),
        ),
        sql_file(__file__, "0015_backing_guards"),
    ]
