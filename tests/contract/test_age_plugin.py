"""Recipients and identities of age plugins: what they seal they open, and how a plugin reaches the user."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.header import MAX_HEADER_BYTES
from s3duct.adapters.age.identities import parse_identities, parse_identity, read_identities
from s3duct.adapters.age.keys import refuse_a_mixture
from s3duct.adapters.age.plugin_identity import PluginIdentity
from s3duct.adapters.age.plugin_recipient import PluginRecipient
from s3duct.adapters.age.plugin_user import NOBODY, Nobody, printable
from s3duct.adapters.age.primitives import encode_base64
from s3duct.adapters.age.recipients import parse_recipient, parse_recipients, read_recipients
from s3duct.domain.errors import CiphertextDamaged, KeyUnavailable, UsageError, WrongKey
from tests.fakes.user import FakeUser
from tests.support.age_keys import KINDS, key_pair, seal, unseal
from tests.support.age_plugin import InstalledPlugin, command, install_plugin

if TYPE_CHECKING:
    from pathlib import Path

    from s3duct.domain.ports.user import User

FILE_KEY = bytes(range(16))


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> InstalledPlugin:
    return install_plugin(monkeypatch, tmp_path / "bin")


def sealing(plugin: InstalledPlugin, user: User = NOBODY) -> AgeCipher:
    return AgeCipher(recipients=[parse_recipient(plugin.recipient, user=user)])


def opening(plugin: InstalledPlugin, user: User = NOBODY) -> AgeCipher:
    return AgeCipher(identities=[parse_identity(plugin.identity, user=user)])


# --- sealing and opening -------------------------------------------------------------------------------------------


def test_a_plugin_wraps_and_unwraps(plugin: InstalledPlugin) -> None:
    plain = os.urandom(100_000)
    assert unseal(opening(plugin), seal(sealing(plugin), plain)) == plain
    machines = [run["machine"] for run in plugin.runs()]
    assert machines == ["recipient-v1", "identity-v1"]


def test_keys_of_plugins_are_read_from_files_beside_others(plugin: InstalledPlugin, tmp_path: Path) -> None:
    recipients, identities = tmp_path / "recipients", tmp_path / "identities"
    recipients.write_text(f"# mine\n{plugin.recipient}\n{key_pair('x25519').recipient}\n")
    identities.write_bytes(f"# mine\n{plugin.identity}\n".encode() + key_pair("x25519").file)
    sealed = seal(AgeCipher(recipients=read_recipients(str(recipients))), b"hello")
    for identity in read_identities(str(identities)):
        assert unseal(AgeCipher(identities=[identity]), sealed) == b"hello"
    assert isinstance(parse_recipients(recipients.read_bytes())[0], PluginRecipient)
    assert isinstance(parse_identities(identities.read_bytes())[0], PluginIdentity)


def test_an_identity_seals_where_only_the_plugin_knows_its_recipient(plugin: InstalledPlugin) -> None:
    cipher = AgeCipher.of_identities([parse_identity(plugin.identity)])
    assert unseal(cipher, seal(cipher, b"hello")) == b"hello"
    (sent, *_), *_ = [run["commands"] for run in plugin.runs()]
    assert sent == ["add-identity", plugin.identity]


def test_what_the_plugin_is_sent(plugin: InstalledPlugin) -> None:
    recipients = [parse_recipient(plugin.recipient), parse_recipient(key_pair("x25519").recipient)]
    unseal(opening(plugin), seal(AgeCipher(recipients=recipients), b""))
    wrapping, unwrapping = [run["commands"] for run in plugin.runs()]
    assert wrapping == [["add-recipient", plugin.recipient], ["wrap-file-key"], ["extension-labels"]]
    assert [sent[:3] for sent in unwrapping] == [
        ["add-identity", plugin.identity],
        ["recipient-stanza", "0", "testplug"],
        ["recipient-stanza", "0", "X25519"],
    ]


def test_the_plugin_is_run_once_a_file_however_many_stanzas(plugin: InstalledPlugin) -> None:
    plugin.settings(stanzas=5)
    sealed = seal(sealing(plugin), b"hello")
    assert sealed.count(b"\n-> testplug ") == 5
    assert unseal(opening(plugin), sealed) == b"hello"
    assert len(plugin.runs()) == 2


def test_another_key_of_the_plugin_does_not_open_it(plugin: InstalledPlugin) -> None:
    sealed = seal(sealing(plugin), b"hello")
    other = InstalledPlugin(plugin.path.parent, plugin.name)
    with pytest.raises(WrongKey, match="no age identity matches"):
        unseal(opening(other), sealed)
    for kind in KINDS:
        with pytest.raises(WrongKey):
            unseal(opening(plugin), seal(key_pair(kind).sealing(), b"hello"))


def test_a_file_key_that_is_not_the_files_is_damage(plugin: InstalledPlugin) -> None:
    sealed = seal(sealing(plugin), b"hello")
    plugin.settings(kind="none", says=[command("file-key", "0", body=FILE_KEY)])
    with pytest.raises(CiphertextDamaged, match="its MAC does not match"):
        unseal(opening(plugin), sealed)


# --- what is known of them -----------------------------------------------------------------------------------------


def test_making_a_cipher_and_planning_run_no_plugin(plugin: InstalledPlugin) -> None:
    cipher = AgeCipher.of_identities([parse_identity(plugin.identity)])
    assert cipher.sealed_size_bytes(1000) >= 1000
    assert cipher.key_id
    assert plugin.runs() == []


@pytest.mark.parametrize(("stanzas", "salt_bytes"), [(1, 1), (1, 7000), (60, 1), (8, 6000)])
def test_a_message_is_never_longer_than_was_planned(
    plugin: InstalledPlugin, stanzas: int, salt_bytes: int
) -> None:
    plugin.settings(stanzas=stanzas, salt_bytes=salt_bytes)
    for size_bytes in (0, 1, 65_536, 65_537):
        sealed = seal(sealing(plugin), bytes(size_bytes))
        planned = sealing(plugin).sealed_size_bytes(size_bytes)
        assert planned - MAX_HEADER_BYTES < len(sealed) <= planned
        assert unseal(opening(plugin), sealed) == bytes(size_bytes)


def test_more_than_a_header_holds_is_refused(plugin: InstalledPlugin) -> None:
    plugin.settings(stanzas=10, salt_bytes=7000)
    with pytest.raises(UsageError, match="more than a header holds"):
        sealing(plugin).sealer()


def test_what_the_manifest_says_holds_no_identity(plugin: InstalledPlugin) -> None:
    other = InstalledPlugin(plugin.path.parent, plugin.name)
    mine, theirs = (AgeCipher.of_identities([parse_identity(each.identity)]) for each in (plugin, other))
    assert mine.recipient == theirs.recipient == "age-plugin-testplug"
    assert mine.key_id != theirs.key_id
    both = AgeCipher.of_identities([parse_identity(each.identity) for each in (plugin, other)])
    assert len({mine.key_id, theirs.key_id, both.key_id, sealing(plugin).key_id}) == 4
    assert sealing(plugin).recipient == plugin.recipient
    unseal(mine, seal(both, b""))
    assert len(plugin.runs()) == 3  # two recipients were wrapped for


def test_for_whom_a_plugin_wraps_is_not_known_from_a_manifest(plugin: InstalledPlugin) -> None:
    classic, hybrid = key_pair("x25519"), key_pair("hybrid")
    for recipient in (classic.recipient, hybrid.recipient, plugin.recipient, "age-plugin-other"):
        assert opening(plugin).may_open(recipient)
    for recipient in (plugin.recipient, "age-plugin-testplug", f"{hybrid.recipient},{plugin.recipient}"):
        assert classic.opening().may_open(recipient)
    assert not classic.opening().may_open(hybrid.recipient)
    assert not classic.opening().may_open(key_pair("x25519", 1).recipient)


# --- labels --------------------------------------------------------------------------------------------------------


def test_only_recipients_of_the_same_labels_are_mixed(
    plugin: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = install_plugin(monkeypatch, plugin.path.parent, "second")
    both = AgeCipher(recipients=[parse_recipient(each.recipient) for each in (plugin, second)])
    for labels, others in ([], []), (["a", "b"], ["b", "a"]), (["postquantum"], ["postquantum"]):
        plugin.settings(labels=labels)
        second.settings(labels=others)
        assert seal(both, b"")
    for labels, others in (["a"], []), (["a", "b"], ["b"]), (["postquantum", "a"], ["postquantum"]):
        plugin.settings(labels=labels)
        second.settings(labels=others)
        with pytest.raises(UsageError, match="declare different labels"):
            both.sealer()


def test_a_post_quantum_plugin_stands_beside_post_quantum_recipients_alone(plugin: InstalledPlugin) -> None:
    recipient = parse_recipient(plugin.recipient)
    hybrid, classic = key_pair("hybrid").identity.recipient, key_pair("x25519").identity.recipient
    refuse_a_mixture([recipient, hybrid])  # only the plugin knows
    plugin.settings(labels=["postquantum"])
    assert unseal(key_pair("hybrid").opening(), seal(AgeCipher(recipients=[hybrid, recipient]), b"x")) == b"x"
    with pytest.raises(UsageError, match="post-quantum and classic age recipients cannot be mixed"):
        AgeCipher(recipients=[classic, recipient]).sealer()
    plugin.settings(labels=[])
    with pytest.raises(UsageError, match="post-quantum and classic age recipients cannot be mixed"):
        AgeCipher(recipients=[hybrid, recipient]).sealer()


# --- several identities --------------------------------------------------------------------------------------------


def test_another_identity_opens_where_a_plugin_fails(plugin: InstalledPlugin) -> None:
    sealed = seal(key_pair("x25519").sealing(), b"hello")
    plugin.settings(says=[command("error", "internal", body=b"the key is not plugged in")])
    identities = [parse_identity(plugin.identity), key_pair("x25519").identity]
    assert unseal(AgeCipher(identities=identities), sealed) == b"hello"
    with pytest.raises(KeyUnavailable, match="the key is not plugged in"):
        unseal(AgeCipher(identities=[identities[0], key_pair("x25519", 1).identity]), sealed)


# --- the user ------------------------------------------------------------------------------------------------------


def test_messages_are_shown_with_the_name_of_the_plugin(plugin: InstalledPlugin) -> None:
    plugin.settings(says=[command("msg", body=b"please touch\nyour key \x1b[2J\xff\xe2\x80\xae")])
    user = FakeUser()
    seal(sealing(plugin, user), b"")
    assert user.said == ["age-plugin-testplug: please touch your key [2J�"]
    assert plugin.answers() == [(["ok"], "")]


@pytest.mark.parametrize("secret", [True, False])
def test_a_value_is_asked_for(plugin: InstalledPlugin, secret: bool) -> None:
    kind = "request-secret" if secret else "request-public"
    plugin.settings(says=[command(kind, body=b"the PIN of key 7")])
    user = FakeUser(answer="päss wörd" * 20)
    sealed = seal(sealing(plugin), b"hello")
    assert unseal(opening(plugin, user), sealed) == b"hello"
    assert user.asked == [("age-plugin-testplug: the PIN of key 7", secret)]
    assert plugin.answers() == [(["fail"], ""), (["ok"], "päss wörd" * 20)]


@pytest.mark.parametrize(
    ("choice", "answer"), [(True, ["ok", "yes"]), (False, ["ok", "no"]), (None, ["fail"])]
)
def test_a_confirmation_is_asked_for(plugin: InstalledPlugin, choice: bool | None, answer: list[str]) -> None:
    yes, no = encode_base64(b"plugged\nin"), encode_base64(b"skip")
    plugin.settings(
        says=[command("confirm", yes, no, body=b"plug it in"), command("confirm", yes, body=b"really")]
    )
    user = FakeUser(choice=choice)
    seal(sealing(plugin, user), b"")
    assert user.confirmed == [
        ("age-plugin-testplug: plug it in", "plugged in", "skip"),
        ("age-plugin-testplug: really", "plugged in", None),
    ]
    assert plugin.answers() == [(answer, "")] * 2


def test_without_a_user_every_request_fails_and_the_plugin_may_go_on(plugin: InstalledPlugin) -> None:
    requests = [("msg",), ("request-public",), ("request-secret",), ("confirm", encode_base64(b"yes"))]
    plugin.settings(says=[command(*request, body=b"?") for request in requests])
    assert unseal(opening(plugin), seal(sealing(plugin, Nobody()), b"hello")) == b"hello"
    assert plugin.answers() == [(["fail"], "")] * 8


def test_unknown_commands_are_answered_and_ignored(plugin: InstalledPlugin) -> None:
    plugin.settings(says=[command("grease-7f", "1", "x", body=bytes(100)), command("later")])
    assert unseal(opening(plugin), seal(sealing(plugin), b"hello")) == b"hello"
    assert plugin.answers() == [(["unsupported"], "")] * 4


def test_one_plugin_speaks_at_a_time(plugin: InstalledPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    second = install_plugin(monkeypatch, plugin.path.parent, "second", says=[command("msg", body=b"touch")])
    heard, overlapped = threading.Event(), list[bool]()
    their_user = FakeUser(on_say=lambda _: heard.set())
    with ThreadPoolExecutor() as pool:

        def begin_the_second(text: str) -> None:
            running.append(pool.submit(seal, sealing(second, their_user), b""))
            overlapped.append(heard.wait(0.5))

        running = list[Future[bytes]]()
        plugin.settings(says=[command("msg", body=b"touch")])
        seal(sealing(plugin, FakeUser(on_say=begin_the_second)), b"")
        running[0].result()
    assert overlapped == [False]
    assert heard.is_set()


def test_text_for_a_terminal_is_one_bounded_line() -> None:
    assert printable(b"\x00\x1b]0;x\x07 a\r\n\tb \xc2\x9b\xe2\x80\xa8 c") == "]0;x a b c"
    assert printable(b"x" * 10_000) == "x" * 399 + "…"
    assert printable("größe".encode()) == "größe"
    assert (
        printable(b"my pin is 123456, PIN 123456", without=["123456"]) == "my pin is (secret), PIN (secret)"
    )
    assert printable(b"age-plugin-x-1qq", without=["AGE-PLUGIN-X-1QQ"]) == "(secret)"
