"""Adapter of `ports.object_store` over obstore: S3 over HTTP, a local folder, and memory."""
