"""What the clock does for rate cards. A run late changes no price and no outcome."""

from datetime import datetime

from cloud_credits.actions import rate_cards


def settle_votes(due_at: datetime) -> None:
    """Every vote past its close; one that is settled stays as it is."""
    del due_at  # what is due is told by the database's clock
    rate_cards.settle_due()


def remind_electors(due_at: datetime) -> None:
    """Each reminder once."""
    del due_at
    rate_cards.remind_due()


def follow_rate_cards(due_at: datetime) -> None:
    """Lapses first, then what has taken effect; each settles the closed votes before."""
    del due_at
    rate_cards.lapse_due()
    rate_cards.follow_dates()
