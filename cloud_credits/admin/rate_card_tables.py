"""The lists of a dry run in the back office."""

from typing import Final

from cloud_credits.reports.rate_card_effects import HouseLine, MemberChange
from habitat.faces.tables import Column, Kind, Table

HOUSE_EFFECT: Final[Table[HouseLine]] = Table(
    name="dry-run",
    caption="Everybody's usage under both prices, techne's own left out. Cost is what the cooperative pays.",
    columns=(
        Column("primitive", "Primitive", lambda row: row.measure.title),
        Column("events", "Events", lambda row: row.events, Kind.INTEGER),
        Column("quantity", "Quantity", lambda row: row.quantity, Kind.QUANTITY),
        Column("unit", "Unit", lambda row: row.measure.abbreviation),
        Column("revenue_was", "Revenue", lambda row: row.revenue_was, Kind.USD),
        Column("revenue_would_be", "Revenue, this card", lambda row: row.revenue_would_be, Kind.USD),
        Column("cost_was", "Cost", lambda row: row.cost_was, Kind.USD),
        Column("cost_would_be", "Cost, this card", lambda row: row.cost_would_be, Kind.USD),
        Column("margin_was", "Margin, %", lambda row: row.margin_was, Kind.RATE),
        Column("margin_would_be", "Margin, this card, %", lambda row: row.margin_would_be, Kind.RATE),
    ),
)
LARGEST_CHANGES: Final[Table[MemberChange]] = Table(
    name="largest-changes",
    caption="Members whose cost changes most, in CLOUD.",
    columns=(
        Column("member", "Member", lambda row: row.name),
        Column("number", "Number", lambda row: row.member_id, Kind.NUMBER),
        Column("was", "Paid", lambda row: row.was, Kind.CLOUD),
        Column("would_be", "With this card", lambda row: row.would_be, Kind.CLOUD),
        Column("change", "Difference", lambda row: row.change, Kind.CHANGE),
        Column("percent", "Difference, %", lambda row: row.percent, Kind.CHANGE),
    ),
)
