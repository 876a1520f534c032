from __future__ import annotations

import pytest
from ledger.samples import ENDPOINT
from ledger.samples import submission as sample

from flux_pipeline.errors import DiskError, LockfileHeld
from flux_pipeline.ledger.contents import read
from flux_pipeline.ledger.lockfile import Lockfile
from flux_pipeline.ledger.shelf import Claim, Shelf

ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)


def submission(identity, **known):
    return sample(int(identity[0]), **known)


@pytest.fixture
def claims(tmp_path):
    """Two lockfiles: the renders `a` and `both`, and the renders `b` and `both`."""
    return [
        Claim(tmp_path / "one.lock", frozenset({"a", "both"})),
        Claim(tmp_path / "two.lock", frozenset({"b", "both"})),
    ]


def known(claim):
    return set(read(claim.path).history.submissions)


@pytest.mark.parametrize(("key", "where"), [("a", [0]), ("b", [1]), ("both", [0, 1]), ("nobody's", [0])])
def test_a_fact_goes_to_every_lockfile_whose_manifest_wants_its_render(claims, key, where):
    with Shelf(claims, ENDPOINT) as shelf:
        shelf.append([submission(ONE, key=key)])
    assert [number for number, claim in enumerate(claims) if ONE in known(claim)] == where


def test_a_fact_about_a_render_that_nobody_wants_any_more_goes_where_its_submission_is(claims):
    with Lockfile(claims[1].path, ENDPOINT) as lockfile:
        lockfile.append([submission(ONE, key="gone")])
    with Shelf(claims, ENDPOINT) as shelf:
        shelf.append([submission(ONE, key="gone", tasks=("7",))])
    assert [known(claim) for claim in claims] == [set(), {ONE}]
    assert read(claims[1].path).history.submissions[ONE].task == "7"


def test_what_one_lockfile_knows_of_a_shared_render_the_others_learn_when_they_are_opened(claims):
    with Lockfile(claims[0].path, ENDPOINT) as lockfile:
        lockfile.append([submission(ONE, key="both", tasks=("7",)), submission(TWO, key="a")])
    with Shelf(claims, ENDPOINT) as shelf:
        assert set(shelf.history.submissions) == {ONE, TWO}
    assert [known(claim) for claim in claims] == [{ONE, TWO}, {ONE}]


def test_a_task_id_reaches_the_other_lockfiles_when_one_fails(claims, monkeypatch):
    with Shelf(claims, ENDPOINT) as shelf:
        first, _ = shelf.lockfiles

        def fail(_facts):
            raise DiskError("no more")

        monkeypatch.setattr(first, "append", fail)
        with pytest.raises(DiskError, match="no more"):
            shelf.append([submission(ONE, key="both", tasks=("7",))])
    assert known(claims[1]) == {ONE}


def test_where_one_lockfile_is_held_none_is(claims):
    with Lockfile(claims[1].path, ENDPOINT), pytest.raises(LockfileHeld):
        Shelf(claims, ENDPOINT)
    with Lockfile(claims[0].path, ENDPOINT):
        pass


def test_keeping_some_submissions_takes_the_others_from_every_lockfile_and_adds_none(claims):
    with Shelf(claims, ENDPOINT) as shelf:
        shelf.append([submission(ONE, key="both"), submission(TWO, key="a"), submission(THREE, key="b")])
        shelf.keep([submission(ONE, key="both"), submission(TWO, key="a")])
    assert [known(claim) for claim in claims] == [{ONE, TWO}, {ONE}]


def test_what_is_durable_by_now_is_told_beside_what_was_there_at_first(claims):
    with Shelf(claims, ENDPOINT) as shelf:
        shelf.append([submission(ONE, key="a", cell="hero")])
        shelf.append([submission(ONE, key="a", tasks=("2221",))])
        assert shelf.history.submissions == {}
        assert shelf.now().submissions == {ONE: submission(ONE, key="a", cell="hero", tasks=("2221",))}
