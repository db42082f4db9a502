"""keygen: parse, make the key, say where it is.

No `from __future__ import annotations` here: cyclopts reads the annotations. What runs it is imported when it runs.
"""

from typing import Annotated, Literal

from cyclopts import Parameter

from s3duct.app.cli.console import say, write_result


def keygen(
    kind: Annotated[Literal["aes", "age"], Parameter(help="aes: an AES-256 key; age: an age identity.")],
    path: Annotated[str, Parameter(help="The file to write; one that is there is never overwritten.")],
    *,
    pq: Annotated[
        bool,
        Parameter(
            negative=(), help="An age identity that is safe from quantum computers (ML-KEM-768, X25519)."
        ),
    ] = False,
) -> int:
    """Make a new key, in a file that only you can read.

    For age, the recipient is written to stdout: that is all that a machine needs to put streams which it cannot read.

    Example: s3duct keygen age --pq backup-identity.txt
    """
    from s3duct.app.api import make_key
    from s3duct.domain.encryption import EncryptionMethod
    from s3duct.domain.errors import ExitCode

    method = EncryptionMethod.AGE if kind == "age" else EncryptionMethod.AES_256_GCM
    recipient = make_key(path, method, post_quantum=pq)
    say(f"wrote {path!r}: keep a copy somewhere safe, nothing that is sealed for it opens without it")
    if recipient is not None:
        write_result(recipient + "\n")
    return ExitCode.OK
