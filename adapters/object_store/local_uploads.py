"""What writes that were killed have left in a local folder: obstore writes to `KEY#N` and renames at the end."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from s3duct.domain.errors import LocalResourceError
from s3duct.domain.ports.multipart_uploads import IncompleteUpload, MultipartUploads

_LEFTOVER = re.compile(r"(?P<key>.+)#(?P<number>\d+)", re.DOTALL)


class LocalMultipartUploads(MultipartUploads):
    """Those of one folder. The upload id is the number."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which need not be there."""
        self._folder = folder

    async def incomplete(self, prefix: str) -> AsyncIterator[IncompleteUpload]:
        """Walk the folder."""
        for upload in await asyncio.to_thread(self._find, prefix):
            yield upload

    async def abort(self, upload: IncompleteUpload) -> None:
        """Remove one file."""
        path = self._folder / f"{upload.key}#{upload.upload_id}"
        try:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as error:
            raise LocalResourceError(f"cannot remove {str(path)!r}: {error.strerror}") from error

    def _find(self, prefix: str) -> list[IncompleteUpload]:
        found = []
        for folder, _, names in os.walk(self._folder / prefix):
            below = Path(folder).relative_to(self._folder)
            for name in names:
                leftover = _LEFTOVER.fullmatch(name)
                if leftover is not None:
                    found.append(IncompleteUpload((below / leftover["key"]).as_posix(), leftover["number"]))
        return found
