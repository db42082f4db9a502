"""s3duct inside other programs: the core on bare Python, the Python API, a store of one's own."""
