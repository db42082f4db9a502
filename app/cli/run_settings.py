"""From the flags of a command to the settings of its run."""

from s3duct.app.cli.console import warn
from s3duct.app.cli.key_options import KeyOptions, RecipientOptions
from s3duct.app.cli.options import (
    DEFAULT_RETRIES,
    NO_LIMITS,
    LimitOptions,
    OutputOptions,
    RetryOptions,
    StoreOptions,
)
from s3duct.app.cli.terminal import TerminalUser
from s3duct.app.settings import Settings, default_scratch_dir


def settings_of(
    store: StoreOptions,
    keys: KeyOptions | None,
    *,
    recipients: RecipientOptions | None = None,
    limits: LimitOptions = NO_LIMITS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    data_descriptor: int | None = None,
) -> Settings:
    """Gather the settings of a run; `data_descriptor` is the one whose data no passphrase may eat."""
    keys = keys or KeyOptions()
    recipients = recipients or RecipientOptions()
    return Settings(
        bucket=store.bucket,
        prefix=store.prefix,
        region=store.region,
        endpoint_url=store.endpoint_url,
        profile=store.profile,
        addressing_style=store.addressing_style,
        key=keys.key,
        age_identities=keys.identities(),
        age_recipients=tuple(recipients.age_recipient or ()),
        age_recipients_files=tuple(recipients.age_recipients_file or ()),
        ask_passphrase=keys.passphrases(data_descriptor=data_descriptor),
        user=TerminalUser(),
        scratch_dir=limits.scratch_dir or default_scratch_dir(),
        retry_policy=retrying.policy(),
    )


def warn_about_keys(keys: KeyOptions, output: OutputOptions) -> tuple[str, ...]:
    """Warn about keys that others can read; return the warnings."""
    warnings = tuple(keys.exposures())
    for warning in () if output.quiet else warnings:
        warn(warning)
    return warnings
