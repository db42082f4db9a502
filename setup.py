"""Package list, worked out from the tree, and the optional extension: everything else is in pyproject.toml.

`domain/`, `adapters/` and `app/` stand at the top of the checkout and install as `s3duct.domain`,
`s3duct.adapters` and `s3duct.app`. setuptools cannot put a prefix before packages it finds, so the list
is made here: a new sub-package is shipped without anyone remembering to name it.
"""

import sysconfig
from pathlib import Path

from setuptools import Extension, find_namespace_packages, setup

ROOTS = ("domain", "adapters", "app")
NATIVE = Path("adapters/native")

# One binary for all versions of Python from 3.11 on; without the global lock there is no such thing.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")

HASHING = Extension(
    "s3duct.adapters.native._hashing",
    sources=sorted(map(str, NATIVE.glob("*.c"))),
    depends=sorted(map(str, NATIVE.glob("*.h"))),
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE_ABI else [],
    py_limited_api=STABLE_ABI,
    extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden"],
    optional=True,  # no compiler, or one that fails: hashlib hashes
)

setup(
    package_dir={f"s3duct.{root}": root for root in ROOTS},
    packages=[f"s3duct.{root}" for root in ROOTS]
    + [
        f"s3duct.{root}.{package}"
        for root in ROOTS
        for package in find_namespace_packages(root, exclude=["__pycache__", "*.__pycache__"])
    ],
    ext_modules=[HASHING],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
