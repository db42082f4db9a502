"""Adapter of `ports.cipher`: age v1 (https://c2sp.org/age) over `cryptography`, without any external program."""
