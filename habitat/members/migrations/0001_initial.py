"""Members and their sign-ins."""

import django.db.models.deletion
import django.db.models.functions.text
import django_fsm
from django.conf import settings
from django.db import migrations, models

import habitat.members.models.users


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("email", models.EmailField(max_length=254, unique=True, verbose_name="e-mail address")),
                ("is_active", models.BooleanField(default=True, verbose_name="may sign in")),
                ("is_staff", models.BooleanField(default=False, verbose_name="may open the back office")),
                ("joined_at", models.DateTimeField(auto_now_add=True)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "sign-in",
            },
            managers=[
                ("objects", habitat.members.models.users.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("person", "person"), ("organisation", "organisation"), ("system", "system")],
                        max_length=16,
                    ),
                ),
                ("display_name", models.CharField(max_length=120)),
                (
                    "status",
                    django_fsm.FSMField(
                        choices=[
                            ("pending", "pending"),
                            ("active", "active"),
                            ("suspended", "suspended"),
                            ("inactive", "inactive"),
                            ("withdrawn", "withdrawn"),
                            ("expelled", "expelled"),
                        ],
                        default="pending",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("is_investor", models.BooleanField(default=False, verbose_name="LCA member-investor: may stake")),
                (
                    "system_code",
                    models.CharField(
                        blank=True,
                        choices=[("techne", "techne"), ("pool", "pool"), ("watershed", "watershed")],
                        max_length=16,
                        null=True,
                        unique=True,
                    ),
                ),
                ("ens_subname", models.CharField(blank=True, max_length=63, null=True, unique=True)),
                ("ethereum_address", models.CharField(blank=True, max_length=42, null=True, unique=True)),
                ("cloud_wallet_created_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="member",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("change_status", "Can admit, suspend, reinstate and end memberships"),
                    ("manage_roles", "Can give roles and take them away"),
                ],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"),
                name="user_email_unique",
                violation_error_message="This address already has a sign-in.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_superuser", False)),
                name="user_never_superuser",
                violation_error_message="Rights come from roles: there are no superusers.",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["pending", "active", "suspended", "inactive", "withdrawn", "expelled"])
                ),
                name="member_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["person", "organisation", "system"])), name="member_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "system"), ("system_code__isnull", False), ("user__isnull", True)),
                    models.Q(models.Q(("kind", "system"), _negated=True), ("system_code__isnull", True)),
                    _connector="OR",
                ),
                name="member_system_has_code_and_no_sign_in",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ens_subname__isnull", True),
                    ("ens_subname__regex", "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"),
                    _connector="OR",
                ),
                name="member_subname_form",
                violation_error_message="A name has 1 to 63 of a–z, 0–9 and hyphens, with no hyphen at either end.",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ethereum_address__isnull", True),
                    ("ethereum_address__regex", "^0x[0-9a-fA-F]{40}$"),
                    _connector="OR",
                ),
                name="member_address_form",
                violation_error_message="An address is 0x and 40 hexadecimal digits.",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("cloud_wallet_created_at__isnull", True),
                        ("ens_subname__isnull", True),
                        ("ethereum_address__isnull", True),
                    ),
                    models.Q(
                        ("cloud_wallet_created_at__isnull", False),
                        ("ens_subname__isnull", False),
                        ("ethereum_address__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="member_identity_whole",
                violation_error_message="A cloud identity is a name, an address and its date, together.",
            ),
        ),
    ]
