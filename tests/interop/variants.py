"""The kinds of streams that both sides write and read."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.data import KIB, random_bytes

# They write no MAC: what a key makes of their plain manifests has to be allowed.
ALLOW_UNPROVEN = "--allow-unauthenticated"
CHUNK_FLAGS = ("--chunk-size", "16K")
CONTENT = random_bytes(5 * 16 * KIB + 33, "interop")


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind: `sealed_manifest` is the default of theirs where there is a key, and a flag of ours."""

    label: str
    encrypted: bool = False
    sealed_manifest: bool = False
    prefix: str = ""
    name: str = "{}"
    tags: tuple[str, ...] = ()
    description: str = ""

    @property
    def unproven(self) -> bool:
        """Whether a key proves nothing of the manifest when they wrote it."""
        return self.encrypted and not self.sealed_manifest

    @property
    def flags(self) -> list[str]:
        """Flags of put that both sides understand."""
        flags = list(CHUNK_FLAGS)
        if self.encrypted:
            flags.append("--encrypt-manifest" if self.sealed_manifest else "--no-encrypt-manifest")
        for tag in self.tags:
            flags += ["--tag", tag]
        if self.description:
            flags += ["--description", self.description]
        return flags


AES = Variant("aes-plain-manifest", encrypted=True)
SEALED = Variant("aes-sealed-manifest", encrypted=True, sealed_manifest=True)
SLASHES = Variant("prefix-with-slashes", prefix="host/db2///", encrypted=True, sealed_manifest=True)
NESTED = Variant("nested-name", name="{}/a/b.c", prefix="host/db1")
TAGS = Variant("tags", tags=("env=prod", "empty=", "sum=a=b", "ünï=cödé"))
DESCRIPTION = Variant("description", description='Nightly "dump" — größe', encrypted=True)

# Every kind of prefix, name, tag, encryption and manifest, in as few streams as hold them. 0.3.0 has no descriptions.
OF = {"0.3.0": (TAGS, NESTED, AES, SLASHES), "0.4.0": (TAGS, NESTED, DESCRIPTION, SLASHES)}
