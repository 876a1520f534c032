"""A rule of safety that nothing would miss is no rule."""

from __future__ import annotations

from kills.scripts import call


def test_the_real_program_turns_a_proof_red_without_its_witness_its_checksums_and_its_grace():
    printed = call("mutants/table.py", "--only", "wire witness", "--only", "crc", "--only", "grace", "--kills", "200")
    assert "NOTHING" not in printed
