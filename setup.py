"""Package list, worked out from the tree: everything else is in pyproject.toml.

`domain/`, `adapters/` and `app/` stand at the top of the checkout and install as `s3duct.domain`,
`s3duct.adapters` and `s3duct.app`. setuptools cannot put a prefix before packages it finds, so the list
is made here: a new sub-package is shipped without anyone remembering to name it.
"""

from setuptools import find_namespace_packages, setup

ROOTS = ("domain", "adapters", "app")

setup(
    package_dir={f"s3duct.{root}": root for root in ROOTS},
    packages=[f"s3duct.{root}" for root in ROOTS]
    + [
        f"s3duct.{root}.{package}"
        for root in ROOTS
        for package in find_namespace_packages(root, exclude=["__pycache__", "*.__pycache__"])
    ],
)
