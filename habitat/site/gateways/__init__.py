"""The world outside, as the roof needs it."""
