"""Age plugins that are missing, fail, or do not keep to the protocol: one line says so, and no secret is in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.age import bech32
from s3duct.adapters.age.cipher import AgeCipher
from s3duct.adapters.age.identities import parse_identity
from s3duct.adapters.age.plugin_dialogue import follow
from s3duct.adapters.age.plugin_process import MAX_ANSWER_BYTES, MAX_LINE_BYTES, Plugin
from s3duct.adapters.age.plugin_recipient import MAX_STANZAS
from s3duct.adapters.age.primitives import encode_base64
from s3duct.adapters.age.recipients import parse_recipient
from s3duct.domain.errors import ExitCode, KeySpecError, KeyUnavailable
from tests.fakes.user import FakeUser
from tests.support.age_keys import seal, unseal
from tests.support.age_plugin import InstalledPlugin, command, install_plugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_KEY = bytes(range(16))
PIN = "SesameOpen"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> InstalledPlugin:
    return install_plugin(monkeypatch, tmp_path / "bin")


@pytest.fixture
def sealed(plugin: InstalledPlugin) -> bytes:
    return seal(AgeCipher(recipients=[parse_recipient(plugin.recipient)]), b"hello")


def failures(plugin: InstalledPlugin, sealed: bytes, **settings: object) -> list[str]:
    """What is said when it wraps for a recipient, for an identity, and unwraps."""
    plugin.settings(**settings)
    identity = parse_identity(plugin.identity, user=FakeUser(answer=PIN))
    attempts: list[Callable[[], object]] = [
        AgeCipher(recipients=[parse_recipient(plugin.recipient)]).sealer,
        AgeCipher.of_identities([identity]).sealer,
        lambda: unseal(AgeCipher(identities=[identity]), sealed),
    ]
    said = []
    for attempt in attempts:
        with pytest.raises(KeyUnavailable) as caught:
            attempt()
        error = caught.value
        assert error.exit_code is ExitCode.WRONG_KEY
        assert not error.retryable
        text = error.message + error.hint
        assert text.isprintable()
        assert len(text) < 600
        said.append(error.message)
    return said


def same(plugin: InstalledPlugin, sealed: bytes, **settings: object) -> str:
    said = failures(plugin, sealed, **settings)
    assert len(set(said)) == 1
    return said[0]


# --- names and places ----------------------------------------------------------------------------------------------


def test_a_plugin_that_is_missing_is_named(plugin: InstalledPlugin) -> None:
    plugin.path.unlink()
    for parse, text in ((parse_recipient, plugin.recipient), (parse_identity, plugin.identity)):
        with pytest.raises(
            KeySpecError, match="needs the age plugin age-plugin-testplug, which is not on"
        ) as caught:
            parse(text, what="it")
        assert "age-plugin-testplug" in caught.value.hint
        assert plugin.identity not in caught.value.message


def test_what_is_on_the_path_and_cannot_be_run_is_missing(plugin: InstalledPlugin) -> None:
    plugin.path.chmod(0o644)
    with pytest.raises(KeySpecError, match="not on PATH"):
        parse_recipient(plugin.recipient)


def test_the_working_directory_does_not_choose_the_plugin(
    plugin: InstalledPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plugin.path.parent)
    for path in (".", "", "../bin"):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(KeySpecError, match="not on PATH"):
            parse_recipient(plugin.recipient)


@pytest.mark.parametrize(
    "name", ["", "../evil", "a/b", "/bin/sh", "..", ".", "a..b", ".a", "a.", "a$b", "a;b", "a\\b", "~", "a=b"]
)
def test_names_that_are_no_names_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for text in (
        bech32.encode(f"age1{name}", bytes(32)),
        bech32.encode(f"age-plugin-{name}-", bytes(32)).upper(),
    ):
        parse = parse_recipient if text.startswith("age1") else parse_identity
        with pytest.raises(KeySpecError) as caught:
            parse(text)
        assert "not on PATH" not in caught.value.message
    with pytest.raises(KeySpecError, match="holds a character"):
        Plugin(name)


@pytest.mark.parametrize("name", ["yubikey", "se", "fido2-hmac", "a.b", "x_1", "c++"])
def test_names_that_the_specification_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plugin = install_plugin(monkeypatch, tmp_path, name)
    identity = parse_identity(plugin.identity)
    assert identity.unwrap_any(parse_recipient(plugin.recipient).wrap(FILE_KEY).stanzas) == FILE_KEY
    (stanza,) = identity.recipient.wrap(FILE_KEY).stanzas
    assert identity.unwrap(stanza) == FILE_KEY


def test_damaged_keys_are_not_repeated(plugin: InstalledPlugin) -> None:
    for damaged in (
        plugin.identity[:-1],
        plugin.identity.lower(),
        plugin.identity + "Q",
        plugin.identity.title(),
    ):
        with pytest.raises(KeySpecError) as caught:
            parse_identity(damaged)
        assert plugin.identity[24:50].lower() not in (caught.value.message + caught.value.hint).lower()
    with pytest.raises(KeySpecError, match="not usable: the checksum"):
        parse_recipient(plugin.recipient[:-1] + ("q" if plugin.recipient[-1] != "q" else "p"))


# --- what it can reach ---------------------------------------------------------------------------------------------


def test_it_gets_pipes_of_its_own_and_nothing_else(plugin: InstalledPlugin, sealed: bytes) -> None:
    ours = os.pipe()
    for end in ours:
        os.set_inheritable(end, True)
    try:
        unseal(AgeCipher(identities=[parse_identity(plugin.identity)]), sealed)
    finally:
        for end in ours:
            os.close(end)
    for run in plugin.runs():
        assert run["descriptors"][:3] == [0, 1, 2]
        assert len(run["descriptors"]) <= 4  # the fourth is the one that lists them
        assert run["folder"] != os.getcwd()  # noqa: PTH109


def test_its_errors_go_where_ours_go(
    plugin: InstalledPlugin, sealed: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    same(plugin, sealed, status=7)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("it has no key") == 3


# --- failing -------------------------------------------------------------------------------------------------------


def test_a_plugin_that_cannot_be_started(plugin: InstalledPlugin, sealed: bytes) -> None:
    plugin.path.write_text("#!/nonexistent/interpreter\n")
    assert "cannot be started: " in same(plugin, sealed)
    mode = stat.S_IMODE(plugin.path.stat().st_mode)
    plugin.install()
    assert mode & stat.S_IXUSR


def test_a_plugin_that_ends_early_says_with_which_status(plugin: InstalledPlugin, sealed: bytes) -> None:
    for settings in ({"status": 7}, {"ends": "before"}, {"ends": "after"}):
        status = settings.get("status", 3)
        expected = f"the age plugin age-plugin-testplug ended early, with exit status {status}"
        assert same(plugin, sealed, **settings) == expected


def test_a_plugin_that_is_killed(plugin: InstalledPlugin, sealed: bytes) -> None:
    plugin.path.write_text("#!/bin/sh\nkill -KILL $$\n")
    assert same(plugin, sealed) == "the age plugin age-plugin-testplug was ended by signal 9"


def test_a_plugin_that_only_closes_the_connection(plugin: InstalledPlugin) -> None:
    plugin.path.write_text("#!/bin/sh\nexec <&- >&-\nexec sleep 600\n")
    with pytest.raises(KeyUnavailable, match="closed the connection early"):
        AgeCipher(recipients=[parse_recipient(plugin.recipient)]).sealer()


def test_a_plugin_that_does_not_end_is_ended(plugin: InstalledPlugin) -> None:
    plugin.settings(ends="never")
    assert seal(AgeCipher(recipients=[parse_recipient(plugin.recipient)]), b"")
    (run,) = plugin.runs()
    with pytest.raises(ProcessLookupError):
        os.kill(run["process"], 0)


def test_its_own_error_is_shown(plugin: InstalledPlugin, sealed: bytes) -> None:
    message = b"the key is\n not plugged in \x1b[31m!"
    for arguments in (["internal"], ["recipient", "0"], ["identity", "0"], ["stanza", "0", "0"], []):
        said = same(plugin, sealed, says=[command("error", *arguments, body=message)])
        assert said == "the age plugin age-plugin-testplug failed: the key is not plugged in [31m!"
    # One that is ended at once may not have noted the answer yet.
    assert "does not say why" in same(plugin, sealed, says=[command("error", "internal")], ends="unhurried")
    assert (["ok"], "") in plugin.answers()


def test_its_error_is_bounded(plugin: InstalledPlugin, sealed: bytes) -> None:
    assert same(plugin, sealed, says=[command("error", body=b"x" * 100_000)]).endswith("x…")


def test_secrets_in_its_error_are_left_out(plugin: InstalledPlugin, sealed: bytes) -> None:
    echo = f"bad {plugin.identity} {plugin.identity.lower()} {PIN}".encode()
    _, *said = failures(plugin, sealed, says=[command("request-secret"), command("error", body=echo)])
    assert {text.partition("failed: ")[2] for text in said} == {"bad (secret) (secret) (secret)"}


# --- speaking nonsense ---------------------------------------------------------------------------------------------

NONSENSE = [
    "hello\n",
    "\n",
    "->\n\n",
    "-> \n\n",
    "-> two  spaces\n\n",
    "-> umlaut \u00e4\n\n",
    "-> tab \tx\n\n",
    "-> msg\r\n\r\n",
    "-> msg\n!!!!\n",
    "-> msg\nQQ==\n",
    "-> msg\nQR\n",
    "-> msg\n" + "A" * 65 + "\n",
    "\x00" * 100 + "\n",
]


@pytest.mark.parametrize("raw", NONSENSE)
def test_nonsense_is_called_so(plugin: InstalledPlugin, sealed: bytes, raw: str) -> None:
    assert "does not speak the plugin protocol" in same(plugin, sealed, says=[raw])


@pytest.mark.parametrize(
    "raw",
    [
        "-> msg " + "x" * MAX_LINE_BYTES + "\n\n",
        "x" * 3 * MAX_LINE_BYTES,
        "-> msg\n" + ("A" * 64 + "\n") * (MAX_ANSWER_BYTES // 64) + "\n",
    ],
    ids=["line", "no line", "body"],
)
def test_what_it_says_is_bounded(plugin: InstalledPlugin, sealed: bytes, raw: str) -> None:
    assert "says more than it may" in same(plugin, sealed, says=[raw])


def test_all_that_it_says_is_bounded(plugin: InstalledPlugin, sealed: bytes) -> None:
    assert "says more than it may" in same(plugin, sealed, says=[command("msg", body=bytes(6000))] * 40)


@pytest.mark.parametrize(
    "arguments", [(), ("!",), (encode_base64(b"yes"), "="), (encode_base64(b"yes"),) * 3], ids=len
)
def test_a_confirmation_without_choices_is_none(
    plugin: InstalledPlugin, sealed: bytes, arguments: tuple[str, ...]
) -> None:
    assert "without choices" in same(plugin, sealed, says=[command("confirm", *arguments)])


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ([command("recipient-stanza")], "not of the file in question"),
        ([command("recipient-stanza", "0")], "not of the file in question"),
        ([command("recipient-stanza", "1", "x")], "not of the file in question"),
        ([command("recipient-stanza", "00", "x")], "not of the file in question"),
        ([command("recipient-stanza", "0", "scrypt", "x")], "a stanza for a passphrase"),
        ([command("recipient-stanza", "0", "x")] * (MAX_STANZAS + 1), f"more than {MAX_STANZAS} stanzas"),
        ([command("labels"), command("labels")], "its labels twice"),
    ],
)
def test_answers_that_are_none_when_it_wraps(plugin: InstalledPlugin, says: list[str], reason: str) -> None:
    plugin.settings(says=says)
    with pytest.raises(KeyUnavailable, match=f"gave an answer that is none: .*{reason}"):
        AgeCipher(recipients=[parse_recipient(plugin.recipient)]).sealer()


def test_wrapping_nothing_is_a_failure(plugin: InstalledPlugin) -> None:
    plugin.settings(stanzas=0)
    with pytest.raises(KeyUnavailable, match="wrapped nothing"):
        AgeCipher(recipients=[parse_recipient(plugin.recipient)]).sealer()


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ([command("file-key", body=FILE_KEY)], "not of the file in question"),
        ([command("file-key", "1", body=FILE_KEY)], "not of the file in question"),
        ([command("file-key", "0", "0", body=FILE_KEY)], "not of the file in question"),
        ([command("file-key", "0")], "of another length"),
        ([command("file-key", "0", body=FILE_KEY + b"x")], "of another length"),
        ([command("file-key", "0", body=FILE_KEY)] * 2, "two file keys"),
    ],
)
def test_answers_that_are_none_when_it_unwraps(
    plugin: InstalledPlugin, sealed: bytes, says: list[str], reason: str
) -> None:
    plugin.settings(says=says, kind="none")
    with pytest.raises(KeyUnavailable, match=f"gave an answer that is none: .*{reason}"):
        unseal(AgeCipher(identities=[parse_identity(plugin.identity)]), sealed)


def test_one_that_failed_leaves_the_way_free_for_the_next(plugin: InstalledPlugin, sealed: bytes) -> None:
    same(plugin, sealed, says=["nonsense\n"])

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt(text)

    plugin.settings(says=[command("msg", body=b"touch")])
    with Plugin(plugin.name).run("identity-v1") as process:
        process.send("done")
        with pytest.raises(KeyboardInterrupt):
            follow(process, FakeUser(on_say=interrupt), {})
    plugin.settings()
    assert unseal(AgeCipher(identities=[parse_identity(plugin.identity)]), sealed) == b"hello"
