"""Makes keys of both kinds, by the adapters of their ciphers."""

from __future__ import annotations

from datetime import datetime

from s3duct.domain.ports.key_maker import KeyMaker, NewKey


class CipherKeyMaker(KeyMaker):
    """One for all ciphers."""

    def aes_key(self) -> NewKey:
        """For AES-256-GCM."""
        from s3duct.adapters.aesgcm import new_key

        return NewKey(new_key())

    def age_identity(self, *, post_quantum: bool, created: datetime) -> NewKey:
        """In the text form of `age-keygen`."""
        from s3duct.adapters.age.keygen import new_identity

        identity = new_identity(post_quantum=post_quantum, created=created)
        return NewKey(identity.file_text.encode("ascii"), identity.recipient)
