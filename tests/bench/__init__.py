"""Benchmarks: `make bench`. What they measure is printed, never asserted."""
