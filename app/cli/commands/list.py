"""list: parse, call the use case, show what is there.

No `from __future__ import annotations` here: cyclopts reads the annotations. What runs it is imported when it runs.
"""

from typing import Annotated

from cyclopts import Parameter

from s3duct.app.cli.key_options import KeyOptions
from s3duct.app.cli.options import (
    DEFAULT_RETRIES,
    NO_KEYS,
    NO_RECIPIENTS,
    OUTPUT,
    RetryOptions,
    StoreOptions,
)
from s3duct.app.cli.precedence import keys_to_use

_STDOUT = 1


def list_(
    *,
    store: StoreOptions,
    keys: KeyOptions = NO_KEYS,
    retrying: RetryOptions = DEFAULT_RETRIES,
    json: Annotated[bool, Parameter(group=OUTPUT, negative=(), help="Write a JSON array.")] = False,
) -> int:
    """List the streams in a bucket.

    Streams with a sealed manifest show their details only to the key that opens them.

    Example: s3duct list --bucket b --prefix hosts/db1
    """
    from s3duct.app.api import AsyncS3duct, KeyRing, StopRequest
    from s3duct.app.cli import listing, running
    from s3duct.app.cli.run_settings import settings_of
    from s3duct.app.cli.trouble import Trouble
    from s3duct.domain.errors import ExitCode

    keys, _ = keys_to_use(keys, NO_RECIPIENTS)
    settings = settings_of(store, keys, retrying=retrying, data_descriptor=_STDOUT)
    ring = KeyRing(settings).read_to_open()

    async def work(stop: StopRequest) -> int:
        streams = AsyncS3duct(settings, listener=Trouble(), keys=ring).list()
        show = listing.show_as_json(streams) if json else listing.show_as_table(streams)
        await stop.ends(show, hint="")
        return ExitCode.OK

    return running.run(work)
