from __future__ import annotations

import json

import pytest

PRO = "/Run/black-forest-labs/flux-2-pro-t2i"
BODY = {"prompt": "A “quoted”\nprompt", "seed": 7}


def parameters(wiro, response):
    return wiro.task(response.json()["taskid"])["parameters"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data", "application/x-www-form-urlencoded", "text/plain"]
)
def test_json_is_understood_under_any_content_type(wiro, content_type):
    response = wiro.post(PRO, content=json.dumps(BODY), headers={"content-type": content_type})
    assert parameters(wiro, response).items() >= BODY.items()


def test_real_multipart_fields_are_understood(wiro):
    fields = {name: (None, str(value).encode()) for name, value in BODY.items()}
    response = wiro.post(PRO, files={**fields, "inputImage": ("photo.png", b"\x89PNG")})
    assert parameters(wiro, response).items() >= {**BODY, "seed": "7", "inputImage": "photo.png"}.items()


def test_urlencoded_fields_are_understood(wiro):
    assert parameters(wiro, wiro.post(PRO, data=BODY)).items() >= {**BODY, "seed": "7"}.items()


def test_a_picture_is_drawn_to_the_size_that_a_form_sent_as_text(wiro):
    task_id = wiro.post(PRO, data={"prompt": "x", "width": "128", "height": "64"}).json()["taskid"]
    wiro.clock.advance(10)
    assert wiro.file(wiro.task(task_id)).status_code == 200


@pytest.mark.parametrize(
    "text",
    ["{", '{"prompt": "x"', "[]", '"x"', '{"seed": NaN}', "[" * 100_000, "\ufeff{}", '{"seed": ' + "9" * 5000 + "}"],
)
def test_a_body_that_is_no_json_object_is_code_0_under_http_200(wiro, text):
    response = wiro.post(PRO, content=text.encode(), headers={"content-type": "application/json"})
    assert response.status_code == 200
    assert response.json()["errors"][0]["code"] == 0
    assert wiro.simulator.ledger() == ()


def test_a_broken_form_is_code_0(wiro):
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = wiro.post(PRO, content=b"no form at all", headers=headers)
    assert response.json()["errors"][0]["code"] == 0


def test_a_prompt_with_a_lone_surrogate_does_not_break_the_server(wiro):
    response = wiro.post(PRO, content=b'{"prompt": "bad \\ud800 text", "width": 128, "height": 128}')
    wiro.clock.advance(10)
    assert wiro.file(wiro.task(response.json()["taskid"])).status_code == 200
