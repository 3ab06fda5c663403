"""Refunds carried on by their own burn alone; see sql/0023_refund_guards.sql."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0022_clawback_of_late_money")]

    operations: ClassVar = [
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                name="refundrequest_burned_whole",
                condition=Q(state="asked", burn=None, giveback=None)
                | Q(state="burned", burn__isnull=False, giveback=None)
                | Q(~Q(refund_id=""), state__in=["sent", "settled"], burn__isnull=False, giveback=None)
                | Q(state="failed", burn=None, giveback=None)
                | Q(state="failed", burn__isnull=False, giveback__isnull=False),
            ),
        ),
        sql_file(__file__, "0023_refund_guards"),
    ]
