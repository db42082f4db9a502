"""Tests, one folder for each question they ask; CONTRIBUTING.md says which."""
