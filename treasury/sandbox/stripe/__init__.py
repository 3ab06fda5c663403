"""Stripe's documented API as a server of its own; every address of it is described in docs/design/sandboxes.md."""
