"""Port: multipart uploads that were begun and neither completed nor aborted. Their parts cost money and are in no listing.

Beside `ports.object_store`, since not every store has such a thing. Every method raises only the domain's errors, those of
that port, and `OperationUnsupported` where the store cannot do this at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class IncompleteUpload:
    """One upload. `upload_id` is opaque; one key may have several."""

    key: str
    upload_id: str


class MultipartUploads(Protocol):
    """The incomplete uploads of one bucket. Keys are full keys."""

    def incomplete(self, prefix: str) -> AsyncIterator[IncompleteUpload]:
        """List the uploads under `prefix`, which is empty or ends with `/`, in any order.

        What was begun before the call and is not over is in it. An upload that is under way is, too: nothing tells it from
        one whose process has died.
        """
        ...

    async def abort(self, upload: IncompleteUpload) -> None:
        """Let the store forget an upload and its parts. Idempotent: one that is over is no error, and its object stays."""
        ...
