"""Measurements, not proofs: `make bench` runs each `bench_*.py` here and writes what it finds."""
