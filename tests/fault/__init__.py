"""What goes wrong, at every single step: of the store, the disk, the pipe, the process. See README.md."""
