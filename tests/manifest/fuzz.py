"""Look for a manifest that the program cannot stand: one that raises what is no FluxError, or that takes too long.

    python tests/manifest/fuzz.py --inputs 50000 --seed 1

Input N of a seed is the same on every machine: `--seed S --first N --inputs 1` makes it again, and `--show` prints it.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flux_pipeline.errors import FluxError, ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.report import problems as report

HERE = Path(__file__).parent
SECONDS = 2.0
MAX_CELLS = 2000  # as with --max-cells: an honest matrix may be as large as its author allows
SEEDS = [
    file.read_bytes()
    for kind in ("corpus/valid", "corpus/invalid", "hostile")
    for file in sorted((HERE / kind).glob("*.yaml"))
]

NAMES = (
    "color",
    "seed",
    "size",
    "format",
    "width",
    "prompt",
    "entry",
    "ext",
    "key",
    "n",
    "look",
    "exclude",
    "include",
    "x_1",
    "é",
    "",
    "<<",
    "a-b",
    "_x",
    "outputFormat",
)
SCALARS = (
    "1",
    "0",
    "-1",
    "1.5",
    "1e3",
    "1e999",
    ".inf",
    ".nan",
    "0x10",
    "007",
    "1_000",
    "true",
    "no",
    "~",
    "",
    "''",
    '""',
    "red",
    "teal",
    "64x64",
    "1024x1000",
    "png",
    "jpeg",
    "5/s",
    "30m",
    "16:9",
    "2026-01-02",
    "99999999999999999999",
    '"\\ud800"',
    '"\\0"',
    "!!int 1",
    "!!binary aGk=",
    "&a 1",
    "*a",
    "|",
    ">-",
    "{{ a }}",
    '"{{ color }}"',
    '"{{ color | slug }}"',
    '"{{ look.mood }}"',
    "'{{ n + 1 }}'",
    '"../x"',
    "a/b",
    '"CON"',
    "e\u0301",
    "\u202ex",
    "x" * 300,
)
KEYS = (
    "version",
    "model",
    "params",
    "vars",
    "output",
    "run",
    "entries",
    "id",
    "prompt",
    "matrix",
    "foreach",
    "derive",
    "exclude",
    "include",
    "presets",
    "suffix",
    "range",
    "count",
    "rate",
    "concurrency",
    "max_cost",
    "max_cells",
    "grace",
    "timeout",
)
PIECES = ("{{", "}}", "{%", "%}", "{#", "#}", " | ", "slug", "upper", "truncate(", "replace('a', 'b')", "default('x')", "join", "round(2)", "(", ")", "[0]", ".mood", "['a']", "'a'", '"', "'", "~", "+", "-", "*", "**", "/", "%", "==", "<", "in", "is", "not ", "defined", "if ", "else ", "elif ", "endif", "for x in y", "endfor", "set a = 1", "raw", "endraw", "true", "none", "1", "9" * 30, "1e5", "\\", "\n", " ", ",", ":", *NAMES)  # fmt: skip
BYTES = (b"\x00", b"\t", b"\n", b"\r", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", "\u2028".encode(), "\u202e".encode(), "\u200b".encode(), b"{", b"}", b"[", b"]", b":", b": ", b"- ", b"? ", b"&a ", b"*a", b"!x ", b"!!", b"|", b">", b"%", b"@", b"`", b"'", b'"', b"#", b" #", b",", b"~", b"<<: *a", b"---\n", b"...\n", b"{{", b"}}", b"{%", b"\\", b"\\u", b"  ", b"9" * 40, b"-", b".")  # fmt: skip

Maker = Callable[[random.Random], bytes]


def scalar(dice: random.Random) -> str:
    return dice.choice(SCALARS)


def flow(dice: random.Random, depth: int = 0) -> str:
    """Return a value in brackets, or a scalar."""
    kind = dice.random()
    if depth > 3 or kind < 0.55:
        return scalar(dice)
    many = dice.randrange(4)
    if kind < 0.78:
        return "[" + ", ".join(flow(dice, depth + 1) for _ in range(many)) + "]"
    names = dice.choice((NAMES, KEYS))
    return "{" + ", ".join(f"{dice.choice(names)}: {flow(dice, depth + 1)}" for _ in range(many)) + "}"


def template(dice: random.Random) -> str:
    if dice.random() < 0.5:
        return "".join(dice.choices(PIECES, k=dice.randrange(1, 14)))
    inner = "".join(dice.choices(PIECES[6:], k=dice.randrange(1, 8)))
    return f"A {{{{ {inner} }}}} cup"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"


def axis(dice: random.Random) -> str:
    kind = dice.random()
    if kind < 0.6:
        return "[" + ", ".join(scalar(dice) for _ in range(dice.randrange(5))) + "]"
    if kind < 0.75:
        bounds = ", ".join(
            dice.choice(("1", "-5", "50", "0", "1.5", "x", "10000000000")) for _ in range(dice.randrange(4))
        )
        return f"{{range: [{bounds}]}}"
    return f"{{count: {scalar(dice)}}}" if kind < 0.82 else flow(dice)


def written(dice: random.Random) -> bytes:
    """Write a manifest that is sound but for some of its parts; of how many, is thrown first."""
    odd = dice.choice((0.01, 0.1, 0.4))

    def or_odd(sound: str) -> str:
        return flow(dice) if dice.random() < odd else sound

    def some(keys: Iterable[str], indent: str) -> list[str]:
        return [f"{indent}{key}: {flow(dice)}" for key in keys if dice.random() < odd / 2]

    lines = [f"version: {or_odd('1')}", *some(("model", "params", "run", "presets", dice.choice(KEYS)), "")]
    lines.append(f"vars: {or_odd('{look: {mood: calm, n: [1, 2]}, x_1: 1.5, n: 3}')}")
    if dice.random() < 0.5:
        inner = (
            template(dice) if dice.random() < odd else "{{ color | slug }}-{{ seed }}-{{ width }}-{{ ext }}-{{ key }}"
        )
        lines.append(f"output: {quoted('outputs/{{ entry }}/' + inner + '.{{ ext }}')}")
    lines.append("entries:")
    for number in range(dice.randrange(1, 4)):
        prompt = template(dice) if dice.random() < odd * 2 else f"A {{{{ color }}}} cup {number}"
        lines += [f"  - id: {or_odd(f'e{number}')}", f"    prompt: {or_odd(quoted(prompt))}"]
        lines += some(("vars", "params", "foreach", "derive", "run", dice.choice(KEYS)), "    ")
        lines += ["    matrix:", f"      color: {or_odd('[red, teal]')}"]
        axes = [
            "seed: [1, 2]",
            "size: [64x64, 512x1024]",
            "format: [png, jpeg]",
            "n: [1, 2.5, true]",
        ]
        lines += [f"      {line}" for line in dice.sample(axes, dice.randrange(1, 5))]
        if dice.random() < odd:
            lines += [f"      {dice.choice(NAMES)}: {axis(dice)}"]
        if dice.random() < odd:
            lines.append(f"      {dice.choice(('exclude', 'include'))}: {flow(dice)}")
    return "\n".join(lines).encode("utf-8", "replace")


def mutated(dice: random.Random) -> bytes:
    """Spoil a manifest of the corpus in a few places."""
    text = bytearray(dice.choice(SEEDS)[:20_000])
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at = dice.randrange(len(text) + 1)
        length = dice.choice((1, 1, 2, 5, 40))
        match dice.randrange(8):
            case 0:
                text[at:at] = dice.choice(BYTES)
            case 1:
                del text[at : at + length]
            case 2:
                text[at : at + length] = dice.choice(BYTES)
            case 3:
                text[at:at] = text[at : at + length] * dice.choice((1, 2, 50))
            case 4:
                other = dice.choice(SEEDS)
                start = dice.randrange(len(other) + 1)
                text[at:at] = other[start : start + dice.choice((5, 30, 200))]
            case 5:
                text[at:at] = scalar(dice).encode("utf-8", "replace")
            case 6:
                text[at : at + 1] = bytes([dice.randrange(256)])
            case _:
                swap_values(text, dice)
    return bytes(text)


def swap_values(text: bytearray, dice: random.Random) -> None:
    """Give a key of the text another value."""
    places = [found.span(1) for found in re.finditer(rb": ([^\s,\]}]+)", text)]
    if places:
        start, end = dice.choice(places)
        text[start:end] = flow(dice).encode("utf-8", "replace")


def prompts(dice: random.Random) -> bytes:
    """Write a sound manifest around a hostile template."""
    text = template(dice) * dice.choice((1, 1, 1, 3, 40))
    where = dice.choice(("prompt", "output"))
    output = f"output: {quoted(text)}\n" if where == "output" else ""
    prompt = quoted(text) if where == "prompt" else "p"
    rest = "vars: {look: {mood: calm, n: [1, 2]}, n: 3, x_1: 1.5, key_2: true}"
    return f"version: 1\n{output}{rest}\nentries:\n  - id: a\n    prompt: {prompt}\n    matrix: {{color: [red, é], seed: [1, 2]}}\n".encode(
        "utf-8", "replace"
    )


def noise(dice: random.Random) -> bytes:
    return b"".join(dice.choices(BYTES + tuple(word.encode() for word in KEYS), k=dice.randrange(1, 60)))


# A further kind of hostile input, such as the files that `foreach` names, is a further maker.
MAKERS: tuple[Maker, ...] = (written, written, mutated, mutated, mutated, prompts, noise)


def made(seed: int, number: int) -> bytes:
    dice = random.Random(f"{seed}/{number}")
    return dice.choice(MAKERS)(dice)


class Hang(BaseException):
    """The time of an input is over. Not an Exception: nothing that is tested may catch it."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    def over(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Finding:
    number: int
    what: str


def judged(source: bytes, schemas: Schemas) -> tuple[str, str | None]:
    """Return what came of an input, and what is wrong with that; it must be readable whatever the input was."""
    try:
        with deadline(SECONDS):
            try:
                expansion = expand(source, file="m.yaml", schemas=schemas, max_cells=MAX_CELLS)
                found, outcome = expansion.warnings, "sound"
            except ManifestError as error:
                found, outcome = error.problems, "refused"
            text = "\n".join(report.text(found, ["m.yaml"], 1)) + "\n".join(report.github(found))
            report.document(found, 1)
    except Hang:
        return "hang", f"took more than {SECONDS} s"
    except FluxError as error:
        return "refused", None if str(error) else "an error without words"
    except Exception:  # noqa: BLE001 - the very thing that is looked for
        return "raised", traceback.format_exc(limit=-6)
    if outcome == "refused" and not any(problem.severity == "error" for problem in found):
        return outcome, "refused without an error"
    if not text.replace("\n", "").isprintable() and re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text
    ):
        return outcome, "what is shown would command a terminal"
    for problem in found:
        if problem.source and ("^" not in problem.marks or problem.line < 1):
            return outcome, f"a quoted line without its place: {problem}"
        if not problem.message or not problem.code:
            return outcome, f"a problem without words: {problem!r}"
    return outcome, None


def explore(seed: int, first: int, inputs: int) -> tuple[Counter[str], list[Finding], float]:
    """Return how often each outcome came, what was wrong, and the longest time of an input in seconds."""
    schemas = Schemas()
    outcomes: Counter[str] = Counter()
    findings: list[Finding] = []
    longest = 0.0
    for number in range(first, first + inputs):
        source = made(seed, number)
        began = time.perf_counter()
        outcome, wrong = judged(source, schemas)
        longest = max(longest, time.perf_counter() - began)
        outcomes[outcome] += 1
        if wrong is not None:
            findings.append(Finding(number, wrong))
    return outcomes, findings, longest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    if given.show:
        sys.stdout.buffer.write(made(given.seed, given.first))
        return 0
    began = time.perf_counter()
    outcomes, findings, longest = explore(given.seed, given.first, given.inputs)
    seconds = time.perf_counter() - began
    for finding in findings[:20]:
        sys.stdout.write(f"--seed {given.seed} --first {finding.number} --inputs 1: {finding.what}\n")
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    sys.stdout.write(f"{given.inputs:,} inputs in {seconds:.1f} s ({told}); the longest took {longest:.2f} s; ")
    sys.stdout.write(f"{len(findings)} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
