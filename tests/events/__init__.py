"""Tests of the outbox and its deliveries."""
