"""The back office's home: unfold calls this before it renders the index."""

from typing import Any

from django.http import HttpRequest

from habitat.faces.charts import Chart, Series
from habitat.members.reports.actors import actor_of
from habitat.site.reports.home import USAGE_DAYS, home


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """`context` with what the reader may see."""
    acting = actor_of(request.user)
    shown = home(may=acting.may, member_id=acting.id)
    chart = None
    if shown.usage is not None:
        chart = Chart(
            name="usage",
            title=f"Usage of the last {USAGE_DAYS} days, CLOUD",
            unit="CLOUD",
            label_title="Primitive",
            labels=[row.primitive for row in shown.usage],
            series=[Series("Cost", [row.cost for row in shown.usage])],
        )
    return context | {
        "title": "Home",
        "home": shown,
        "usage_chart": chart.bars() if chart else "",
        "usage_days": USAGE_DAYS,
    }
