"""Each source of the AWS chain, run for real on this machine; then a real store that lives through renewals."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.exceptions import UnauthenticatedError
from obstore.store import S3Store

from s3duct.adapters import aws_credentials
from s3duct.adapters.aws_credentials import AwsCredentialProvider, AwsSession
from s3duct.domain.errors import CredentialsError, CredentialsUnavailable
from tests.contract.aws_services import SSO_TOKEN, CredentialProcess, CredentialService, free_port, rclone_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "wJalrXUtnFEMI-do-not-print"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own with an empty `.aws`, no AWS variable, no proxy, and no metadata service."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "S3DUCT_", "BOTO")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # botocore's own retries only cost time here
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def service() -> Iterator[CredentialService]:
    with CredentialService() as running:
        yield running


def config(home: Path, text: str) -> None:
    (home / ".aws" / "config").write_text(textwrap.dedent(text))


def shared_credentials(home: Path, **profiles: str) -> None:
    sections = [
        f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}"
        for name, key in profiles.items()
    ]
    (home / ".aws" / "credentials").write_text("\n".join(sections))


def set_keys(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def key_of(profile: str | None = None) -> str:
    return AwsSession(profile).credential_provider()()["access_key_id"]


def failure_of(provider: AwsCredentialProvider) -> CredentialsError | CredentialsUnavailable:
    with pytest.raises((CredentialsError, CredentialsUnavailable)) as caught:
        provider()
    assert provider.last_error is caught.value
    assert "\n" not in caught.value.message
    assert not caught.value.message.endswith(".")
    return caught.value


def python(code: str, *, stdin: bytes = b"", terminal: bool = True) -> str:
    """Run that code in an interpreter of its own: modules not imported yet, stdin a pipe. Return its stdout."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input=stdin,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        timeout=60,
        start_new_session=not terminal,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


# --- static keys -----------------------------------------------------------------------------------------------


def test_environment_keys_are_used_as_they_are_and_never_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "ENV")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    assert AwsSession().credential_provider()() == {
        "access_key_id": "ENV",
        "secret_access_key": SECRET,
        "token": "session",
        "expires_at": None,
    }


def test_environment_keys_may_carry_an_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "ENV")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2126-01-02T03:04:05Z")
    provider = AwsSession().credential_provider()
    assert provider()["expires_at"] == datetime(2126, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_environment_keys_that_have_expired_are_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "ENV")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    assert "have expired" in failure_of(AwsSession().credential_provider()).message


def test_shared_credentials_file_and_its_profiles(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_credentials(home, default="DEFAULT", other="OTHER")
    assert key_of() == "DEFAULT"
    assert key_of("other") == "OTHER"
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert key_of() == "OTHER"
    assert key_of("default") == "DEFAULT"


def test_config_file_profile(home: Path) -> None:
    config(home, f"[profile conf]\naws_access_key_id = CONF\naws_secret_access_key = {SECRET}\n")
    assert key_of("conf") == "CONF"


def test_environment_keys_win_over_files_and_aws_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_credentials(home, default="DEFAULT", other="OTHER")
    set_keys(monkeypatch, "ENV")
    assert key_of() == "ENV"
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert key_of() == "ENV"


def test_a_profile_that_is_asked_for_wins_over_environment_keys(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_credentials(home, other="OTHER")
    set_keys(monkeypatch, "ENV")
    assert key_of("other") == "OTHER"


# --- credential_process ----------------------------------------------------------------------------------------


def test_credential_process_runs_once_while_its_keys_live(home: Path) -> None:
    process = CredentialProcess(home)
    config(home, f"[default]\ncredential_process = {process.command}")
    provider = AwsSession().credential_provider()
    first, second = provider(), provider()
    assert first == second
    assert list(process.issued) == ["PROCESS1"]
    assert first["expires_at"] == datetime.fromisoformat(process.issued["PROCESS1"])


def test_credential_process_runs_again_near_the_expiry(home: Path) -> None:
    process = CredentialProcess(home, lifetime_s=120)
    config(home, f"[default]\ncredential_process = {process.command}")
    provider = AwsSession().credential_provider()
    credentials = [provider() for _ in range(3)]
    assert [c["access_key_id"] for c in credentials] == ["PROCESS2", "PROCESS3", "PROCESS4"]
    for c in credentials:
        assert c["expires_at"] == datetime.fromisoformat(process.issued[c["access_key_id"]])


def test_credential_process_without_expiration_is_static(home: Path) -> None:
    process = CredentialProcess(home, lifetime_s=None)
    config(home, f"[default]\ncredential_process = {process.command}")
    credential = AwsSession().credential_provider()()
    assert credential["expires_at"] is None
    assert credential["token"] is None


@pytest.mark.parametrize("exit_code", [0, 1], ids=["talks nonsense", "fails"])
def test_output_of_a_failing_credential_process_is_shown_nowhere(
    home: Path, exit_code: int, caplog: pytest.LogCaptureFixture
) -> None:
    process = CredentialProcess(home, lifetime_s=120)
    config(home, f"[default]\ncredential_process = {process.command}")
    provider = AwsSession().credential_provider()
    provider()
    process.fail(f"vault said {SECRET}", exit_code=exit_code)
    for stage in (provider, AwsSession().credential_provider()):  # a renewal, then a first load
        error = failure_of(stage)
        assert isinstance(error, CredentialsError)
        assert SECRET not in "".join(traceback.format_exception(error)) + error.hint
    assert "Refreshing temporary credentials failed" in caplog.text
    assert SECRET not in caplog.text


def test_credential_process_that_is_not_installed(home: Path) -> None:
    config(home, "[default]\ncredential_process = /no/such/program --now")
    assert "/no/such/program" in failure_of(AwsSession().credential_provider()).message


@pytest.mark.parametrize("profile", ["direct", "role"])
def test_credential_process_leaves_stdin_to_the_data(
    home: Path, service: CredentialService, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    process = CredentialProcess(home)  # it reads stdin to the end
    config(
        home,
        f"""\
        [profile direct]
        credential_process = {process.command}
        [profile role]
        role_arn = arn:aws:iam::123456789012:role/r
        source_profile = direct
        region = eu-central-1
        """,
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    code = f"""
        import sys
        from s3duct.adapters.aws_credentials import AwsSession
        AwsSession({profile!r}).credential_provider()()
        print(len(sys.stdin.buffer.read()))
    """
    assert python(code, stdin=b"d" * 1000) == "1000"
    assert list(process.issued) == ["PROCESS1"]


# --- services --------------------------------------------------------------------------------------------------


def container(monkeypatch: pytest.MonkeyPatch, service: CredentialService) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer pod")


def instance(monkeypatch: pytest.MonkeyPatch, service: CredentialService) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)


def assume_role(home: Path, monkeypatch: pytest.MonkeyPatch, service: CredentialService) -> None:
    shared_credentials(home, base="BASE")
    config(home, "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


def web_identity(home: Path, monkeypatch: pytest.MonkeyPatch, service: CredentialService) -> None:
    (home / "token").write_text("a.web.token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(home / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


@pytest.mark.parametrize("source", ["container", "assume role", "web identity"])
def test_credentials_of_a_service_carry_its_expiry_and_are_renewed(
    home: Path, service: CredentialService, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    match source:
        case "container":
            container(monkeypatch, service)
        case "assume role":
            assume_role(home, monkeypatch, service)
        case "web identity":
            web_identity(home, monkeypatch, service)
    service.lifetime_s = 300
    provider = AwsSession().credential_provider()
    first, second = provider(), provider()
    for credential in (first, second):
        key = credential["access_key_id"]
        assert credential["secret_access_key"] == f"secret-of-{key}"
        assert credential["token"] == f"token-of-{key}"
        assert credential["expires_at"] == service.issued[key]
    assert first["access_key_id"] != second["access_key_id"]


def test_credentials_of_an_instance_role(service: CredentialService, monkeypatch: pytest.MonkeyPatch) -> None:
    instance(monkeypatch, service)
    service.lifetime_s = 6 * 3600
    credential = AwsSession().credential_provider()()
    assert credential["token"] == "token-of-ISSUED1"
    assert credential["expires_at"] == service.issued["ISSUED1"] - timedelta(minutes=10)
    assert service.calls[0] == "PUT /latest/api/token"  # version 2


def test_old_credentials_of_an_instance_role_are_asked_for_again_soon(
    service: CredentialService, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance(monkeypatch, service)
    service.lifetime_s = 600
    expires_at = AwsSession().credential_provider()()["expires_at"]
    assert expires_at is not None
    in_min = (expires_at - datetime.now(UTC)) / timedelta(minutes=1)
    assert 6 < in_min <= 15  # obstore asks 5 minutes before; botocore's own stamp says 17 to 25


def all_keys_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    for window in ("_advisory_refresh_timeout", "_mandatory_refresh_timeout"):
        monkeypatch.setattr(f"botocore.credentials.RefreshableCredentials.{window}", 10 * 3600)


def test_credentials_of_an_instance_role_are_renewed(
    service: CredentialService, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance(monkeypatch, service)
    provider = AwsSession().credential_provider()
    assert provider()["access_key_id"] == "ISSUED1"
    all_keys_are_due(monkeypatch)
    assert provider()["access_key_id"] == "ISSUED2"


def test_credentials_of_a_service_are_asked_for_once_while_they_live(
    service: CredentialService, monkeypatch: pytest.MonkeyPatch
) -> None:
    container(monkeypatch, service)
    provider = AwsSession().credential_provider()
    assert [provider()["access_key_id"] for _ in range(3)] == ["ISSUED1"] * 3


SSO_CODE = """
    import json
    from s3duct.adapters.aws_credentials import AwsSession
    from s3duct.domain.errors import CredentialsError
    try:
        print(json.dumps(AwsSession("corp").credential_provider()(), default=str))
    except CredentialsError as error:
        print(f"{error} | {error.hint}")
"""


@pytest.mark.parametrize("style", ["sso_session", "legacy"])
def test_sso_with_a_cached_login(
    home: Path, service: CredentialService, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    start, cached = sso_profile(home, style)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", service.url)

    # botocore fixes the cache's folder when it is imported, hence the new process.
    assert "aws sso login --profile corp" in python(SSO_CODE)

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    token = {"startUrl": start, "region": "eu-central-1", "accessToken": SSO_TOKEN, "expiresAt": tomorrow}
    cached.write_text(json.dumps(token))
    credential = json.loads(python(SSO_CODE))
    assert credential["access_key_id"] == "ISSUED1"
    assert datetime.fromisoformat(credential["expires_at"]) == service.issued["ISSUED1"]

    cached.write_text(json.dumps(token | {"accessToken": "revoked"}))
    assert "aws sso login --profile corp" in python(SSO_CODE)
    cached.write_text(json.dumps(token | {"expiresAt": "2020-01-01T00:00:00Z"}))
    assert "aws sso login --profile corp" in python(SSO_CODE)


def sso_profile(home: Path, style: str) -> tuple[str, Path]:
    start = "https://corp.awsapps.com/start"
    place = f"sso_start_url = {start}\nsso_region = eu-central-1\n"
    role = "sso_account_id = 123456789012\nsso_role_name = backup\n"
    if style == "sso_session":
        config(home, f"[profile corp]\n{role}sso_session = work\n[sso-session work]\n{place}")
    else:
        config(home, f"[profile corp]\n{role}{place}")
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    name = "work" if style == "sso_session" else start
    return start, cache / f"{sha1(name.encode(), usedforsecurity=False).hexdigest()}.json"


def test_many_threads_never_get_an_expiry_later_than_the_real_one(
    service: CredentialService, monkeypatch: pytest.MonkeyPatch
) -> None:
    container(monkeypatch, service)
    service.lifetime_s = 60
    provider = AwsSession().credential_provider()
    with ThreadPoolExecutor(8) as pool:
        credentials = list(pool.map(lambda _: provider(), range(200)))
    assert len({c["access_key_id"] for c in credentials}) > 1
    for c in credentials:
        assert c["expires_at"] is not None
        assert c["expires_at"] <= service.issued[c["access_key_id"]]


def test_botocore_still_keeps_the_expiry_and_the_keys_where_they_are_read() -> None:
    from botocore.credentials import RefreshableCredentials

    expiry = datetime.now(UTC) + timedelta(hours=1)
    credentials = RefreshableCredentials("a", "b", "c", expiry, refresh_using=dict, method="test")
    assert credentials._expiry_time is expiry
    assert credentials._frozen_credentials is credentials.get_frozen_credentials()
    assert aws_credentials._expiry(credentials) == expiry
    del credentials._expiry_time  # should botocore rename it: ask each time rather than never again
    asked_anew = aws_credentials._expiry(credentials)
    assert asked_anew is not None
    assert asked_anew < datetime.now(UTC)


# --- failures --------------------------------------------------------------------------------------------------


def test_no_credentials_at_all() -> None:
    error = failure_of(AwsSession().credential_provider())
    assert error.message == "no AWS credentials found"
    assert "AWS_ACCESS_KEY_ID" in error.hint
    assert not error.retryable


def test_half_a_key_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    assert "AWS_SECRET_ACCESS_KEY is missing" in failure_of(AwsSession().credential_provider()).message


def test_unknown_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    session = AwsSession("nobody")
    assert "'nobody'" in failure_of(session.credential_provider()).message
    for ask in (session.region, session.endpoint_url, session.botocore_session):
        with pytest.raises(CredentialsError, match="'nobody'"):
            ask()
    monkeypatch.setenv("AWS_PROFILE", "noone")
    assert "'noone'" in failure_of(AwsSession().credential_provider()).message


@pytest.mark.parametrize(
    "text",
    [
        f"[default]\n{SECRET}\n",
        f"[default]\nrole_arn = r\nsource_profile = gone\naws_secret_access_key = {SECRET}\n",
        "[default]\nservices = gone\n",
    ],
    ids=["not ini", "source profile gone", "services gone"],
)
def test_broken_config_file(home: Path, text: str) -> None:
    config(home, text)
    session = AwsSession()
    ask: Callable[[], object] = session.endpoint_url if "services" in text else session.credential_provider()
    with pytest.raises(CredentialsError, match="the AWS configuration is wrong") as caught:
        ask()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_mfa_without_a_terminal_fails_and_leaves_stdin_to_the_data(
    home: Path, monkeypatch: pytest.MonkeyPatch, service: CredentialService
) -> None:
    assume_role(home, monkeypatch, service)
    with (home / ".aws" / "config").open("a") as file:
        file.write("mfa_serial = arn:aws:iam::123456789012:mfa/me\n")
    code = """
        import sys
        from s3duct.adapters.aws_credentials import AwsSession
        from s3duct.domain.errors import CredentialsError
        try:
            AwsSession().credential_provider()()
        except CredentialsError as error:
            print(error, len(sys.stdin.buffer.read()))
    """
    said = python(code, stdin=b"123456\n", terminal=False)
    assert said == "the role asks for an MFA code and there is no terminal 7"
    assert service.calls == []


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (403, "AccessDenied", False),
        (403, "SignatureDoesNotMatch", False),
        (400, "ExpiredTokenException", False),
        (400, "Throttling", True),
        (400, "IDPCommunicationError", True),
        (503, "ServiceUnavailable", True),
    ],
)
def test_refusals_of_sts(
    home: Path,
    service: CredentialService,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    retryable: bool,
) -> None:
    assume_role(home, monkeypatch, service)
    message = f"<Message>x-amz-security-token:{SECRET}</Message>"
    service.fail_with = status, f"<ErrorResponse><Error><Code>{code}</Code>{message}</Error></ErrorResponse>"
    error = failure_of(AwsSession().credential_provider())
    assert error.retryable is retryable
    assert code in error.message
    assert SECRET not in "".join(traceback.format_exception(error))


def test_sts_that_nobody_answers_for(
    home: Path, service: CredentialService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assume_role(home, monkeypatch, service)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{free_port()}")
    assert isinstance(failure_of(AwsSession().credential_provider()), CredentialsUnavailable)


@pytest.mark.parametrize(("status", "retryable"), [(403, False), (500, True)])
def test_container_service_that_refuses_or_fails(
    service: CredentialService, monkeypatch: pytest.MonkeyPatch, status: int, retryable: bool
) -> None:
    container(monkeypatch, service)
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    service.fail_with = status, SECRET
    error = failure_of(AwsSession().credential_provider())
    assert error.retryable is retryable
    assert SECRET not in "".join(traceback.format_exception(error))


def test_instance_metadata_that_goes_away_can_be_retried(
    service: CredentialService, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance(monkeypatch, service)
    all_keys_are_due(monkeypatch)
    provider = AwsSession().credential_provider()
    provider()
    service.fail_with = 500, ""
    assert isinstance(failure_of(provider), CredentialsUnavailable)
    service.fail_with = None
    provider()
    assert provider.last_error is None


# --- region and endpoint ---------------------------------------------------------------------------------------


def test_region_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert AwsSession().region() is None
    config(home, "[default]\nregion = from-config\n[profile p]\nregion = from-p\n")
    assert AwsSession().region() == "from-config"
    assert AwsSession("p").region() == "from-p"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "from-default-region")
    assert AwsSession("p").region() == "from-default-region"
    monkeypatch.setenv("AWS_REGION", "from-region")
    assert AwsSession("p").region() == "from-region"


def test_endpoint_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert AwsSession().endpoint_url() is None
    config(
        home,
        """\
        [default]
        endpoint_url = http://profile
        [profile p]
        services = s
        endpoint_url = http://p
        [services s]
        s3 =
          endpoint_url = http://service
        """,
    )
    assert AwsSession().endpoint_url() == "http://profile"
    assert AwsSession("p").endpoint_url() == "http://service"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://env")
    assert AwsSession("p").endpoint_url() == "http://env"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://env-s3")
    assert AwsSession("p").endpoint_url() == "http://env-s3"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert AwsSession("p").endpoint_url() is None


def test_clients_of_the_session_use_its_region_endpoint_and_credentials(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_credentials(home, p="OTHER")
    config(home, "[profile p]\nendpoint_url = http://127.0.0.1:1\n")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    session = AwsSession("p")
    client = session.botocore_session().create_client("s3")
    assert client.meta.endpoint_url == session.endpoint_url()
    assert client.meta.region_name == "eu-central-1"
    client.close()


def test_botocore_is_imported_only_when_it_is_needed() -> None:
    code = """
        import sys
        from s3duct.adapters.aws_credentials import AwsSession
        AwsSession().credential_provider()
        print("botocore" in sys.modules)
    """
    assert python(code) == "False"


# --- a real store ----------------------------------------------------------------------------------------------


@pytest.fixture
def bucket_root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "bucket").mkdir(parents=True)
    return tmp_path / "root"


def open_store(url: str, provider: AwsCredentialProvider) -> S3Store:
    retry = {"max_retries": 0, "retry_timeout": timedelta(seconds=5)}
    return S3Store(
        "bucket",
        endpoint=url,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config=retry,  # type: ignore[arg-type] # a plain dict; the class exists for type checkers only
        credential_provider=provider,
    )


def test_a_store_goes_on_with_new_keys_when_the_old_ones_are_revoked(home: Path, bucket_root: Path) -> None:
    process = CredentialProcess(home, lifetime_s=120)
    config(home, f"[default]\ncredential_process = {process.command}")
    port, provider = free_port(), AwsSession().credential_provider()
    store = open_store(f"http://127.0.0.1:{port}", provider)
    with rclone_s3(bucket_root, port, "PROCESS2"):
        obstore.put(store, "a", b"before")
        time.sleep(0.11)  # obstore does not ask more often than every 100 ms
        with pytest.raises(obstore.exceptions.PermissionDeniedError):
            obstore.put(store, "b", b"PROCESS3 is not let in")
    with rclone_s3(bucket_root, port, "PROCESS4"):
        time.sleep(0.11)
        obstore.put(store, "c", b"after")
    assert sorted(file.name for file in (bucket_root / "bucket").iterdir()) == ["a", "c"]


def test_a_multipart_put_changes_keys_between_its_parts(home: Path, bucket_root: Path) -> None:
    process = CredentialProcess(home, lifetime_s=120)
    config(home, f"[default]\ncredential_process = {process.command}")
    piece = os.urandom(5 << 20)

    def pieces() -> Iterator[bytes]:
        for _ in range(4):
            yield piece
            time.sleep(0.11)

    with rclone_s3(bucket_root, free_port(), *(f"PROCESS{n}" for n in range(2, 30))) as url:
        store = open_store(url, AwsSession().credential_provider())
        obstore.put(store, "big", pieces(), chunk_size=5 << 20, max_concurrency=1)
    assert (bucket_root / "bucket" / "big").read_bytes() == piece * 4
    assert len(process.issued) > 3


def test_the_provider_beats_the_keys_that_obstore_itself_finds(
    home: Path, bucket_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = CredentialProcess(home)
    config(home, f"[profile p]\ncredential_process = {process.command}")
    set_keys(monkeypatch, "ENV")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "env-token")
    with rclone_s3(bucket_root, free_port(), "PROCESS1") as url:
        obstore.put(open_store(url, AwsSession("p").credential_provider()), "a", b"data")
    assert (bucket_root / "bucket" / "a").read_bytes() == b"data"


def test_obstore_keeps_only_the_text_of_the_providers_error(home: Path) -> None:
    process = CredentialProcess(home)
    process.fail(f"vault said {SECRET}")
    config(home, f"[default]\ncredential_process = {process.command}")
    provider = AwsSession().credential_provider()
    store = open_store("http://127.0.0.1:1", provider)
    with pytest.raises(UnauthenticatedError, match="External AWS credential provider") as caught:
        obstore.put(store, "a", b"data")
    assert caught.value.__cause__ is None
    assert isinstance(provider.last_error, CredentialsError)
    assert str(provider.last_error) in str(caught.value)
    assert SECRET not in str(caught.value)


async def _put_while_the_loop_ticks(store: S3Store) -> float:
    """Put eight objects at once; return the longest time in seconds that the event loop stood still."""
    longest, last = 0.0, time.monotonic()
    puts = asyncio.gather(*(obstore.put_async(store, f"k{n}", b"data") for n in range(8)))
    while not puts.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await puts
    return longest


def test_a_slow_renewal_does_not_hold_the_event_loop(home: Path, bucket_root: Path) -> None:
    process = CredentialProcess(home)
    config(home, f"[default]\ncredential_process = sh -c 'sleep 1; exec {process.command}'")
    threads: list[threading.Thread] = []

    class Provider(AwsCredentialProvider):
        def __call__(self) -> aws_credentials.S3Credential:
            threads.append(threading.current_thread())
            return super().__call__()

    AwsSession().botocore_session()  # importing botocore holds the interpreter's lock, not what is measured here
    with rclone_s3(bucket_root, free_port(), "PROCESS1") as url:
        longest_s = asyncio.run(_put_while_the_loop_ticks(open_store(url, Provider(AwsSession()))))
    assert longest_s < 0.5
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
