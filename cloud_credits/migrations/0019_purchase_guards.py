"""Purchases keep their word: states move along edges, mints match their payments, totals only grow, terms stay."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0018_terms"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0019_purchase_guards")]
