"""The files of rows that stand beside a manifest of the tests."""

from __future__ import annotations

from flux_pipeline.errors import UsageError


def beside(file):
    """Return what reads the files of rows that a manifest names."""

    def read(name):
        try:
            return (file.parent / name).read_bytes()
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror}") from error

    return read
