"""What the C library does with memory that this process has freed: a process of our own keeps it (ADR 0026)."""

from s3duct.domain.sizes import MIB

# mallopt(3): parameters of glibc.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# The most that glibc takes for it: larger blocks are mappings of their own.
_COMMON_BLOCK_BYTES = 32 * MIB
_KEPT_BYTES = 64 * MIB


def keep_freed_memory() -> None:
    """Keep what was freed for the next blocks of its size, up to 64 MiB for each arena; only glibc needs to be told.

    By itself it gives blocks of a megabyte back to the system at once: whatever arrives from the store would lie on fresh
    pages. For the command alone, since in somebody else's process that is theirs to decide.
    """
    try:
        import ctypes  # left out of some builds of Python

        mallopt = ctypes.CDLL(None).mallopt
    except (ImportError, OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, _COMMON_BLOCK_BYTES)
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
