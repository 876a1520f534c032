from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.run.sweep import Sweep
from flux_pipeline.wiro.tasks import Task


def task(number):
    return Task(id=str(number), status="task_start")


class Shelves:
    """A list of tasks, newest first, that grows while it is read, `size` at a time."""

    def __init__(self, count, size, arrivals):
        self.numbers = list(range(100 + count, 100, -1))
        self.first = list(self.numbers)
        self.size, self.arrivals = size, iter(arrivals)

    def page(self, start, *, fault=None):
        at = start + self.size if fault == "skipped" else start
        length = self.size // 2 if fault == "short" else self.size
        told = tuple(map(task, self.numbers[at : at + length]))
        for _ in range(next(self.arrivals, 0)):
            self.numbers.insert(0, max(self.numbers, default=100) + 1)
        return told


def walk(shelves, faults=None, floor=0):
    """Walk to the end, and return what was seen and how it ended; `faults` are those of pages by number."""
    sweep = Sweep(began=0.0, deep_enough=lambda one: int(one.id) < floor)
    progress, number = "going", 0
    while progress == "going":
        progress = sweep.page(shelves.page(sweep.start, fault=(faults or {}).get(number)))
        number += 1
    return {int(one) for one in sweep.tasks}, progress


sizes = st.integers(8, 12)  # a page brings more that is new than can arrive meanwhile
counts = st.integers(0, 60)
arrivals = st.lists(st.integers(0, 2), max_size=40)


@given(counts, sizes, arrivals)
def test_a_walk_through_a_growing_list_sees_everything_that_was_there_when_it_began(count, size, arrivals):
    shelves = Shelves(count, size, arrivals)
    seen, progress = walk(shelves)
    assert progress == "complete"
    assert seen >= set(shelves.first)


@given(counts, sizes, arrivals, st.dictionaries(st.integers(0, 8), st.sampled_from(["skipped", "short"]), max_size=1))
def test_a_walk_that_calls_itself_complete_has_not_missed_what_one_page_left_out(count, size, arrivals, faults):
    shelves = Shelves(count, size, arrivals)
    seen, progress = walk(shelves, faults)
    # A first page that leaves out all that there is looks like the end of an empty list.
    if progress == "complete" and seen:
        assert seen >= set(shelves.first)


def test_a_first_page_that_leaves_out_the_newest_tasks_is_noticed_on_the_second():
    sweep = Sweep(began=0.0, deep_enough=lambda _: False)
    assert sweep.page((task(5240),)) == "going"
    assert sweep.page((task(6317), task(5652), task(5240))) == "going"
    assert (sweep.start, sweep.tasks) == (0, {})


def test_a_list_that_never_holds_still_is_called_incomplete():
    sweep = Sweep(began=0.0, deep_enough=lambda _: False)
    swapped = (task(1), task(2))
    assert [sweep.page(swapped) for _ in range(6)] == ["going"] * 5 + ["incomplete"]
