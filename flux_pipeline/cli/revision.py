"""Files as they were at a revision of git. Only reads, with fixed arguments, no shell, and nothing of ours in its environment."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flux_pipeline.errors import UsageError

_SECONDS = 60
_MOST_CHARACTERS = 250
_NOT_IN_A_NAME = re.compile(r"[\x00-\x20\x7f:?*\[\\]|\.\.")  # git allows none of these in the name of a revision
_OURS = ("WIRO_", "FLUX_PIPELINE_")


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit: `name` is what the user calls it, `commit` its digits, by which alone git is asked."""

    name: str
    commit: str

    def read(self, path: Path, most: int | None = None) -> bytes | None:
        """Return a file's bytes; None where there is no such file, or it has more than `most`.

        `path` is where the file is, or would be, in the working tree.

        Raises:
            UsageError: git is not to be had.
        """
        folder = _nearest(path.parent)
        way = Path(os.path.relpath(path.parent.absolute(), folder.absolute())) / path.name
        blob = f"{self.commit}:./{way.as_posix()}"
        if most is not None:
            size = _git(folder, "cat-file", "-s", "--", blob)
            if size is None or not size.strip().isdigit() or int(size) > most:
                return None
        # Not `git show`: that would let a filter of the repository's configuration rewrite what it shows.
        return _git(folder, "cat-file", "blob", "--", blob)

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield every file below a folder of the working tree, relative to it."""
        near = _nearest(folder)
        if near != folder:
            return
        listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", self.commit, "--", ".")
        for name in (listed or b"").split(b"\0"):
            if name:
                yield Path(os.fsdecode(name))


def revision(name: str, near: Path) -> Revision:
    """Return the commit that a name stands for in the repository that holds `near`.

    Raises:
        UsageError: there is no git, no repository or no such revision.
    """
    if name.startswith("-") or not name or len(name) > _MOST_CHARACTERS or _NOT_IN_A_NAME.search(name):
        raise UsageError(f"--against {name!r}: not the name of a revision; write one such as main, v1.0 or HEAD~1")
    folder = _nearest(near.parent)
    if _git(folder, "rev-parse", "--git-dir") is None:
        raise UsageError(
            f"--against {name}: {folder} is in no git repository that can be read; compare two lockfiles instead"
        )
    found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    commit = (found or b"").decode("ascii", "replace").strip()
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        raise UsageError(
            f"--against {name}: the repository has no such revision; `git log --oneline` shows some, "
            "and `git fetch` brings those that are elsewhere"
        )
    return Revision(name, commit)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the closest one around it that exists."""
    return next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path())


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Return what git prints, None where it fails."""
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    command: Sequence[str] = ("git", "--no-pager", "--no-replace-objects", *arguments)
    try:
        done = subprocess.run(  # noqa: S603 -- a fixed program and fixed flags, and no shell
            command,
            cwd=folder,
            env=kept | quiet,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError("--against needs git, and there is none on the PATH; compare two lockfiles instead") from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot be asked: {error}; compare two lockfiles instead") from error
    return done.stdout if done.returncode == 0 else None
