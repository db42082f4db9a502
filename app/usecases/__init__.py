"""One module, one verb: each reads as its steps, in the order of the safety argument."""
