"""What stands over the pictures of one screen: as much of each cell's id as tells it from the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from flux_pipeline.report.widths import clamp, width


def captions(ids: Sequence[str], columns: int) -> tuple[str, ...]:
    """Return a caption of at most so many columns for each id; no two are the same.

    Ids that all fit stay whole. Otherwise what all of an entry share is left out; if that does not tell them apart, the
    entry and the names of the axes too; and what even then looks the same is numbered.
    """
    if _differ(ids) and all(width(one) <= columns for one in ids):
        return tuple(ids)
    shorter = [*_shorter(ids)]
    for form in shorter:
        cut = [clamp(one, columns) for one in form]
        if _differ(cut):
            return tuple(cut)
    heads = [f"{number} " for number in range(1, len(ids) + 1)]
    return tuple(head + clamp(one, columns - len(head)) for head, one in zip(heads, shorter[0], strict=True))


def _shorter(ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield the ids with their entry and what differs in it; with what differs alone; and with its values alone."""
    split = [(entry, rest.split(",")) for entry, _, rest in (one.partition("/") for one in ids)]
    entries = Counter(entry for entry, _ in split)
    shared: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry, parts in split:
        shared[entry].update(set(parts))
    told = [(entry, [one for one in parts if shared[entry][one] < entries[entry]]) for entry, parts in split]
    yield [f"{entry}/{','.join(parts)}" if parts else entry for entry, parts in told]
    yield [",".join(parts) or entry for entry, parts in told]
    yield [",".join(part.partition("=")[2] or part for part in parts) or entry for entry, parts in told]


def _differ(form: Sequence[str]) -> bool:
    return len(set(form)) == len(form)
