"""The chart of accounts of the domain, and the quarters from the first day of 2026 to the middle of 2027."""

from datetime import date
from typing import Any

from django.db import migrations

from treasury.policies.chart import CHART
from treasury.policies.periods import FIRST_QUARTER_STARTS, quarter_end, quarter_name

LAST_QUARTER_ENDS = date(2027, 7, 1)


def write_chart(apps: Any, schema_editor: Any) -> None:
    account_model = apps.get_model("treasury", "Account")
    ids: dict[str, int] = {}
    for row in CHART:
        facts = {
            "name": row.name,
            "kind": row.kind.value,
            "normal_side": row.normal_side.value,
            "ledger": row.ledger.value,
            "parent_id": ids[row.parent] if row.parent else None,
            "is_postable": row.is_postable,
        }
        account, _ = account_model.objects.get_or_create(code=row.code, defaults=facts)
        ids[row.code] = account.pk


def open_quarters(apps: Any, schema_editor: Any) -> None:
    period_model = apps.get_model("treasury", "Period")
    start = FIRST_QUARTER_STARTS
    while start < LAST_QUARTER_ENDS:
        end = quarter_end(start)
        period_model.objects.get_or_create(start=start, defaults={"name": quarter_name(start), "end": end})
        start = end


class Migration(migrations.Migration):
    dependencies = [("treasury", "0002_guards")]

    operations = [
        # Backwards the rows stay: the tables go with the first migration, and guards refuse to delete from them.
        migrations.RunPython(write_chart, migrations.RunPython.noop),
        migrations.RunPython(open_quarters, migrations.RunPython.noop),
    ]
