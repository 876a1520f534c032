"""A run as JUnit XML, which every CI system shows: a suite an entry, a case a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from flux_pipeline.report.cases import Case  # it knows every room, and a report is begun before they are read

_NAME = "flux-pipeline"
# XML 1.0 has no way to write these, not even as a reference; and those that turn the direction of text.
_NOT_XML = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_UNWANTED = re.compile(f"{_NOT_XML}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_VERDICTS: Mapping[str, tuple[str, str]] = {  # the element, and the attribute of a suite that counts it
    "failed": ("failure", "failures"),
    "paid": ("failure", "failures"),
    "doubtful": ("error", "errors"),
    "running": ("skipped", "skipped"),
    "pending": ("skipped", "skipped"),
}


def xml(cases: Iterable[Case], *, seconds: float, exit_code: int, stopped: str) -> bytes:
    """Return the document; `stopped` says why the run ended early, if it did, and is an error of its own then."""
    root = Element("testsuites", name=_NAME)
    suites: dict[tuple[str, str], Element] = {}
    if stopped:
        suite = suites["", ""] = SubElement(root, "testsuite", name=_NAME)
        _properties(suite, {"exit_code": str(exit_code)})
        case = SubElement(suite, "testcase", name="run", classname=_NAME, time=f"{seconds:.3f}")
        _verdict(case, "error", "stopped", stopped)
    for one in cases:
        found = suites.get((one.manifest, one.entry))
        if found is None:
            found = suites[one.manifest, one.entry] = SubElement(root, "testsuite", name=_text(one.suite))
            _properties(found, {"manifest": one.manifest})
        _case(found, one)
    for suite in suites.values():
        _count(suite, [*suite.iter("testcase")])
    _count(root, [*root.iter("testcase")])
    root.set("time", f"{seconds:.3f}")
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(suite: Element, one: Case) -> None:
    name, manifest = _text(one.cell), _text(one.manifest)
    case = SubElement(suite, "testcase", name=name, classname=manifest, file=manifest, time=f"{one.seconds:.3f}")
    cost = "unknown" if one.cost is None and one.state == "saved" else f"{one.cost:f}" if one.cost is not None else ""
    known = {"path": one.path, "state": one.state, "task": one.task or "", "cost_usd": cost}
    _properties(case, {word: value for word, value in known.items() if value})
    if one.state in _VERDICTS:
        _verdict(case, _VERDICTS[one.state][0], one.state, one.reason)


def _verdict(case: Element, tag: str, kind: str, reason: str) -> None:
    reason = _text(reason) or kind
    verdict = SubElement(case, tag, message=reason.partition("\n")[0])
    if tag != "skipped":
        verdict.set("type", kind)
        verdict.text = reason


def _properties(element: Element, known: Mapping[str, str]) -> None:
    properties = SubElement(element, "properties")
    for name, value in known.items():
        SubElement(properties, "property", name=name, value=_text(value))


def _count(element: Element, cases: list[Element]) -> None:
    element.set("tests", str(len(cases)))
    for tag, attribute in dict(_VERDICTS.values()).items():
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _text(text: str) -> str:
    return _UNWANTED.sub("", text)
