"""Empty balances for techne, pool and watershed; their names and addresses come when an operator gives the addresses."""

from django.db import migrations


def open_balances(apps, schema_editor):
    member = apps.get_model("members", "Member")
    balance = apps.get_model("cloud_credits", "CloudBalance")
    for system_member in member.objects.filter(system_code__isnull=False).order_by("system_code"):
        balance.objects.create(member=system_member)


class Migration(migrations.Migration):
    dependencies = [("cloud_credits", "0002_guards"), ("members", "0005_system_members")]

    # Balances are never deleted, so going back leaves them for 0001's reverse to drop with their table.
    operations = [migrations.RunPython(open_balances, migrations.RunPython.noop)]
