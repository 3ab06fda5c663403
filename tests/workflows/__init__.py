"""Tests of the job clock."""
