"""Credentials, region and endpoint as every AWS tool finds them: botocore's chain, made to fit obstore.

botocore takes 0.1 to 0.2 s to import, so nothing here imports it before it is needed: not at all where the environment says
everything (`environment`).
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, TypeVar

from s3duct.adapters.aws_credentials import environment
from s3duct.adapters.aws_credentials.environment import AskBotocore, FixedKeys
from s3duct.domain.errors import CredentialsError, CredentialsUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# An expiry in the past makes obstore ask again before every request: slow, but never stale.
_ASK_EVERY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_TRY_AGAIN = {"Throttling", "ThrottlingException", "TooManyRequestsException", "IDPCommunicationError"}


T = TypeVar("T")
_Keys = tuple[str, str | None]  # access key and session token


class S3Credential(TypedDict):
    """The shape obstore takes; its own class of that name exists for type checkers only."""

    access_key_id: str
    secret_access_key: str
    token: NotRequired[str | None]
    expires_at: datetime | None  # None: never


class AwsSession:
    """One AWS identity: a profile, its region, its S3 endpoint and its credentials. Thread-safe.

    Args:
        profile: name in the shared config; like in every AWS tool it wins over keys in the environment.
            None follows botocore: environment keys first, then AWS_PROFILE, then `default`.
    """

    def __init__(self, profile: str | None = None) -> None:
        self._profile = profile or None
        self._lock = threading.Lock()
        self._session: Any = None

    def botocore_session(self) -> Any:
        """Return the `botocore.session.Session` behind it, for making clients that share these credentials.

        Raises: CredentialsError for an unknown profile or an unreadable config file; a retry cannot help.
        """
        with self._lock, _translated(self._profile):
            if self._session is None:
                self._session = _new_session(self._profile)
            return self._session

    def region(self) -> str | None:
        """Return the region: AWS_REGION, AWS_DEFAULT_REGION, the profile's. Raises: as `botocore_session`."""
        with suppress(AskBotocore):
            return self._said(environment.region)
        session = self.botocore_session()
        with _translated(self._profile):
            region: str | None = session.get_config_variable("region")
            return region

    def endpoint_url(self) -> str | None:
        """Return the configured S3 endpoint, or None for AWS itself. Raises: as `botocore_session`.

        AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's `services` section, its `endpoint_url`;
        none of them when AWS_IGNORE_CONFIGURED_ENDPOINT_URLS (or the config's own switch) is true.
        """
        with suppress(AskBotocore):
            return self._said(environment.endpoint_url)
        session = self.botocore_session()
        with _translated(self._profile):
            from botocore.configprovider import ConfiguredEndpointProvider

            if session.get_config_variable("ignore_configured_endpoint_urls"):
                return None
            # botocore looks this up once per client; the session alone does not know the service's name.
            url: str | None = ConfiguredEndpointProvider(
                full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name="s3"
            ).provide()
            return url

    def credential_provider(self) -> AwsCredentialProvider:
        """Return a provider for `S3Store(credential_provider=...)`. It reads nothing until called."""
        return AwsCredentialProvider(self)

    def forget(self) -> None:
        """Begin anew: configuration and credentials are read from where they come from when they are next asked for."""
        with self._lock:
            self._session = None

    @property
    def is_fixed(self) -> bool:
        """Whether the credentials come from this process's environment, where nobody can renew them."""
        if self._fixed_keys() is not None:
            return True
        credentials = self.botocore_session().get_credentials()
        return credentials is not None and credentials.method == "env"

    def current_credential(self) -> S3Credential:
        """Return credentials that are valid now, renewed if due. Blocks on files, processes or the network.

        Raises: CredentialsError (a retry cannot help), CredentialsUnavailable (a retry may help).
        """
        fixed = self._fixed_keys()
        if fixed is not None:
            return {
                "access_key_id": fixed.access_key_id,
                "secret_access_key": fixed.secret_access_key,
                "token": fixed.token,
                "expires_at": None,
            }
        session = self.botocore_session()
        with _translated(self._profile):
            with self._lock:  # two first callers would walk the whole chain twice
                credentials = session.get_credentials()
            if credentials is None:
                raise CredentialsError(
                    "no AWS credentials found",
                    hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile",
                )
            frozen = credentials.get_frozen_credentials()
            expires_at = _expiry(credentials)
            # botocore publishes new keys before their expiry, so keys read after it are as new or newer.
            # If another thread renews right here, obstore asks again too early, never too late.
            frozen = getattr(credentials, "_frozen_credentials", frozen)
            return {
                "access_key_id": frozen.access_key,
                "secret_access_key": frozen.secret_key,
                "token": frozen.token,
                "expires_at": expires_at,
            }

    def _fixed_keys(self) -> FixedKeys | None:
        with suppress(AskBotocore):
            return self._said(environment.fixed_keys)
        return None

    def _said(self, ask: Callable[[Mapping[str, str]], T]) -> T:
        """Ask the environment alone; a profile that is given wins over it. Raises `AskBotocore`."""
        if self._profile is not None:
            raise AskBotocore
        return ask(os.environ)


class AwsCredentialProvider:
    """What obstore calls for credentials: `AwsSession.current_credential`, and why that last failed.

    A plain function on purpose: obstore calls it on the caller's thread for `put`, and on a thread of its own
    runtime for `put_async`, one call at a time, so that a slow renewal delays the store's requests but never
    the event loop. An async provider would fail every sync call ("no running event loop").

    obstore keeps the answer until 5 minutes before `expires_at` (for good when that is None). By then
    botocore is inside its mandatory window of 10 minutes, so that each call renews or raises. Credentials
    that live for less than 5 minutes are therefore asked for before nearly every request.

    Attributes:
        last_error: obstore keeps of an exception raised here only its text, inside `UnauthenticatedError`;
            the error itself waits here for whoever translates that. None after a success.
    """

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._last: _Keys | None = None
        self._refused: _Keys | None = None
        self.last_error: CredentialsError | CredentialsUnavailable | None = None

    def __call__(self) -> S3Credential:
        """Return valid credentials. Raises: as `AwsSession.current_credential`."""
        try:
            credential = self._session.current_credential()
            keys = credential["access_key_id"], credential.get("token")
            if keys == self._refused:
                raise self._nothing_newer()
        except (CredentialsError, CredentialsUnavailable) as error:
            self.last_error = error
            raise
        self.last_error = None
        self._last = keys
        return credential

    def renew(self) -> None:
        """The store refused the credentials handed out last as expired: never hand them out again, look for others.

        The whole chain is walked anew at every call until it has others: a login in another terminal, a rewritten
        file or a service that lagged behind are noticed.
        """
        self._refused = self._last
        self._session.forget()

    def _nothing_newer(self) -> CredentialsError | CredentialsUnavailable:
        message = "the AWS credentials have expired and their source has no newer ones"
        if self._session.is_fixed:
            return CredentialsError(message, hint="they are in the environment: set others and run again")
        self._session.forget()  # look again at the next call
        return CredentialsUnavailable(message, hint="renew them, for example with aws sso login")


def _new_session(profile: str | None) -> Any:
    import botocore.session

    # botocore warns of a failed renewal with a traceback, and that holds what _domain_error leaves out.
    for name in ("botocore.credentials", "botocore.tokens"):
        logging.getLogger(name).addFilter(_drop_traceback)
    session = botocore.session.Session(profile=profile)
    region = os.environ.get("AWS_REGION")  # the other SDKs read it; botocore reads only AWS_DEFAULT_REGION
    if region:
        session.set_config_variable("region", region)
    _keep_off_stdin(session)
    return session


def _drop_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True


def _keep_off_stdin(session: Any) -> None:
    """Keep MFA prompts and credential_process off stdin: what they read would be missing in the backup."""
    resolver = session.get_component("credential_provider")
    role = resolver.get_provider("assume-role")
    role._prompter = _ask_at_terminal
    builder = role._profile_provider_builder  # makes the providers of a source_profile
    make_process_provider = builder._create_process_provider

    def without_stdin(provider: Any) -> Any:
        provider._popen = partial(subprocess.Popen, stdin=subprocess.DEVNULL)
        return provider

    without_stdin(resolver.get_provider("custom-process"))
    builder._create_process_provider = lambda name: without_stdin(make_process_provider(name))


def _ask_at_terminal(prompt: str) -> str:
    from getpass import getpass

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:  # getpass would fall back to stdin
        raise CredentialsError("the role asks for an MFA code and there is no terminal") from None
    return getpass(prompt)


def _expiry(credentials: Any) -> datetime | None:
    """Return botocore's own expiry in UTC, None for static keys. It has no public name (pinned by a test)."""
    from botocore.credentials import InstanceMetadataProvider, RefreshableCredentials

    if not isinstance(credentials, RefreshableCredentials):
        return None
    expiry = getattr(credentials, "_expiry_time", None)
    if not isinstance(expiry, datetime):
        return _ASK_EVERY_TIME
    # Near the end of an instance role's keys botocore makes an expiry up: when to ask again, plus 15 minutes.
    # The keys may be dead by then, so obstore, which asks 5 minutes before, is told 10 minutes less.
    early = timedelta(minutes=10 if credentials.method == InstanceMetadataProvider.METHOD else 0)
    return expiry.astimezone(UTC) - early


@contextmanager
def _translated(profile: str | None) -> Iterator[None]:
    try:
        yield
    except (CredentialsError, CredentialsUnavailable):
        raise
    except Exception as exc:  # noqa: BLE001 -- botocore also lets KeyError, ValueError and RuntimeError out
        # From None: a printed chain would show the vendor's text, which _domain_error avoids to quote.
        raise _domain_error(exc, profile) from None


def _domain_error(exc: Exception, profile: str | None) -> CredentialsError | CredentialsUnavailable:
    """Say what went wrong in our own words.

    Vendor text is quoted only where it is made of names and paths. Never: a credential_process's stderr, an
    HTTP body, an STS message (SignatureDoesNotMatch repeats the signed headers and the session token).
    """
    from botocore import exceptions as vendor

    name = profile or os.environ.get("AWS_PROFILE")
    flag = f" --profile {name}" if name else ""
    match exc:
        case vendor.CredentialRetrievalError():
            return _retrieval_error(str(exc.kwargs.get("provider")), str(exc))
        case vendor.ClientError():
            return _refusal(exc.operation_name, exc.response, hint=f"run: aws sts get-caller-identity{flag}")
        case vendor.ConnectionError() | vendor.HTTPClientError() | vendor.MetadataRetrievalError():
            return CredentialsUnavailable(f"the credential service is not reachable ({type(exc).__name__})")
        case vendor.SSOError() | vendor.TokenRetrievalError():
            return CredentialsError(
                "the AWS SSO login has expired or is missing", hint=f"run: aws sso login{flag}"
            )
        case vendor.LoginError():
            return CredentialsError("the AWS login has expired or is missing", hint=f"run: aws login{flag}")
    return CredentialsError(_explain(exc))


def _explain(exc: Exception) -> str:
    from botocore import exceptions as vendor

    match exc:
        case vendor.ProfileNotFound():
            return f"no AWS profile is named {exc.kwargs.get('profile')!r}"
        case vendor.PartialCredentialsError():
            return f"AWS credentials are incomplete: {exc.kwargs.get('cred_var')} is missing"
        case vendor.RefreshWithMFAUnsupportedError():
            return "the role's credentials have expired and renewing them takes another MFA code"
        case vendor.InvalidConfigError() | vendor.ConfigParseError() | vendor.NoRegionError():
            return f"the AWS configuration is wrong: {' '.join(str(exc).split()).rstrip('.')}"
        case OSError():
            return f"cannot use {exc.filename or 'a file'} for AWS credentials: {exc.strerror}"
        case RuntimeError() if "still expired" in str(exc):
            return "the AWS credentials have expired and their source has no newer ones"
    return f"AWS credentials cannot be read ({type(exc).__name__})"


def _retrieval_error(source: str, text: str) -> CredentialsError | CredentialsUnavailable:
    if source == "custom-process":
        hint = "run its command by hand to see why; its output is not shown here, since it may hold secrets"
        return CredentialsError("the profile's credential_process failed", hint=hint)
    refused = re.search(r"non 200 response (4\d\d)", text)  # the status is nowhere but in the text
    if refused and refused[1] not in ("408", "429"):
        return CredentialsError(f"the container's credential service refused with HTTP {refused[1]}")
    if source in ("iam-role", "container-role"):
        return CredentialsUnavailable(f"the metadata service gave no credentials ({source})")
    return CredentialsError(f"AWS credentials could not be fetched ({source})")


def _refusal(operation: str, response: Any, *, hint: str) -> CredentialsError | CredentialsUnavailable:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500 or status == 429 or code in _TRY_AGAIN:
        return CredentialsUnavailable(f"{operation} failed for now: {code} (HTTP {status})")
    return CredentialsError(f"{operation} was refused: {code} (HTTP {status})", hint=hint)
