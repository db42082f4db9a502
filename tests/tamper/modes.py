"""The ways to put a stream, and what one who owns the bucket can seal in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from s3duct.adapters.plain import PlainCipher
from s3duct.domain.ports.cipher import Cipher
from tests.support.age_keys import key_pair
from tests.usecases.world import OTHER_KEY, aes


@dataclass(frozen=True)
class Mode:
    """`method` is plain, aes or age; `kind` is that of the age key."""

    name: str
    method: str
    seals_manifest: bool = False
    kind: str = "x25519"

    @cached_property
    def cipher(self) -> Cipher:
        """The key of the victim."""
        if self.method == "plain":
            return PlainCipher()
        return aes() if self.method == "aes" else key_pair(self.kind).cipher()

    @cached_property
    def other(self) -> Cipher:
        """A key of the attacker, of the same kind; an AES key where the victim has none."""
        return key_pair(self.kind, 1).cipher() if self.method == "age" else aes(OTHER_KEY)

    @cached_property
    def public(self) -> Cipher | None:
        """What seals for the victim without a secret: nothing for AES, the public recipient for age."""
        if self.method == "aes":
            return None
        return PlainCipher() if self.method == "plain" else key_pair(self.kind).sealing()


PLAIN = Mode("plain", "plain")
AES = Mode("aes", "aes")
AES_SEALED = Mode("aes-sealed", "aes", seals_manifest=True)
AGE = Mode("age", "age")
AGE_SEALED = Mode("age-sealed", "age", seals_manifest=True)
MODES = [PLAIN, AES, AES_SEALED, AGE, AGE_SEALED]
POST_QUANTUM = Mode("age-pq-sealed", "age", seals_manifest=True, kind="hybrid")
