"""Flows of this floor: the clock and its jobs."""
