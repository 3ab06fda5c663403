"""Notice, electorate, ballots, thread, reminders and outcome of a rate card (domain §4)."""

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cloud_credits", "0024_billing_customers"),
        ("members", "0007_clock"),
    ]

    operations = [
        migrations.CreateModel(
            name="RateCardBallot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "choice",
                    models.CharField(choices=[("yes", "yes"), ("no", "no"), ("abstain", "abstain")], max_length=8),
                ),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("cast_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                "verbose_name": "ballot",
                "ordering": ["cast_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="RateCardComment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField()),
                ("text", models.TextField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "verbose_name": "comment",
                "ordering": ["created_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="RateCardElector",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField()),
                ("at_opening", models.BooleanField(editable=False, null=True, verbose_name="active at opening")),
            ],
            options={
                "verbose_name": "elector",
                "ordering": ["version", "member"],
            },
        ),
        migrations.CreateModel(
            name="RateCardOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(unique=True)),
                (
                    "settled_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("closed_at", models.DateTimeField(verbose_name="the vote closed at")),
                ("is_emergency", models.BooleanField()),
                ("electorate", models.JSONField(verbose_name="who was eligible")),
                ("ballots", models.JSONField(verbose_name="the ballots that counted")),
                ("yes", models.PositiveIntegerField()),
                ("no", models.PositiveIntegerField()),
                ("abstain", models.PositiveIntegerField()),
                ("electors", models.PositiveIntegerField()),
                ("quorum_met", models.BooleanField()),
                ("bar", models.TextField(verbose_name="the rule applied")),
                ("passed", models.BooleanField()),
                ("reason", models.TextField()),
            ],
            options={
                "verbose_name": "outcome of a vote",
                "verbose_name_plural": "outcomes of votes",
                "ordering": ["-version"],
            },
        ),
        migrations.CreateModel(
            name="RateCardReminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField()),
                ("hours", models.PositiveSmallIntegerField()),
                ("sent_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                "verbose_name": "reminder",
                "ordering": ["version", "-hours"],
            },
        ),
        migrations.AlterModelOptions(
            name="ratecard",
            options={
                "ordering": ["-version", "-id"],
                "permissions": [
                    ("propose_ratecard", "Can draft, propose, open to the vote and withdraw rate cards"),
                    ("vote_ratecard", "Can vote on rate cards"),
                ],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ratecard",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ratecard",
            name="update_update",
        ),
        migrations.AddField(
            model_name="ratecard",
            name="amends",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="amendments",
                to="cloud_credits.ratecard",
            ),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="closes_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="voting closes at"),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="content_hash",
            field=models.CharField(blank=True, default="", max_length=66),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="ended_reason",
            field=models.TextField(blank=True, default="", verbose_name="why it was withdrawn or sent back"),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="evidence",
            field=models.TextField(blank=True, default="", verbose_name="evidence of the emergency"),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="opens_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="voting opened at"),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="proposed_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="members told at"),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="proposed_by",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="proposed_xid",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="rules",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="ratecard",
            name="withdrawn_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="amends",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="cloud_credits.ratecard",
            ),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="closes_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="voting closes at"),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="content_hash",
            field=models.CharField(blank=True, default="", max_length=66),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="ended_reason",
            field=models.TextField(blank=True, default="", verbose_name="why it was withdrawn or sent back"),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="evidence",
            field=models.TextField(blank=True, default="", verbose_name="evidence of the emergency"),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="opens_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="voting opened at"),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="proposed_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="members told at"),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="proposed_by",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="proposed_xid",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="rules",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="ratecardhistory",
            name="withdrawn_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ratecard",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "cloud_credits_ratecardhistory" ("amends_id", "approved_at", "capacity_assumptions", "closes_at", "compute_cost", "compute_rate", "content_hash", "created_at", "created_by", "effective_date", "ended_reason", "evidence", "id", "is_emergency", "justification", "ltm_cost", "ltm_rate", "notes", "notice_date", "opens_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "proposed_at", "proposed_by", "proposed_xid", "reserve_buffer", "rules", "state", "stm_cost", "stm_rate", "target_margin", "transfer_cost", "transfer_rate", "version", "withdrawn_at") VALUES (NEW."amends_id", NEW."approved_at", NEW."capacity_assumptions", NEW."closes_at", NEW."compute_cost", NEW."compute_rate", NEW."content_hash", NEW."created_at", NEW."created_by", NEW."effective_date", NEW."ended_reason", NEW."evidence", NEW."id", NEW."is_emergency", NEW."justification", NEW."ltm_cost", NEW."ltm_rate", NEW."notes", NEW."notice_date", NEW."opens_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', NEW."id", NEW."proposed_at", NEW."proposed_by", NEW."proposed_xid", NEW."reserve_buffer", NEW."rules", NEW."state", NEW."stm_cost", NEW."stm_rate", NEW."target_margin", NEW."transfer_cost", NEW."transfer_rate", NEW."version", NEW."withdrawn_at"); RETURN NULL;',
                    hash="cd6c5ee1fc3ea965e8352ff8fbdf022bdd18b3a6",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_0e78b",
                    table="cloud_credits_ratecard",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ratecard",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "cloud_credits_ratecardhistory" ("amends_id", "approved_at", "capacity_assumptions", "closes_at", "compute_cost", "compute_rate", "content_hash", "created_at", "created_by", "effective_date", "ended_reason", "evidence", "id", "is_emergency", "justification", "ltm_cost", "ltm_rate", "notes", "notice_date", "opens_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "proposed_at", "proposed_by", "proposed_xid", "reserve_buffer", "rules", "state", "stm_cost", "stm_rate", "target_margin", "transfer_cost", "transfer_rate", "version", "withdrawn_at") VALUES (NEW."amends_id", NEW."approved_at", NEW."capacity_assumptions", NEW."closes_at", NEW."compute_cost", NEW."compute_rate", NEW."content_hash", NEW."created_at", NEW."created_by", NEW."effective_date", NEW."ended_reason", NEW."evidence", NEW."id", NEW."is_emergency", NEW."justification", NEW."ltm_cost", NEW."ltm_rate", NEW."notes", NEW."notice_date", NEW."opens_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', NEW."id", NEW."proposed_at", NEW."proposed_by", NEW."proposed_xid", NEW."reserve_buffer", NEW."rules", NEW."state", NEW."stm_cost", NEW."stm_rate", NEW."target_margin", NEW."transfer_cost", NEW."transfer_rate", NEW."version", NEW."withdrawn_at"); RETURN NULL;',
                    hash="dce5a3070d2f38f8214b402882ebc0e18987880c",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_9b153",
                    table="cloud_credits_ratecard",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="ratecardballot",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="ballots", to="cloud_credits.ratecard"
            ),
        ),
        migrations.AddField(
            model_name="ratecardcomment",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="comments", to="cloud_credits.ratecard"
            ),
        ),
        migrations.AddField(
            model_name="ratecardcomment",
            name="member",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="members.member"),
        ),
        migrations.AddField(
            model_name="ratecardelector",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="electors", to="cloud_credits.ratecard"
            ),
        ),
        migrations.AddField(
            model_name="ratecardelector",
            name="member",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="members.member"),
        ),
        migrations.AddField(
            model_name="ratecardballot",
            name="elector",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="ballots", to="cloud_credits.ratecardelector"
            ),
        ),
        migrations.AddField(
            model_name="ratecardoutcome",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="outcomes", to="cloud_credits.ratecard"
            ),
        ),
        migrations.AddField(
            model_name="ratecardreminder",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reminders", to="cloud_credits.ratecard"
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecardcomment",
            constraint=models.CheckConstraint(condition=models.Q(("text__regex", "\\S")), name="comment_has_text"),
        ),
        migrations.AddConstraint(
            model_name="ratecardelector",
            constraint=models.UniqueConstraint(fields=("version", "member"), name="elector_once"),
        ),
        migrations.AddConstraint(
            model_name="ratecardballot",
            constraint=models.CheckConstraint(
                condition=models.Q(("choice__in", ["yes", "no", "abstain"])), name="ballot_choice_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecardoutcome",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "electors__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(models.F("yes"), "+", models.F("no")),
                            "+",
                            models.F("abstain"),
                        ),
                    )
                ),
                name="outcome_within_the_electorate",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecardoutcome",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("passed", False),
                    models.Q(
                        (
                            "electors__lte",
                            django.db.models.expressions.CombinedExpression(models.F("yes"), "*", models.Value(4)),
                        ),
                        ("quorum_met", True),
                        ("yes__gt", models.F("no")),
                        ("yes__gte", 2),
                    ),
                    _connector="OR",
                ),
                name="outcome_passed_over_its_bars",
                violation_error_message="A card passes with two yes, more yes than no, and a quarter of all.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratecardreminder",
            constraint=models.UniqueConstraint(fields=("version", "hours"), name="reminder_once"),
        ),
    ]
