"""A vote that was won is not written down as lost, and no usage is older, or ahead, than it says."""

from typing import ClassVar

from django.db import migrations
from django.db.models import CheckConstraint, Q, UniqueConstraint

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0042_governance_gaps"), ("controls", "0004_history_guards")]
    operations: ClassVar = [
        migrations.RemoveConstraint("ratecard", "rate_card_whole_once_proposed"),
        migrations.AddConstraint(
            "ratecard",
            CheckConstraint(
                name="rate_card_whole_once_proposed",
                condition=Q(state="draft")
                | Q(
                    version__isnull=False,
                    effective_date__isnull=False,
                    notice_date__isnull=False,
                    compute_cost__isnull=False,
                    compute_cost__gte=0,
                    transfer_cost__isnull=False,
                    transfer_cost__gte=0,
                    ltm_cost__isnull=False,
                    ltm_cost__gte=0,
                    stm_cost__isnull=False,
                    stm_cost__gte=0,
                    target_margin__isnull=False,
                    reserve_buffer__isnull=False,
                )
                & ~Q(justification="")
                & ~Q(capacity_assumptions=""),
                violation_error_message=(
                    "A proposed card has a number, both dates, the cost of each primitive, a justification, "
                    "capacity assumptions, a target margin and a reserve buffer."
                ),
            ),
        ),
        migrations.AddConstraint(
            "resourceusage",
            UniqueConstraint(
                name="usage_approval_once",
                fields=["approval"],
                condition=Q(approval__isnull=False),
                violation_error_message="An approval lets in one usage.",
            ),
        ),
        sql_file(__file__, "0043_rules_in_the_database"),
    ]
