"""The use cases over the memory store, with fakes for everything else: no network, no disk, no waiting."""
