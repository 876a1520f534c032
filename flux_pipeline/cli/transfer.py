"""What a promotion does to its folder: copies, removals, and an index that tells at every moment what may be ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from flux_pipeline.cli.project import Project
from flux_pipeline.files.exhibit import Exhibit
from flux_pipeline.files.ground import Found
from flux_pipeline.files.take_in import picture
from flux_pipeline.review import promotion
from flux_pipeline.review.promotion import INDEX, Entry, Gone, Index, State, There, Wanted, left


@dataclass(frozen=True, slots=True)
class Done:
    """What has become of one file; `reason` is empty where it is as it should be."""

    wanted: Wanted
    state: State
    reason: str


def look(exhibit: Exhibit, names: Iterable[str]) -> dict[str, There]:
    """Return what has these names in the folder already."""
    found = exhibit.look(names)
    return {name: There(one.sha256) if isinstance(one, Found) else There("", one.reason) for name, one in found.items()}


def carry_out(
    work: Project,
    exhibit: Exhibit,
    index: Index,
    there: Mapping[str, There],
    done: Sequence[Done],
    gone: Sequence[Gone],
) -> tuple[list[Done], list[Gone]]:
    """Copy what is promoted and remove what is pruned; return what has become of each."""
    entries = dict(index.entries)
    # First the index, so that a promotion that dies half way still knows both the old files and the new ones as its own.
    for one in done:
        if one.state == "promoted" and one.wanted.sums:
            entries[one.wanted.name] = promotion.entry(one.wanted, *sorted(one.wanted.sums), *_old(one, there))
    _keep(exhibit, replace(index, entries=entries))
    ended = [_put(work, exhibit, one, there) if one.state == "promoted" else (one, "") for one in done]
    for end, copied in ended:
        name, known = end.wanted.name, index.entries.get(end.wanted.name)
        if copied:
            entries[name] = promotion.entry(end.wanted, copied)
        elif end.state == "kept" and known is not None:
            entries[name] = promotion.entry(end.wanted, there[name].sha256)
        elif known is not None:
            entries[name] = known
        else:
            entries.pop(name, None)
    parted = _removed(exhibit, entries, gone)
    for each in parted:
        if each.state == "pruned":
            del entries[each.name]
    _keep(exhibit, replace(index, entries=entries))
    return [end for end, _ in ended], parted


def _keep(exhibit: Exhibit, index: Index) -> None:
    data, old = promotion.write(index), exhibit.read(INDEX)
    if data != old and (index.entries or old is not None):
        exhibit.put(INDEX, data, () if old is None else (sha256(old).hexdigest(),))


def _removed(exhibit: Exhibit, entries: Mapping[str, Entry], gone: Sequence[Gone]) -> list[Gone]:
    """Remove what is to be pruned; what is still there afterwards is somebody else's by now, and stays known."""
    names = [one.name for one in gone if one.state == "pruned"]
    for name in names:
        exhibit.remove(name, entries[name].sums)
    still = exhibit.look(names)
    return [left(one.name) if one.name in still else one for one in gone]


def _old(one: Done, there: Mapping[str, There]) -> tuple[str, ...]:
    return (there[one.wanted.name].sha256,) if one.wanted.name in there else ()


def _put(work: Project, exhibit: Exhibit, one: Done, there: Mapping[str, There]) -> tuple[Done, str]:
    """Copy one file; return its SHA-256, empty where it was not copied."""
    data = picture(work.root, one.wanted.path, one.wanted.sums)
    if data is None:
        return Done(
            one.wanted, "missing", "it is not on disk as it was approved: `flux-pipeline run` brings it back"
        ), ""
    exhibit.put(one.wanted.name, data, _old(one, there))
    return one, sha256(data).hexdigest()
