"""Money that comes back after the mint waits again, and what of a refund or dispute it covered is kept."""

from typing import ClassVar

from django.db import migrations, models

from habitat.faces.migrations import sql_file

ORIGINS = ["habitat", "held", "stripe", "bank"]
DOLLARS = {"decimal_places": 8, "max_digits": 20, "db_default": 0, "default": 0}


def within() -> models.Q:
    return models.Q(("held__gte", 0), ("reclaim__gte", 0), ("reclaim__lte", models.F("amount") - models.F("held")))


class Migration(migrations.Migration):
    dependencies: ClassVar = [("treasury", "0021_reclaim_grows")]

    operations: ClassVar = [
        migrations.AddField("payment", "late", models.DecimalField(**DOLLARS)),
        migrations.AddField("refund", "held", models.DecimalField(**DOLLARS)),
        migrations.AddField("dispute", "held", models.DecimalField(**DOLLARS)),
        migrations.RemoveConstraint("refund", "refund_origin_known"),
        migrations.AlterField(
            "refund", "origin", models.CharField(choices=[(origin, origin) for origin in ORIGINS], max_length=8)
        ),
        migrations.AddConstraint(
            "refund",
            models.CheckConstraint(condition=models.Q(("origin__in", ORIGINS)), name="refund_origin_known"),
        ),
        sql_file(__file__, "0022_late_money"),
        migrations.RemoveConstraint("refund", "refund_reclaim_within"),
        migrations.AddConstraint("refund", models.CheckConstraint(condition=within(), name="refund_reclaim_within")),
        migrations.RemoveConstraint("dispute", "dispute_reclaim_within"),
        migrations.AddConstraint("dispute", models.CheckConstraint(condition=within(), name="dispute_reclaim_within")),
        migrations.AddConstraint(
            "payment",
            models.CheckConstraint(
                condition=models.Q(("late", 0))
                | models.Q(
                    ("late__gt", 0), ("minted__lte", models.F("amount") - models.F("late")), ("state", "minted")
                ),
                name="payment_late_within",
                violation_error_message="Only what came back after the mint, and no more than was paid, waits again.",
            ),
        ),
        migrations.AddIndex(
            "payment",
            models.Index(condition=models.Q(("late__gt", 0)), fields=["received_at", "id"], name="payment_late"),
        ),
    ]
