"""What runs here: the version alone, or with all that makes a difference when somebody asks for help."""

import platform

from s3duct.app.cli.console import write_result
from s3duct.app.container.hashers import make_hasher
from s3duct.app.settings import default_native_hashing, tool_version


def show_versions() -> None:
    """Print the versions of this program and of Python, and what hashes."""
    hasher = make_hasher(native=default_native_hashing())
    python = f"Python {platform.python_version()}, {platform.machine()}"
    write_result(f"s3duct {tool_version()}\n{python}\n{hasher.description}\n")
