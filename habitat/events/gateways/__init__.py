"""The outside world of this floor: the message broker."""
