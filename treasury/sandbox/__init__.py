"""Servers that speak the providers' documented HTTP in development, demo and tests: own processes, no Django."""
