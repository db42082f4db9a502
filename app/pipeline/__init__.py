"""The moving parts that the use cases share: buffers, lanes, retries, uploads, downloads, ordered emission."""
