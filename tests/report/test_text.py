"""The last words of a run: they fit a terminal, and what is to be copied out of them is whole."""

from __future__ import annotations

import pytest
from report.runs import cell, end, outcome

from flux_pipeline.report import text

HOSTILE = "h3/p=</script><script>window.PWNED=1</script>,seed=4"
URL = "https://cdn.example/a/very/long/way/to/a/picture/that/is/gone.png?signature=0123456789"


@pytest.mark.parametrize("columns", [20, 40, 60])
def test_an_id_a_path_or_an_address_longer_than_a_line_stays_whole(columns):
    failed = end(cell(1, name=HOSTILE), "failed", f"nothing is at {URL} any more")
    said = [*text.ran(outcome(failed, exit_code=1), columns=columns)]
    words = " ".join(said).split()
    assert f"{HOSTILE}:" in words
    assert URL in words
    assert all(len(line) <= columns or len(line.split()) == 1 for line in said)
