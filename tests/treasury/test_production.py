"""Production keeps real money: it refuses a sandbox, test keys, and a door that could believe nobody."""

import pytest

from tests.workflows.test_production import start_production


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SITE_URL": "http://127.0.0.1:8000"}, "SITE_URL must be the house's own address"),
        ({"SITE_URL": "https://habitat.example/"}, "SITE_URL must be the house's own address"),
        ({"STRIPE_API_BASE": "http://127.0.0.1:12111"}, "STRIPE_API_BASE is not Stripe"),
        ({"STRIPE_API_BASE": "https://api.stripe.com.example.org"}, "STRIPE_API_BASE is not Stripe"),
        ({"STRIPE_SECRET_KEY": "sk_test_x"}, "STRIPE_SECRET_KEY must be a live key"),
        ({"STRIPE_SECRET_KEY": "rk_test_x"}, "STRIPE_SECRET_KEY must be a live key"),
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY must be a live key"),
        ({"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET is missing"),
    ],
)
def test_production__refuses(changed, said):
    answer = start_production(**changed)
    assert answer.returncode == 1
    assert f"ImproperlyConfigured: {said}" in answer.stderr


def test_production__takes_two_secrets_while_one_replaces_the_other():
    assert start_production(STRIPE_WEBHOOK_SECRET="whsec_one,whsec_two").returncode == 0
