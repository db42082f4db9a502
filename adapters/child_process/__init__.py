"""Programs at the ends of the pipe: adapters of `ports.process` over the processes of POSIX."""
