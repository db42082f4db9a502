"""Age plugins, driven by the `age` command, by pyrage and by us: what one seals through a plugin, the others open."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pyrage
import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.identities import parse_identity
from s3duct.adapters.age.primitives import encode_base64
from s3duct.adapters.age.recipients import parse_recipient
from tests.fakes.user import FakeUser
from tests.support.age_keys import key_pair, seal, unseal
from tests.support.age_plugin import InstalledPlugin, command, install_plugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AGE = shutil.which("age") or ""
REQUIRED = bool(os.environ.get("S3DUCT_REQUIRE_AGE"))
SIZES = [0, 70_000]
GREASE = [command("grease-11", "x", body=bytes(80)), command("msg", body=b"please touch your key")]
BEHAVIOURS: dict[str, dict[str, Any]] = {
    "plain": {},
    "several stanzas": {"stanzas": 3},
    "long stanzas": {"salt_bytes": 5000},
    "grease and messages": {"says": GREASE},
    "a secret": {"says": [command("request-secret", body=b"PIN?")]},
    "a confirmation": {"says": [command("confirm", encode_base64(b"yes"), encode_base64(b"no"), body=b"?")]},
}


class TheirUi:
    """The user, as pyrage wants it."""

    def display_message(self, message: str) -> None: ...

    def confirm(self, message: str, yes_string: str, no_string: str | None) -> bool | None:
        return True

    def request_public_string(self, description: str) -> str | None:
        return "something"

    def request_passphrase(self, description: str) -> str | None:
        return "123456"


@pytest.fixture(params=BEHAVIOURS)
def plugin(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> InstalledPlugin:
    return install_plugin(monkeypatch, tmp_path / "bin", **BEHAVIOURS[request.param])


def age(*arguments: str | Path, given: bytes) -> bytes:
    if not AGE and REQUIRED:
        pytest.fail("S3DUCT_REQUIRE_AGE is set, and there is no age command")
    if not AGE:
        pytest.skip("there is no age command")
    # In a session of its own it has no terminal: what it would ask for there fails, which the plugin does not mind.
    run = subprocess.run(
        [AGE, *arguments], input=given, capture_output=True, check=True, timeout=60, start_new_session=True
    )
    return run.stdout


class Debian:
    def seal(self, plugin: InstalledPlugin, plain: bytes) -> bytes:
        return age("-r", plugin.recipient, given=plain)

    def seal_for_the_owner(self, plugin: InstalledPlugin, plain: bytes) -> bytes:
        return age("-e", "-i", self._identity(plugin), given=plain)

    def open(self, plugin: InstalledPlugin, sealed: bytes) -> bytes:
        return age("-d", "-i", self._identity(plugin), given=sealed)

    def _identity(self, plugin: InstalledPlugin) -> Path:
        path = plugin.path.with_name("identity")
        path.write_text(plugin.identity + "\n")
        path.chmod(0o600)
        return path


class Pyrage:
    def seal(self, plugin: InstalledPlugin, plain: bytes) -> bytes:
        recipient = pyrage.plugin.Recipient.from_str(plugin.recipient)
        return self._seal(plugin, plain, [recipient], [])

    def seal_for_the_owner(self, plugin: InstalledPlugin, plain: bytes) -> bytes:
        return self._seal(plugin, plain, [], [pyrage.plugin.Identity.from_str(plugin.identity)])

    def open(self, plugin: InstalledPlugin, sealed: bytes) -> bytes:
        identity = pyrage.plugin.Identity.from_str(plugin.identity)
        opened: bytes = pyrage.decrypt(
            sealed, [pyrage.plugin.IdentityPluginV1(plugin.name, [identity], TheirUi())]
        )
        return opened

    def _seal(
        self, plugin: InstalledPlugin, plain: bytes, recipients: list[Any], identities: list[Any]
    ) -> bytes:
        client = pyrage.plugin.RecipientPluginV1(plugin.name, recipients, identities, TheirUi())
        sealed: bytes = pyrage.encrypt(plain, [client])
        return sealed


class Ours:
    user = FakeUser(answer="123456", choice=True)

    def seal(self, plugin: InstalledPlugin, plain: bytes) -> bytes:
        return seal(AgeCipher(recipients=[parse_recipient(plugin.recipient, user=self.user)]), plain)

    def seal_for_the_owner(self, plugin: InstalledPlugin, plain: bytes) -> bytes:
        return seal(AgeCipher.of_identities([parse_identity(plugin.identity, user=self.user)]), plain)

    def open(self, plugin: InstalledPlugin, sealed: bytes) -> bytes:
        return unseal(AgeCipher(identities=[parse_identity(plugin.identity, user=self.user)]), sealed)


PEERS: dict[str, Debian | Pyrage] = {"age": Debian(), "pyrage": Pyrage()}
every_peer = pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)


@every_peer
@pytest.mark.parametrize("how", ["seal", "seal_for_the_owner"])
def test_what_is_sealed_through_a_plugin_opens_on_the_other_side(
    plugin: InstalledPlugin, peer: Debian | Pyrage, how: str
) -> None:
    for size_bytes in SIZES:
        plain = os.urandom(size_bytes)
        ours: Callable[[InstalledPlugin, bytes], bytes] = getattr(Ours(), how)
        theirs: Callable[[InstalledPlugin, bytes], bytes] = getattr(peer, how)
        assert peer.open(plugin, ours(plugin, plain)) == plain
        assert Ours().open(plugin, theirs(plugin, plain)) == plain


@every_peer
def test_the_plugin_hears_the_same_of_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peer: Debian | Pyrage
) -> None:
    plugin = install_plugin(monkeypatch, tmp_path / "bin")
    for client in (peer, Ours()):
        client.open(plugin, client.seal(plugin, b"hello"))
        client.seal_for_the_owner(plugin, b"hello")
    heard = [
        # Without their noise, without what is new each time, and without what older clients do not say.
        (run["machine"], [words[:3] for words in run["commands"] if is_defined(words[0])])
        for run in plugin.runs()
    ]
    for theirs, ours in zip(heard[:3], heard[3:], strict=True):
        assert theirs[0] == ours[0]
        # pyrage adds a stanza of noise to the header, which the plugin is shown as well.
        assert set(map(tuple, ours[1])) <= set(map(tuple, theirs[1]))
        assert ours[1][0] == theirs[1][0]


def is_defined(command_kind: str) -> bool:
    return command_kind in {"add-recipient", "add-identity", "wrap-file-key", "recipient-stanza"}


def test_recipients_of_plugins_beside_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugin, pair = install_plugin(monkeypatch, tmp_path / "bin"), key_pair("x25519")
    recipients = [parse_recipient(text) for text in (pair.recipient, plugin.recipient)]
    ours = seal(AgeCipher(recipients=recipients), b"hello")
    theirs = age("-r", plugin.recipient, "-r", pair.recipient, given=b"hello")
    everyone: list[Debian | Pyrage | Ours] = [*PEERS.values(), Ours()]
    for peer in everyone:
        assert peer.open(plugin, ours) == peer.open(plugin, theirs) == b"hello"
    assert unseal(pair.opening(), ours) == unseal(pair.opening(), theirs) == b"hello"
