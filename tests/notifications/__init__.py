"""Tests of notices, e-mails and preferences."""
