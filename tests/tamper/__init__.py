"""Tests: whatever is done to what is stored, nothing unverified is given out."""
