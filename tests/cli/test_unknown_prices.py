"""What costs nobody knows how much is called unknown wherever money is shown, and never counted as nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal

import pytest
from cli import errands
from cli.errands import QUEUED, rewrite
from cli.workshop import entry

from flux_pipeline.progress import Lines
from flux_pipeline.report import documents, text
from flux_pipeline.run.jobs import Session
from flux_pipeline.run.outcome import End, Outcome, Snapshot

MODEL = "black-forest-labs/flux-2-pro-t2i"


@pytest.fixture
def mixed(open_workshop, monkeypatch, capfd):
    """Open a workshop of three pictures, for some of which the model's schema has a price; return it and its calls."""

    def opening(priced=(1,), **settings):
        workshop = open_workshop(**settings)
        workshop.write(entry())
        call = errands.caller(workshop, monkeypatch, capfd)
        known = call("schema", MODEL, manifest=None).document
        known["price"] = [{"inputs": {"seed": str(seed)}, "price": "0.03", "priceMethod": "cpr"} for seed in priced]
        file = workshop.folder / "schemas" / "models" / f"{MODEL}.schema.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(known))
        return workshop, call

    return opening


def test_a_plan_says_what_it_costs_at_least_and_how_many_prices_are_unknown(mixed):
    _, call = mixed()
    assert "3 to submit; at least $0.03, and 2 renders of unknown price" in call("plan").out
    assert call("plan").out.count("  unknown  never submitted") == 2
    document = call("plan", "--json").document
    assert (document["estimate_usd"], document["unknown_prices"]) == (0.03, 2)
    assert [step["estimate_usd"] for step in document["steps"]] == [0.03, None, None]


def test_a_plan_of_nothing_but_unknown_prices_names_no_amount(mixed):
    _, call = mixed(priced=())
    said = call("plan").out
    assert said.endswith("3 to submit; 3 renders of unknown price\n")
    assert "$" not in said
    document = call("plan", "--json").document
    assert (document["estimate_usd"], document["unknown_prices"]) == (None, 3)


def test_a_plan_with_nothing_to_pay_costs_nothing_for_certain(mixed):
    _, call = mixed(priced=())
    assert call("run", "--simulate", "--no-progress").code == 0
    document = call("plan", "--simulate", "--json").document
    assert document["estimate_usd"] == 0
    assert "unknown_prices" not in document


def test_status_says_what_is_reserved_at_least_and_what_was_spent_on_what_nobody_priced(mixed):
    _, call = mixed(**QUEUED)
    call("run", "--submit-only", "--no-progress")
    assert "$0.00 spent, at least $0.03 reserved" in call("status").out
    document = call("status", "--json").document
    assert document["cost_usd"] == {"spent": 0.0, "reserved": 0.03, "unknown_prices": 2}


def test_a_charge_that_the_service_never_told_stays_unknown_in_status_audit_and_prune(mixed):
    workshop, call = mixed(priced=())
    assert call("run", "--simulate", "--no-progress").code == 0
    lockfile = workshop.lockfile.with_name("m.simulated.lock")
    rewrite(lockfile, lambda one: replace(one, settled=replace(one.settled, cost=None)))
    assert "unknown spent, $0.00 reserved" in call("status", "--simulate").out
    assert call("status", "--simulate", "--json").document["cost_usd"] == {
        "spent": None,
        "reserved": 0.0,
        "unknown_prices": 3,
    }
    workshop.write(entry(seeds=(1,)))
    dry = call("prune", "--simulate", "--dry-run", "--json")
    assert (dry.document["cost_usd"], dry.document["unknown_prices"]) == (None, 2)
    assert {record["cost_usd"] for record in dry.document["records"]} == {None}
    assert "would forget unknown of spending" in dry.err


def test_an_audit_is_about_at_least_what_is_known(mixed):
    workshop, call = mixed(**QUEUED)
    for seed in (1, 2):
        errands.post(workshop, seed=seed)
    document = call("audit", "--json").document
    assert [(one["kind"], one["cost_usd"]) for one in document["findings"]] == [("orphan", 0.03), ("orphan", None)]
    assert (document["cost_usd"], document["unknown_prices"]) == (0.03, 1)
    assert "they are about at least $0.03" in call("audit").out


def outcome(charged="0", uncharged=0, spent="0", unpriced=0):
    end = End(key="k", cells=("a",), state="saved", task="1", reason="")
    return Outcome(
        exit_code=0,
        stopped="",
        ends=(end,),
        session=Session(),
        charged=Decimal(charged),
        spent=Decimal(spent),
        seconds=1.0,
        uncharged=uncharged,
        unpriced=unpriced,
    )


def test_a_run_whose_charges_were_not_told_says_so():
    assert "unknown this run, at least $0.06 in all" in "".join(text.ran(outcome("0", 1, "0.06", 1)))
    assert "$0.00 this run, $0.06 in all" in "".join(text.ran(outcome("0", 0, "0.06", 0)))
    document = documents.ran(outcome("0", 1, "0.06", 2), {}, 1)
    assert document["cost_usd"] == {"session": None, "total": 0.06, "unknown_prices": 2}


def test_the_progress_does_not_show_an_unknown_charge_as_nothing(capsys):
    glance = Snapshot(
        renders=2, saved=0, failed=0, doubtful=0, running=2, charged=Decimal("0.03"), uncharged=1, note=""
    )
    lines = Lines(sys.stderr)
    lines(glance)
    lines(replace(glance, saved=2))
    assert "at least $0.03" in capsys.readouterr().err
