"""Every safety rule is needed: without it, the simulation soon finds a picture that is paid twice, or lost."""

from __future__ import annotations

import pytest
from simulation import mutants
from simulation.explore import explore, find

_BUDGET = 20_000


@pytest.mark.parametrize("mutant", sorted(mutants.NAMES))
def test_a_protocol_without_one_of_its_rules_is_caught(mutant):
    found = find(mutant, _BUDGET)
    assert found is not None, f"nothing happens without {mutant}"
    assert explore(1, found.seed) is None, "the schedule breaks a promise with all the rules, too"
