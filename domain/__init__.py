"""The pure core of s3duct: what a stream is, how it is checked, what to do next.

Nothing in here performs I/O, reads a clock, draws randomness, starts a thread or needs a third-party package.
"""
