"""Writes the reports."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.markdown import markdown
from tests.bench.plot import svg
from tests.bench.results import Results


def write(results: Results, folder: Path | None) -> None:
    """Print the Markdown; with a folder, leave it there together with every figure and the plot."""
    text = markdown(results)
    print(text)
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.md").write_text(text)
    (folder / "bench.json").write_text(json.dumps(results.raw(), indent=1) + "\n")
    if results.runs:
        (folder / "bench.svg").write_text(svg(results))
