"""Facts for these tests: a small believable history, and every submission that Hypothesis can think of."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from flux_pipeline.ledger.facts import Decision, DerivedFact, FileFact, Refused, Settled, Submission

ENDPOINT = "https://api.wiro.ai/v1"

_words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_moments = st.sampled_from(["2026-11-23T01:00:00Z", "2026-11-23T01:00:01Z", "2026-11-23T02:00:00Z"])
_tasks = st.integers(1, 10**20 - 1).map(str)
_dollars = st.decimals(0, 100, places=12) | st.sampled_from(
    [Decimal(0), Decimal("0.03"), Decimal("0.030"), Decimal("1E+1")]
)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_words, inner, max_size=2),
    max_leaves=4,
)


def _seldom(values):
    return st.none() | values


def _sorted(tasks):
    return tuple(sorted(tasks, key=lambda task: (len(task), task)))


settled = st.builds(
    Settled,
    state=st.sampled_from(["finished", "failed", "cancelled"]),
    pexit=_seldom(st.sampled_from(["", "0", "1"])),
    cost=_seldom(_dollars),
    at=st.just("") | _moments,
    reason=_words,
)
files = st.builds(
    FileFact,
    sha256=st.sampled_from(["a" * 64, "b" * 64]),
    bytes=st.integers(1, 3),
    width=st.integers(1, 3),
    height=st.integers(1, 3),
    take=st.integers(1, 3),
)

derived = st.builds(
    DerivedFact,
    master=st.sampled_from(["a" * 64, "b" * 64]),
    recipe=st.sampled_from(["c" * 64, "d" * 64]),
    sha256=st.sampled_from(["e" * 64, "f" * 64]),
    bytes=st.integers(1, 3),
    width=st.integers(1, 3),
    height=st.integers(1, 3),
    take=st.integers(1, 3),
)

reviews = st.builds(
    Decision,
    verdict=st.sampled_from(["approved", "rejected", "none"]),
    by=st.sampled_from(["Ada <ada@example.org>", "grace"]),
    at=st.sampled_from(["2026-11-23T01:00:00Z", "2026-11-23T01:00:00.5Z", "2026-11-23T01:00:00.500000Z"]),
    sha256=st.sampled_from(["a" * 64, "b" * 64]),
    note=_words,
    cells=st.sampled_from([(), ("hero/seed=1",), ("hero/seed=1", "hero/ü")]),
)


def submissions(identity="5d" * 16, key="9f" * 32):
    """Submissions of one id and key unless told otherwise, so that they can be joined."""
    return st.builds(
        Submission,
        id=st.just(identity),
        key=st.just(key),
        cell=_seldom(_words),
        intended_at=_seldom(_moments),
        watermark=_seldom(_tasks),
        estimate=_seldom(_dollars),
        tasks=st.sets(_tasks, max_size=3).map(_sorted),
        adopted=st.booleans(),
        refused=_seldom(st.builds(Refused, code=_words, message=_words)),
        unsent=_seldom(_words),
        absent=_seldom(_words),
        settled=_seldom(settled),
        files=st.dictionaries(st.sampled_from(["outputs/a.png", "outputs/ü/b c.png"]), files, max_size=2),
        derived=st.dictionaries(st.sampled_from(["outputs/a.webp", "outputs/ü/b@half.jpg"]), derived, max_size=2),
        review=_seldom(reviews),
        extra=st.dictionaries(_words.map(lambda name: f"x-{name}"), _json, max_size=2),
    )


_ID = "0123456789abcdef"
ids = st.sampled_from([letter * 32 for letter in _ID[:6]])


def by_id(one):
    """Give a submission the key that goes with its id; two ids share one."""
    return {"0": "a", "1": "a", "2": "b", "3": "c", "4": "d", "5": "e"}[one[0]] * 64


@st.composite
def facts(draw):
    """One line of a lockfile of a few renders."""
    identity = draw(ids)
    return draw(submissions(identity, by_id(identity)))


def submission(number=1, **known):
    """A submission told by one digit; `n` in an id or key is easy to see in a failing test."""
    known.setdefault("key", f"{number:x}" * 64)
    return Submission(id=f"{number:x}" * 32, **known)


def history():
    """The lines of a run as they were appended: two pictures, one refusal, one task still running."""
    picture = FileFact(sha256="c" * 64, bytes=202472, width=1024, height=1024)
    done = Settled(state="finished", pexit="0", cost=Decimal("0.03"), at="2026-11-23T01:00:09Z")
    intents = [
        submission(
            number,
            cell=f"hero/color=rot–{number},seed=1",
            intended_at=f"2026-11-23T01:00:0{number}Z",
            watermark="2207",
            estimate=Decimal("0.03"),
        )
        for number in (1, 2, 3, 4)
    ]
    return [
        *intents[:2],
        submission(1, tasks=("2221",)),
        submission(2, tasks=("2222",)),
        *intents[2:],
        submission(3, refused=Refused(code="0", message="Request parameter [width] must be a multiple of 16")),
        submission(4, tasks=("2223",)),
        submission(1, settled=done),
        submission(1, files={"outputs/hero/1.png": picture}),
        submission(2, settled=done, extra={"x-note": ["keep", 1]}),
        submission(2, files={"outputs/hero/2.png": picture}),
    ]
