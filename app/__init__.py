"""Use cases, the pipeline under them, and the two faces over them: the command and the Python API."""
