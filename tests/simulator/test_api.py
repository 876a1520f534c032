from __future__ import annotations

import json
from decimal import Decimal

import pytest

OWNER = "/Run/black-forest-labs/"


def errors(response):
    answer = response.json()
    assert answer["result"] is False
    return [(error["code"], error["message"]) for error in answer["errors"]]


def test_run_answers_with_an_id_and_a_token_as_text(wiro):
    answer = wiro.run().json()
    assert answer == {"errors": [], "taskid": "2221", "socketaccesstoken": answer["socketaccesstoken"], "result": True}
    assert len(answer["socketaccesstoken"]) >= 30


def test_ids_rise_strictly_and_the_same_body_twice_makes_two_tasks(wiro):
    assert [wiro.made() for _ in range(3)] == ["2221", "2222", "2223"]


def test_a_task_goes_through_every_status_in_order(wiro):
    task_id = wiro.made()
    seen = []
    for _ in range(400):
        status = wiro.task(task_id)["status"]
        if status not in seen:
            seen.append(status)
        wiro.clock.advance(0.01)
    assert seen == [
        "task_queue",
        "task_accept",
        "task_assign",
        "task_preprocess_start",
        "task_preprocess_end",
        "task_start",
        "task_output",
        "task_output_full",
        "task_end",
        "task_postprocess_start",
        "task_postprocess_end",
    ]


def test_a_finished_task_carries_its_cost_its_exit_code_and_one_output(wiro):
    task = wiro.finished()
    assert (task["status"], task["pexit"], Decimal(task["totalcost"])) == ("task_postprocess_end", "0", Decimal("0.03"))
    (output,) = task["outputs"]
    assert output["name"] == "0.png"
    assert output["contenttype"] == "image/png"
    assert output["size"] == str(len(wiro.file(task).content)) == task["size"]


def test_a_running_task_has_no_outputs_no_cost_and_no_exit_code(wiro):
    task = wiro.task(wiro.made())
    assert (task["outputs"], task["totalcost"], task["pexit"], task["endtime"]) == ([], "0", "", "0")


@pytest.mark.parametrize("name", ["tasktoken", "socketaccesstoken"])
def test_detail_takes_a_token_in_place_of_an_id(wiro, name):
    answer = wiro.run().json()
    found = wiro.post("/Task/Detail", {name: answer["socketaccesstoken"]}).json()
    assert (found["total"], found["tasklist"][0]["id"]) == ("1", answer["taskid"])


@pytest.mark.parametrize("path", ["/Task/Detail", "/Task/Cancel", "/Task/Kill", "/Task/InputOutputDelete"])
@pytest.mark.parametrize("body", [{"taskid": "9"}, {"taskid": "../x"}, {"tasktoken": "\ud800"}, {}])
def test_a_task_that_does_not_exist_is_code_1(wiro, path, body):
    response = wiro.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert errors(response) == [(1, "There is no task yet.")]


@pytest.mark.parametrize("name", ["taskid", "tasktoken", "socketaccesstoken"])
def test_a_queued_task_can_be_cancelled_and_costs_nothing(wiro, name):
    answer = wiro.run().json()
    value = answer["taskid"] if name == "taskid" else answer["socketaccesstoken"]
    task = wiro.post("/Task/Cancel", {name: value}).json()["tasklist"][0]
    assert task["status"] == "task_cancel"
    wiro.clock.advance(60)
    assert wiro.task(answer["taskid"])["totalcost"] == "0"
    assert wiro.paid() == 0


def test_a_running_task_can_be_killed_but_not_cancelled(wiro):
    task_id = wiro.made()
    wiro.clock.advance(1.5)
    assert errors(wiro.post("/Task/Cancel", {"taskid": task_id})) == [(1, "Task is not in a cancellable state.")]
    assert wiro.post("/Task/Kill", {"taskid": task_id}).json()["tasklist"][0]["status"] == "task_cancel"


def test_a_queued_task_cannot_be_killed_and_a_finished_one_not_stopped_at_all(wiro):
    task_id = wiro.made()
    assert errors(wiro.post("/Task/Kill", {"taskid": task_id})) == [(1, "Task is not in a cancellable state.")]
    wiro.clock.advance(9)
    for path in ("/Task/Cancel", "/Task/Kill"):
        assert errors(wiro.post(path, {"taskid": task_id})) == [(1, "Task is not in a cancellable state.")]
    assert wiro.task(task_id)["status"] == "task_postprocess_end"


def test_deleting_removes_the_files_of_a_finished_task_as_often_as_asked(wiro):
    task = wiro.finished()
    for _ in range(2):
        answer = wiro.post("/Task/InputOutputDelete", {"tasktoken": task["socketaccesstoken"]}).json()
        assert answer == {"errors": [], "result": True}
    assert wiro.file(task).status_code == 404
    assert wiro.task(task["id"])["outputs"] == []
    assert wiro.paid() == Decimal("0.03")


def test_the_files_of_a_running_task_cannot_be_deleted(wiro):
    assert errors(wiro.post("/Task/InputOutputDelete", {"taskid": wiro.made()}))[0][0] == 1


def test_the_list_shows_newest_tasks_first_with_parameters_in_pages(wiro):
    ids = [wiro.made(f"picture {n}") for n in range(5)]
    body = {"type": "model", "sort": "id", "order": "DESC", "start": "1", "limit": "2"}
    page = wiro.post("/Task/List", body).json()
    assert page["total"] == "5"
    assert [task["id"] for task in page["tasklist"]] == [ids[3], ids[2]]
    assert page["tasklist"][0]["parameters"]["prompt"] == "picture 3"
    assert {"createtime", "status"} <= page["tasklist"][0].keys()


def test_the_list_can_be_turned_round_and_never_gives_more_than_a_hundred(wiro):
    for n in range(103):
        wiro.made(seed=n)
    page = wiro.post("/Task/List", {"limit": "1000", "order": "ASC"}).json()["tasklist"]
    assert len(page) == 100
    assert page[0]["id"] == "2221"


@pytest.mark.parametrize("name", ["flux-2-flex-t2i", "black-forest-labs/flux-2-flex-t2i"])
def test_the_list_can_be_narrowed_to_a_model(wiro, name):
    wiro.made()
    wiro.post(OWNER + "flux-2-flex-t2i", {"prompt": "x"})
    page = wiro.post("/Task/List", {"modelName": name}).json()
    assert [task["id"] for task in page["tasklist"]] == ["2222"]


@pytest.mark.parametrize("body", [{"start": "-1"}, {"limit": "many"}])
def test_a_page_that_makes_no_sense_is_a_validation_error(wiro, body):
    ((code, message),) = errors(wiro.post("/Task/List", body))
    assert code == 0
    assert message.startswith("Request parameter [")


def test_defaults_are_filled_in_and_unknown_keys_are_kept(wiro):
    task_id = wiro.post(OWNER + "flux-2-flex-t2i", {"prompt": "x", "mood": [1], "callbackUrl": ""}).json()["taskid"]
    assert wiro.task(task_id)["parameters"] == {
        "prompt": "x",
        "mood": [1],
        "callbackUrl": "",
        "width": 1024,
        "height": 1024,
        "safetyTolerance": 2,
        "seed": 123,
        "outputFormat": "png",
        "guidance": 4.5,
        "steps": 50,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", ""),
        ("prompt", "  "),
        ("prompt", 5),
        ("width", 1000),
        ("width", 48),
        ("height", 2064),
        ("height", "tall"),
        ("height", True),
        ("safetyTolerance", 7),
        ("seed", 1.5),
        ("seed", [1]),
        ("seed", 10**30),
        ("outputFormat", "webp"),
        ("guidance", 1.4),
        ("steps", 51),
    ],
)
def test_a_wrong_parameter_is_named_under_code_0_and_makes_no_task(wiro, name, value):
    ((code, message),) = errors(wiro.post(OWNER + "flux-2-flex-t2i", {"prompt": "x", name: value}))
    assert code == 0
    assert message.startswith(f"Request parameter [{name}] must be ")
    assert wiro.simulator.ledger() == ()


def test_a_missing_prompt_is_refused(wiro):
    assert errors(wiro.post(OWNER + "flux-2-pro-t2i", {}))[0][0] == 0


def test_an_unknown_model_is_code_1(wiro):
    assert errors(wiro.post("/Run/black-forest-labs/flux-9", {"prompt": "x"})) == [
        (1, "slug-owner-project-not-exist"),
    ]
    assert errors(wiro.post("/Tool/Detail", {"slugowner": "a", "slugproject": "b"}))[0][0] == 1


def test_tool_detail_describes_the_parameters_and_the_price(wiro):
    body = {"slugowner": "black-forest-labs", "slugproject": "flux-2-pro-t2i"}
    (tool,) = wiro.post("/Tool/Detail", body).json()["tool"]
    items = {item["id"]: item for group in tool["parameters"] for item in group["items"]}
    assert list(items) == ["prompt", "width", "height", "safetyTolerance", "seed", "outputFormat"]
    assert items["prompt"]["required"] is True
    assert (items["width"]["min"], items["width"]["max"], items["width"]["step"]) == ("64", "2048", "16")
    assert json.loads(tool["dynamicprice"]) == [{"inputs": {}, "price": 0.03, "priceMethod": "cpr"}]


def test_the_ledger_tells_an_outsider_what_was_paid(wiro):
    wiro.finished("first")
    wiro.made("second")
    rows = wiro.http.get(wiro.origin + "/ledger", headers={"x-api-key": ""}).json()
    assert [(row["task"], row["parameters"]["prompt"], row["charged"]) for row in rows] == [
        ("2221", "first", "0.03"),
        ("2222", "second", "0"),
    ]
