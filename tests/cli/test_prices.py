"""The price that the service tells, and what it charges, against `--max-cost`; told by the server's ledger."""

from __future__ import annotations

import json
from decimal import Decimal

import httpx
import pytest
from cli.workshop import entry
from wiro.hostile import Hostile, http, says

from flux_pipeline.cli.prices import limited
from flux_pipeline.cli.service import Access
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cells import Cell
from flux_pipeline.plan import Plan, PlannedRender, Step
from flux_pipeline.run.jobs import Policy
from flux_pipeline.wiro.auth import Credentials, Secret

FORTY = range(1, 41)
LIMIT = Decimal("0.60")
MODEL = "black-forest-labs/flux-2-pro-t2i"


@pytest.fixture
def rich(open_workshop):
    """Open a workshop of forty pictures with these prices."""

    def opening(*, run=None, **settings):
        workshop = open_workshop(**settings)
        workshop.write(entry(seeds=FORTY), **({} if run is None else {"run": run}))
        return workshop

    return opening


def priced(workshop, **price):
    """Give the project a schema of its own with this price, or with none."""
    known = workshop.call("schema", MODEL).document
    known.pop("price")
    file = workshop.folder / "schemas" / "models" / f"{MODEL}.schema.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(known | price))


@pytest.mark.parametrize("run", [None, {"rate": "500/s", "concurrency": 20}, {"rate": "20/s", "concurrency": 3}])
def test_a_dearer_price_that_the_service_tells_is_kept_within_the_limit(rich, run):
    workshop = rich(price=Decimal("0.07"), run=run)
    done = workshop.run("--max-cost", str(LIMIT))
    assert done.code == 3
    assert "max_cost" in done.err
    assert (workshop.made(), workshop.charged()) == (8, Decimal("0.56"))
    assert "$0.03 by its schema, $0.07 by the service; for max_cost $0.07 counts" in done.err
    assert "about $2.80" in done.err
    assert {line["estimate_usd"] for line in workshop.lines()} == {"0.07"}


@pytest.mark.parametrize("charge", ["0.07", "0.29", "0.30"])
@pytest.mark.parametrize("run", [None, {"rate": "500/s", "concurrency": 20}])
def test_a_charge_above_the_told_price_does_not_pass_the_limit(rich, charge, run):
    workshop = rich(charge=Decimal(charge), run=run)
    done = workshop.run("--max-cost", str(LIMIT))
    assert done.code == 3
    assert 0 < workshop.charged() <= LIMIT
    assert "by the service" not in done.err


def test_a_cheaper_price_is_named_and_the_dearer_one_counts(rich):
    workshop = rich(price=Decimal("0.02"))
    done = workshop.run("--max-cost", "0.05")
    assert done.code == 3
    assert "$0.03 by its schema, $0.02 by the service; for max_cost $0.03 counts" in done.err
    assert workshop.charged() <= Decimal("0.05")


def test_a_rehearsal_is_told_its_prices_too(tmp_path, open_workshop):
    workshop = open_workshop()
    priced(workshop, price=[{"inputs": {}, "price": 0.01, "priceMethod": "cpr"}])
    done = workshop.run("--simulate", "--max-cost", "0.07")
    assert done.code == 3
    assert "$0.01 by its schema, $0.03 by the service; for max_cost $0.03 counts" in done.err
    assert len(workshop.pictures()) == 2


def test_a_schema_without_a_price_is_bought_at_the_price_of_the_service(workshop):
    priced(workshop)
    done = workshop.run("--max-cost", "0.07")
    assert (done.code, workshop.made()) == (3, 2)
    assert "unknown by its schema, $0.03 by the service; for max_cost $0.03 counts" in done.err


@pytest.mark.parametrize(
    "fault",
    ["http_500_not_made", "html_502", "malformed", "http_503", "code_0_unknown_not_made", "lost_answer", "hang"],
)
def test_a_price_that_cannot_be_read_leaves_the_schema_s_in_force(open_workshop, fault):
    workshop = open_workshop(faults=[{"on": "tool", "what": fault}])
    done = workshop.run("--max-cost", "0.07")
    assert (done.code, workshop.made()) == (3, 2)
    assert "could not be read" in done.err
    assert "the schema's counts" in done.err
    assert done.seconds < 20


def test_a_price_is_asked_for_again_after_a_stumble(open_workshop):
    workshop = open_workshop(faults=[{"on": "tool", "what": "html_502", "first": 1}], price=Decimal("0.07"))
    done = workshop.run("--max-cost", "0.08")
    assert (done.code, workshop.charged()) == (3, Decimal("0.07"))


def estimated(answer, ours="0.03", step=Step.SUBMIT, **policy):
    """Return the estimate of one render after this answer of the service, and how often it was asked."""
    render = Render.of(MODEL, {"prompt": "x", "seed": 1})
    estimate = ours and Decimal(ours)
    planned = PlannedRender(wanted=(Cell("a", "a", {}, "p", render),), step=step, reason="", estimate=estimate)
    with Hostile(says(answer)) as server:
        access = Access(url=server.api, credentials=Credentials(Secret("key")))
        (one,) = limited(Plan((planned,)), Policy(**{"max_cost": Decimal(1), **policy}), access).renders
        return one.estimate, len(server.requests)


def listed(*price, **tool):
    tool = {"dynamicprice": json.dumps(price)} | tool
    return http(json.dumps({"result": True, "tool": [tool]}).encode())


CPS = {"inputs": {}, "price": 0.001, "priceMethod": "cps"}
ELSEWHERE = {"inputs": {"seed": "2"}, "price": 0.01, "priceMethod": "cpr"}


@pytest.mark.parametrize("answer", [listed(CPS), listed(ELSEWHERE), listed(dynamicprice=None, cps="0.0005")])
def test_a_price_that_the_service_leaves_open_counts_as_unknown(answer, capfd):
    assert estimated(answer) == (None, 1)
    assert "it counts as unknown" in capfd.readouterr().err
    assert estimated(answer, None) == (None, 1)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("answer", [http(b"<html>", "404 Not Found"), listed(), listed(dynamicprice=None)])
def test_a_service_that_does_not_tell_prices_is_no_news(answer, capfd):
    assert estimated(answer) == (Decimal("0.03"), 1)
    assert capfd.readouterr().err == ""


def test_a_price_list_in_another_form_is_said_and_the_schema_s_price_counts(capfd):
    assert estimated(listed(dynamicprice="three cents")) == (Decimal("0.03"), 1)
    assert "its price list has not the expected shape" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("step", "policy", "asked"),
    [
        (Step.SUBMIT, {"submit": False}, 0),
        (Step.SUBMIT, {"max_cost": None}, 0),
        (Step.KEEP, {}, 0),
        (Step.COPY, {}, 0),
        (Step.FETCH, {}, 0),
        (Step.FETCH, {"rerender_expired": True}, 1),
        (Step.FOLLOW, {}, 1),
        (Step.DOUBT, {}, 1),
    ],
)
def test_the_price_is_asked_for_only_where_it_can_matter(step, policy, asked):
    assert estimated(listed(CPS), step=step, **policy)[1] == asked


def test_without_a_limit_nobody_is_asked_for_a_price(open_workshop):
    workshop = open_workshop(faults=[{"on": "tool", "what": "hang"}])
    done = workshop.run()
    assert done.code == 0
    assert "price" not in done.err, "a question that hangs is given up with a note about the price"


def test_with_nothing_left_to_submit_nobody_is_asked_for_a_price(open_workshop):
    workshop = open_workshop(faults=[{"on": "tool", "what": "hang"}])
    assert workshop.run().code == 0
    done = workshop.run("--max-cost", "1")
    assert done.code == 0
    assert "price" not in done.err


def test_a_key_that_is_not_accepted_is_told_once_and_by_exit_3(workshop):
    done = workshop.run("--max-cost", "1", WIRO_API_KEY="somebody-elses-key")
    assert done.code == 3
    assert workshop.made() == 0


def test_the_simulator_tells_one_price_and_charges_another(tmp_path, workshop):
    process = workshop.start("simulator", "--price", "0.04", "--charge", "0.05", "--speed", "1000")
    try:
        url = process.stdout.readline().strip().removeprefix("WIRO_API_BASE_URL=")
        headers = {"x-api-key": workshop.environ["WIRO_API_KEY"]}
        asked = dict(zip(("slugowner", "slugproject"), MODEL.split("/"), strict=True))
        tool = httpx.post(f"{url}/Tool/Detail", json=asked, headers=headers, trust_env=False).json()["tool"][0]
        assert json.loads(tool["dynamicprice"])[0]["price"] == 0.04
        workshop.write(entry(seeds=[1]))
        done = workshop.call("run", "manifests/m.yaml", "--json", WIRO_API_BASE_URL=url)
        assert done.document["cost_usd"]["session"] == 0.05
    finally:
        process.terminate()
        process.communicate()
