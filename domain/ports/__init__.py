"""What the core needs from the outside world, one small protocol a module; adapters of the same names implement them."""
