"""Flags win over the environment, also where they name another kind of key than the environment does."""

import itertools
import sys
from dataclasses import replace

from s3duct.app.cli.key_options import KeyOptions, RecipientOptions

_AES = ("--key",)
_AGE = ("--age-identity", "--age-recipient", "--age-recipients-file")


def keys_to_use(
    keys: KeyOptions, recipients: RecipientOptions, *, no_encrypt: bool = False
) -> tuple[KeyOptions, RecipientOptions]:
    """Return the keys that count: a flag sets aside what the environment says of other kinds, `--no-encrypt` everything."""
    aes, age = _is_given(*_AES), _is_given(*_AGE)
    if no_encrypt and (_is_given("--no-encrypt") or not (aes or age)):
        return KeyOptions(), RecipientOptions()
    if age and not aes:
        keys = replace(keys, key=None)
    if aes and not age:
        keys, recipients = replace(keys, age_identity=None), RecipientOptions()
    return keys, recipients


def _is_given(*flags: str) -> bool:
    """Whether one of these flags stands on the command line; behind `--` are those of the command that is run."""
    own = itertools.takewhile(lambda argument: argument != "--", sys.argv[1:])
    return any(argument.partition("=")[0] in flags for argument in own)
