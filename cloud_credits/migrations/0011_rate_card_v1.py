"""The rate card the cooperative opened with: version 1, told on 2026-03-01, in force from 2026-04-01 (domain §4)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db import migrations


def adopt(apps: Any, schema_editor: Any) -> None:
    # Born adopted: the guard that refuses this is created by the next migration.
    apps.get_model("cloud_credits", "RateCard").objects.create(
        version=1,
        state="approved",
        notice_date=date(2026, 3, 1),
        effective_date=date(2026, 4, 1),
        approved_at=datetime(2026, 3, 1, tzinfo=UTC),
        compute_rate=Decimal("1.0"),
        transfer_rate=Decimal("0.1"),
        ltm_rate=Decimal("0.05"),
        stm_rate=Decimal("0.5"),
        compute_cost=Decimal("0.0416"),
        transfer_cost=Decimal("0.01"),
        ltm_cost=Decimal("0.023"),
        stm_cost=Decimal("0.05"),
        target_margin=Decimal(90),
        reserve_buffer=Decimal(10),
        capacity_assumptions="No usage was measured before opening.",
        justification="The first rate card. Conservative rates until the cooperative has measured its own costs.",
        notes="Initial rate card for the opening. Conservative pricing with about 90 % margin.",
        created_by="system:0",
    )


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0010_rate_cards")]
    # Going back drops the table in the migration before this one; a card is never deleted row by row.
    operations: ClassVar = [migrations.RunPython(adopt, migrations.RunPython.noop)]
