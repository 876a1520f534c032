from __future__ import annotations

import io

import pytest
from PIL import Image


@pytest.fixture
def task(wiro):
    return wiro.finished()


def test_a_file_is_served_whole_with_length_type_and_validator(wiro, task):
    response = wiro.file(task)
    assert response.headers["content-length"] == str(len(response.content)) == task["outputs"][0]["size"]
    assert response.headers["content-type"] == "image/png"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["etag"].startswith('"')
    assert Image.open(io.BytesIO(response.content)).size == (256, 192)


def test_a_jpeg_is_served_as_one(wiro):
    task = wiro.finished(outputFormat="jpeg")
    response = wiro.file(task)
    assert task["outputs"][0]["name"] == "0.jpg"
    assert response.headers["content-type"] == "image/jpeg"
    assert response.content.startswith(b"\xff\xd8\xff")


def test_the_cdn_asks_for_no_key_and_its_urls_cannot_be_guessed(wiro, task):
    url = task["outputs"][0]["url"]
    assert len(url.split("/")[-2]) == 71
    assert wiro.file(task, headers={"x-api-key": ""}).status_code == 200
    assert wiro.http.get(url.replace("0.png", "1.png")).status_code == 404


def test_a_file_does_not_exist_before_its_task_has_finished(wiro):
    task_id = wiro.made()
    token = wiro.simulator._ledger.by_id(int(task_id)).file_token
    assert wiro.http.get(f"{wiro.origin}/cdn/{token}/0.png").status_code == 404


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-99999999", slice(5, None)),
    ],
)
def test_a_range_is_answered_with_that_part(wiro, task, asked, part):
    whole = wiro.file(task).content
    response = wiro.file(task, headers={"range": asked})
    assert response.status_code == 206
    assert response.content == whole[part]
    first, _, length = response.headers["content-range"].removeprefix("bytes ").replace("/", "-").split("-")
    assert (int(first), int(length)) == (part.indices(len(whole))[0], len(whole))


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=9-3", "bytes=-0"])
def test_a_range_outside_the_file_is_416_with_the_length(wiro, task, asked):
    response = wiro.file(task, headers={"range": asked})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{task['outputs'][0]['size']}"


@pytest.mark.parametrize("asked", ["bytes=-", "lines=0-1", "bytes=0-1,4-5", "nonsense"])
def test_a_range_that_is_not_understood_is_answered_with_the_whole_file(wiro, task, asked):
    assert wiro.file(task, headers={"range": asked}).status_code == 200


def test_a_range_of_a_file_that_has_changed_since_is_answered_with_the_whole(wiro, task):
    headers = {"range": "bytes=0-9", "if-range": '"another"'}
    assert wiro.file(task, headers=headers).status_code == 200
    etag = wiro.file(task).headers["etag"]
    assert wiro.file(task, headers={**headers, "if-range": etag}).status_code == 206
    assert wiro.file(task, headers={"if-none-match": etag}).status_code == 304


def test_head_tells_the_length_without_the_file(wiro, task):
    response = wiro.http.head(task["outputs"][0]["url"])
    assert response.content == b""
    assert response.headers["content-length"] == task["outputs"][0]["size"]
