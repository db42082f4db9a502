"""Adapters of `ports.disk_probe`: statvfs for disks; /proc, control groups and rlimits for memory."""
