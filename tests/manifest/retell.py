"""Write the problems of each manifest of the corpus beside it anew: `git diff` then shows what people would read.

python tests/manifest/retell.py
"""

from __future__ import annotations

from pathlib import Path

from shelf import beside

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

HERE = Path(__file__).parent


def main() -> None:
    schemas = Schemas()
    for file in sorted(
        file for kind in ("corpus/valid", "corpus/invalid", "hostile") for file in (HERE / kind).glob("*.yaml")
    ):
        try:
            problems = expand(file.read_bytes(), file=file.name, schemas=schemas, read=beside(file)).warnings
        except ManifestError as error:
            problems = error.problems
        text = file.with_suffix(".txt")
        if problems or text.exists():
            text.write_text("".join(f"{one.severity} {one.code} {one}\n" for one in problems), "utf-8")


if __name__ == "__main__":
    main()
