"""The first card as if it had been proposed: its notice, its rules and its hash. Then what every card must have."""

from typing import ClassVar

from django.db import migrations, models

# Members were told on 2026-03-01. Its guards sleep while it is written: this is the one card no vote adopted.
_NOTICE = """
ALTER TABLE cloud_credits_ratecard DISABLE TRIGGER rate_card_frozen;
ALTER TABLE cloud_credits_ratecard DISABLE TRIGGER rate_card_states;
UPDATE cloud_credits_ratecard
   SET proposed_at = '2026-03-01 00:00:00+00', proposed_by = created_by,
       rules = '{"floors": {"compute": "0.5", "transfer": "0.1", "ltm": "0.05", "stm": "0.01"},
                 "caps": {"compute": "0.5", "transfer": "0.5", "ltm": "0.3", "stm": "0.5"}}',
       content_hash = '0x526e08366c37fdaff041705230f59546428bb085f8500fff6b48b04f1aa2d912'
 WHERE version = 1;
ALTER TABLE cloud_credits_ratecard ENABLE TRIGGER rate_card_states;
ALTER TABLE cloud_credits_ratecard ENABLE TRIGGER rate_card_frozen;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0027_governance")]

    operations: ClassVar = [
        # Going back drops the columns in the migration before this one.
        migrations.RunSQL(_NOTICE, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="ratecard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "draft"), _negated=True),
                    models.Q(
                        ("approved_at", None),
                        ("closes_at", None),
                        ("content_hash", ""),
                        ("notice_date", None),
                        ("opens_at", None),
                        ("proposed_at", None),
                        ("proposed_by", ""),
                        ("proposed_xid", None),
                        ("version", None),
                        ("withdrawn_at", None),
                    ),
                    _connector="OR",
                ),
                name="rate_card_draft_is_bare",
                violation_error_message="A draft was put before nobody: it has no number, notice or vote.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "draft"),
                    models.Q(
                        ("proposed_at__isnull", False),
                        models.Q(("proposed_by", ""), _negated=True),
                        ("content_hash__regex", "^0x[0-9a-f]{64}$"),
                    ),
                    _connector="OR",
                ),
                name="rate_card_told_whole",
                violation_error_message="A proposed card keeps its notice, its proposer and its hash.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "draft"), ("is_emergency", False), ("evidence__regex", "\\S"), _connector="OR"
                ),
                name="rate_card_emergency_has_evidence",
                violation_error_message="An emergency card documents its emergency.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closes_at", None), ("opens_at", None)),
                    models.Q(
                        ("closes_at__gt", models.F("opens_at")),
                        ("closes_at__isnull", False),
                        ("opens_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="rate_card_vote_whole",
                violation_error_message="A vote opens and closes.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["voting", "rejected", "active", "approved", "superseded"]), _negated=True),
                    ("closes_at__isnull", False),
                    models.Q(("state__in", ["active", "approved", "superseded"]), ("version", 1)),
                    _connector="OR",
                ),
                name="rate_card_voted_before_adopted",
                violation_error_message="A card is adopted or rejected by a vote.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "withdrawn"), _negated=True),
                    models.Q(("withdrawn_at__isnull", False), models.Q(("ended_reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="rate_card_withdrawn_says_when_and_why",
                violation_error_message="A withdrawn card keeps when and why.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecard",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["proposed", "voting"])),
                fields=("is_emergency",),
                name="rate_card_one_in_flight",
                violation_error_message="Another card of this kind is under way.",
            ),
        ),
    ]
