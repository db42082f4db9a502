"""Hashing in C: several chunks at once on one core. An optional extension, left out where it could not be built."""
