"""Manifests that are made to hang or to fill the memory, each expanded in a process of its own with hard limits.

As a script it expands all of them, or those named, and prints one JSON line for each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from flux_pipeline.errors import FluxError, ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

MEMORY = 512 << 20
SECONDS = 2

HEAD = "version: 1\nentries:\n"
FULL = 2_000_000  # just below the limit of a file
LONG = "x" * 65_000


def entry(prompt="p", rest=""):
    return f"{HEAD}  - {{id: a, prompt: {json.dumps(prompt)}{rest}}}\n"


def cells(prompt, variables=None, *, many=10_000, output=None):
    """Return a manifest of many cells whose prompt is a template."""
    given = json.dumps(variables or {})
    top = "" if output is None else f"output: {json.dumps(output)}\n"
    seeds = ", ".join(map(str, range(many)))
    return f"version: 1\n{top}entries:\n  - {{id: a, prompt: {json.dumps(prompt)}, vars: {given}, matrix: {{n: [{seeds}]}}}}\n"


def laughs(levels, width, use="vars: {bomb: *a%d}\nentries: [{id: a, prompt: p}]\n"):
    rows = ["&a0 [" + ", ".join(["lol"] * width) + "]"]
    rows += [f"&a{level} [" + ", ".join([f"*a{level - 1}"] * width) + "]" for level in range(1, levels)]
    return "version: 1\nlevels:\n" + "".join(f"  - {row}\n" for row in rows) + use % (levels - 1)


BOMBS = {
    # name: (text, code of one of the errors that it must give; None where it may be sound)
    "deep lists": ("a: " + "[" * 900_000, "depth"),
    "deep mappings": ("{a: " * 400_000, "depth"),
    "deep dashes": ("- " * 900_000, "depth"),
    "deep keys": ("? " * 900_000, "key"),
    "deep block": ("".join(" " * depth + "a:\n" for depth in range(1900)), "depth"),
    "billion laughs": (laughs(10, 10), "alias"),
    "quadratic laughs": ("a: &a [" + "x, " * 300_000 + "]\nb: [" + "*a, " * 90 + "]\n", "alias"),
    "many aliases": ("a: &a x\nb: [" + "*a, " * 400_000 + "]\n", "alias"),
    "many anchors": ("a: [" + "".join(f"&a{n} x, " for n in range(150_000)) + "]\n", "unknown-key"),
    "merge keys": ("a: &a {b: 1}\nc:\n" + "  <<: *a\n" * 99, "merge-key"),
    "many merge keys": ("a: {" + "<<: x, " * 250_000 + "}\n", "merge-key"),
    "an anchor in itself": ("a: &a {b: *a}\n", "alias"),
    "a long key": ("k" * FULL + ": 1\n", "syntax"),
    "a long quoted key": ('"' + "k" * 100_000 + '": 1\n', "syntax"),
    "an explicit long key": ('? "' + "k" * 1_900_000 + '"\n: 1\n', "scalar"),
    "many keys": ("".join(f"k{n}: 1\n" for n in range(150_000)), "more"),
    "one key many times": ("a: 1\n" * 300_000, "duplicate-key"),
    "a long number": ("version: " + "9" * FULL, "scalar"),
    "many long numbers": ("version: [" + ("9" * 5000 + ", ") * 390 + "]", "scalar"),
    "a long fraction": ("version: 0." + "1" * FULL, "scalar"),
    "a long exponent": ("version: 1e" + "9" * 10_000, "scalar"),
    "a hexadecimal number": ("version: 0x" + "f" * 1_000_000, "scalar"),
    "infinities": ("version: [" + ".inf, " * 300_000 + "]", "more"),
    "a long text": ("version: '" + "x" * FULL + "'", "scalar"),
    "escapes": ('version: "' + "\\u0041" * 300_000 + '"', "scalar"),
    "an open quote": ("a: '" + "x\n" * 900_000, "syntax"),
    "quotes": ("'" * FULL, "top"),
    "tags": ("a: " + "!!" * 900_000, "scalar"),
    "many tags": ("a: [" + "!x y, " * 300_000 + "]", "more"),
    "comments": ("# c\n" * 490_000, "empty"),
    "line breaks": ("\n" * FULL, "empty"),
    "directives": ("%YAML 1.2\n" * 190_000 + "---\na: 1", "syntax"),
    "unknown directives": ("%A b\n" * 390_000 + "---\na: 1", "syntax"),
    "documents": ("---\n" * 490_000, "documents"),
    "tabs": ("a:\n" + "\t- b\n" * 390_000, "syntax"),
    "a fault at the end of a long line": ("a: [" + "x, " * 350_000 + "x" * 64_000 + "]]", "syntax"),
    "carriage returns": ("a: 1\r" * 390_000, "duplicate-key"),
    "zero width": ("\u200b" * 600_000, "top"),
    "too large": ("x" * (3 << 20), "too-large"),
    "too many values": ("version: 1\nvars: {a: [" + "1, " * 600_000 + "]}", "too-large"),
    "too many mappings": (HEAD.rstrip() + " [" + "{}, " * 450_000 + "]", "too-large"),
    "too many keys": ("".join(f"k{n}: 1\n" for n in range(210_000)), "too-large"),
    "wrong entries": (HEAD.rstrip() + " [" + "1, " * 350_000 + "]", "more"),
    "empty entries": (HEAD.rstrip() + " [" + "{}, " * 190_000 + "]", "more"),
    "wrong values": (entry(rest=", matrix: {seed: [" + "x y, " * 350_000 + "]}"), "more"),
    "wrong sizes": (entry(rest=", matrix: {size: [" + "1x1, " * 350_000 + "]}"), "more"),
    "equal values": (entry(rest=", matrix: {seed: [" + "1, " * 350_000 + "]}"), "more"),
    "many axes": (entry(rest=", matrix: {" + ", ".join(f"a{n}: [1]" for n in range(20_000)) + "}"), None),
    "axes of two": (entry(rest=", matrix: {" + ", ".join(f"a{n}: [1, 2]" for n in range(20_000)) + "}"), "too-many-cells"),
    "misspelt axes": (entry(rest=", matrix: {" + ", ".join(f"sed{n}: [1]" for n in range(20_000)) + "}"), None),
    "many cells": (entry(rest=", run: {max_cells: 5}, matrix: {n: [" + ", ".join(map(str, range(250_000))) + "]}"), "too-many-cells"),
    "unknown parameters": (entry(rest=", params: {" + ", ".join(f"seedy{n}: 1" for n in range(90_000)) + "}"), "more"),
    "undefined among many": (
        "version: 1\nvars: {" + ", ".join(f"color{n}: 1" for n in range(60_000)) + "}\nentries:\n"
        + "".join(f"  - {{id: e{n}, prompt: '{{{{ colour{n} }}}}'}}\n" for n in range(10_000)),
        "too-much",
    ),
    "many undefined names": (entry("".join(f"{{{{ a{n} }}}}" for n in range(600))), "template"),
    "long undefined names": (entry("{{ " + "a" * 8000 + " }}"), "undefined"),
    "entries of one name": (HEAD + "  - {id: a, prompt: p}\n" * 60_000, "more"),
    "templates": (HEAD + "".join(f"  - {{id: e{n}, prompt: '{{{{ n | upper }}}} {n}'}}\n" for n in range(9_000)), "more"),
    "compiled templates": (HEAD + "".join(f"  - {{id: e{n}, prompt: '{{{{ entry | upper }}}} {n}'}}\n" for n in range(4_000)), None),
    "brackets in a template": (entry("{{ " + "(" * 4000 + "1" + ")" * 4000 + " }}"), "template"),
    "flat brackets in a template": (entry("{{ " + "[1]" * 2500 + " }}"), "template"),
    "attributes": (entry("{{ a" + ".b" * 4000 + " }}"), "template"),
    "signs": (entry("{{ " + "-" * 8000 + "1 }}"), "template"),
    "nots": (entry("{{ " + "not " * 2000 + "1 }}"), "template"),
    "ifs": (entry("{% if a %}" * 700), "template"),
    "elses": (entry("{{ " + "1 if 1 else " * 600 + "1 }}"), "template"),
    "filters in a row": (entry("{{ entry" + "|upper" * 1300 + " }}"), "template"),
    "comments in a template": (entry("{#" * 4000), "template"),
    "openers": (entry("{{" * 4000), "template"),
    "a long template": (entry("{{ a }}" + "x" * 60_000), "template"),
    "a loop": (entry("{% for i in range(10**9) %}x{% endfor %}"), "template"),
    "a product": (entry("{{ 'x' * 10**9 }}"), "template"),
    "a power": (entry("{{ 9 ** 9 ** 9 }}"), "template"),
    "a wide text": (entry("{{ 'x' | center(10**9) }}"), "template"),
    "an indent": (entry("{{ 'x' | indent(1000000000) }}"), "template"),
    "a format": (entry("{{ '%1000000000d' | format(1) }}"), "template"),
    "a percent": (entry("{{ '%1000000000d' % 1 }}"), "template"),
    "a format method": (entry("{{ '{:>1000000000}'.format(1) }}"), "template"),
    "lorem ipsum": (entry("{{ lipsum(n=1000000) }}"), "template"),
    "a macro": (entry("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), "template"),
    "a slice": (entry("{{ [1] | slice(1000000000) }}"), "template"),
    "a large round": (entry("{{ 1.5 | round(1000000000) }}"), "template"),
    "a large integer": (entry("{{ '" + "9" * 8000 + "' | int }}"), None),
    "replacements": (
        cells("{{ n ~ x" + " | replace('x', 'xxxxxxxxxxxxxxxx')" * 4 + " }}", {"x": "x"}), None),
    "doubling replacements": (
        cells("{{ n ~ x" + " | replace('x', 'xxxxxxxxxxxxxxxx')" * 60 + " }}", {"x": "x"}), "too-much"),
    "joined texts": (cells("{{ n }}" + "{{ long }}" * 200, {"long": LONG}), "too-much"),
    "concatenated texts": (cells("{{ (" + "long ~ " * 100 + "n) | truncate(5) }} {{ n }}", {"long": LONG}), "too-much"),
    "compared texts": (cells("{{ n if " + "long ~ " * 100 + "n != 'x' else 1 }}", {"long": LONG}), "too-much"),
    "slugs of long texts": (cells("{{ (long ~ n) | slug | truncate(5) }} {{ n }}", {"long": "é" * 60_000}), "too-much"),
    "slugs in a row": (cells("{{ (long ~ n)" + " | slug" * 100 + " }}", {"long": "é" * 5000}), "too-much"),
    "slugs of a long constant": (cells("{{ ('" + "é" * 3500 + "' ~ n)" + " | slug" * 100 + " }}"), "too-much"),
    "long prompts": (cells("{{ n }} {{ long }}", {"long": LONG}), "too-much"),
    "long paths": (cells("{{ n }}", {"long": LONG}, output="outputs/{{ long }}{{ n }}.{{ ext }}"), "path-long"),
    "long ids": (
        entry(rest=", matrix: {n: [" + ", ".join(map(str, range(333))) + "], t: ["
              + ", ".join("t" * 64_000 + str(n) for n in range(30)) + "]}"), None),
    "wrong paths": (cells("{{ n }}", output="../{{ n }}/CON./a?b.{{ ext }}"), "path-outside"),
    "equal paths": (cells("{{ n }}", output="outputs/x.{{ ext }}"), "path-clash"),
    "paths of many folders": (cells("{{ n }}", output="outputs/" + "a/" * 1900 + "{{ n }}.{{ ext }}"), None),
    "texts of several directions": (cells("{{ n }} \u202e"), None),
    "warnings": ("version: 1\nvars: {t: \u202e}\nentries:\n" + "".join(
        f'  - {{id: e{n}, prompt: "\u202e {n}"}}\n' for n in range(9_900)), None),
    "nested conflicts": ("<<<<<<<\n" * 200_000, "merge-conflict"),
    "secrets": ("a: [" + "8f3a9b2c7d1e4f6a8b0c2d4e6f8a0b1c, " * 55_000 + "]", "more"),
    "words that might be secrets": ("a: '" + "a1-" * 20_000 + "'", "unknown-key"),
}  # fmt: skip


def defuse(text, schemas):
    """Return what comes of a manifest: codes, how many cells, seconds of CPU and bytes of memory."""
    began = time.process_time()
    made, codes, shown = 0, [], 0
    try:
        expansion = expand(text.encode("utf-8", "surrogatepass"), file="bomb.yaml", schemas=schemas)
        made, problems = len(expansion.cells), expansion.warnings
    except ManifestError as error:
        problems = error.problems
        shown = len(str(error))
    except FluxError as error:
        problems, codes = (), [type(error).__name__]
    codes += sorted({problem.code for problem in problems})
    seconds = time.process_time() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"codes": codes, "cells": made, "shown": shown, "seconds": round(seconds, 2), "bytes": most}


def main(names):
    schemas = Schemas()
    expand(b"version: 1\nentries: [{id: a, prompt: p}]", file="warm.yaml", schemas=schemas)
    for name in names or BOMBS:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (4 * SECONDS, 4 * SECONDS))
            try:
                told = defuse(BOMBS[name][0], schemas)
            except BaseException as error:  # noqa: BLE001 - the very thing that is looked for
                told = {"raised": f"{type(error).__name__}: {error}"[:300]}
            os.write(write, json.dumps(told).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        told = json.loads(said) if said else {"raised": f"the process ended with {os.waitstatus_to_exitcode(status)}"}
        sys.stdout.write(json.dumps({"name": name, **told}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
