"""Fakes that pass the same contract suites as the adapters they stand for."""
