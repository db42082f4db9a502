"""What the suites over real bytes share: the command as a process, buckets, producers, a recording proxy."""
