"""The domain and the pure pieces of the pipeline compute the right thing, for any input."""
