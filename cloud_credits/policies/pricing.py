"""What usage costs: quantity times rate, half-up to eight decimals, never free (domain §1)."""

from decimal import Decimal

from habitat.money import CLOUD_PLACES, SMALLEST_CLOUD, product, rounded


def cost(quantity: Decimal, rate: Decimal) -> Decimal:
    """CLOUD for `quantity` units at `rate` CLOUD a unit. Both must be positive."""
    if quantity <= 0 or rate <= 0:
        raise ValueError("a cost needs a positive quantity and a positive rate")
    return max(rounded(product(quantity, rate), CLOUD_PLACES), SMALLEST_CLOUD)
