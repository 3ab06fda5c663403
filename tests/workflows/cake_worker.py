"""`manage.py qcluster` for a house that knows the toy saga: `python -m tests.workflows.cake_worker`."""

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command

    from habitat.workflows.policies.sagas import register
    from tests.workflows.toy import CAKE

    register(CAKE)
    call_command("qcluster")


if __name__ == "__main__":
    main()
