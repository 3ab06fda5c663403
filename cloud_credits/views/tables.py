"""The lists of the credit ledger: one definition each for page, CSV and XLSX."""

from typing import Final

from django.urls import reverse

from cloud_credits.models import ResourceUsage
from cloud_credits.policies.primitives import measure_of
from cloud_credits.reports.activity import Activity
from cloud_credits.reports.member_usage import PrimitiveTotal, arithmetic
from habitat.faces.tables import Column, Kind, Table
from habitat.money import cloud_to_usd


def _detail(row: Activity) -> str:
    return reverse("cloud-transaction", args=[row.transaction.pk])


_BOOKED: Column[Activity] = Column("booked", "Booked", lambda row: row.transaction.booked_at, Kind.MOMENT)
_TYPE: Column[Activity] = Column("type", "Type", lambda row: row.transaction.type, link=_detail)
_WITH: Column[Activity] = Column("with", "With", lambda row: row.counterparty)
_FOR: Column[Activity] = Column("for", "For", lambda row: row.transaction.description)
_CHANGE: Column[Activity] = Column("change", "CLOUD", lambda row: row.change, Kind.CHANGE)
_USD: Column[Activity] = Column("usd", "USD", lambda row: cloud_to_usd(row.change), Kind.USD)
_AFTER: Column[Activity] = Column("after", "Liquid after", lambda row: row.liquid_after, Kind.CLOUD)
_STATE: Column[Activity] = Column("state", "State", lambda row: row.transaction.state, Kind.STATUS)

TRANSACTIONS: Final[Table[Activity]] = Table(
    name="transactions",
    caption="Booked movements of your credits, the newest first. Amounts in CLOUD; USD at ten dollars a credit.",
    columns=(
        Column("number", "Number", lambda row: row.transaction.pk, Kind.NUMBER, link=_detail),
        _BOOKED,
        _TYPE,
        _WITH,
        _FOR,
        _CHANGE,
        _USD,
        _AFTER,
        _STATE,
    ),
)
RECENT: Final[Table[Activity]] = Table(
    name="recent",
    caption="The latest movements of your credits.",
    columns=(_BOOKED, _TYPE, _WITH, _FOR, _CHANGE, _AFTER),
)
USAGE: Final[Table[ResourceUsage]] = Table(
    name="usage",
    caption="What was metered, the newest first: quantity × rate, half-up to eight decimals.",
    columns=(
        Column("ended", "Ended", lambda line: line.metered_at, Kind.MOMENT),
        Column("service", "Service", lambda line: line.service_name),
        Column("primitive", "Primitive", lambda line: measure_of(line.primitive).title),
        Column("arithmetic", "Arithmetic", arithmetic),
        Column("cost", "CLOUD", lambda line: line.cost, Kind.CLOUD),
        Column("usd", "USD", lambda line: cloud_to_usd(line.cost), Kind.USD),
        Column(
            "transaction",
            "Transaction",
            lambda line: line.transaction_id,
            Kind.NUMBER,
            link=lambda line: reverse("cloud-transaction", args=[line.transaction_id]),
        ),
    ),
)
USAGE_TOTALS: Final[Table[PrimitiveTotal]] = Table(
    name="usage-totals",
    caption="Totals of the month by primitive.",
    columns=(
        Column("primitive", "Primitive", lambda row: row.measure.title),
        Column("unit", "Unit", lambda row: row.measure.unit),
        Column("events", "Events", lambda row: row.events, Kind.INTEGER),
        Column("quantity", "Quantity", lambda row: row.quantity, Kind.QUANTITY),
        Column("cost", "CLOUD", lambda row: row.cost, Kind.CLOUD),
        Column("usd", "USD", lambda row: cloud_to_usd(row.cost), Kind.USD),
    ),
)
