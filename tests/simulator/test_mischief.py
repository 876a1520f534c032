"""Each fault by its name: what the client sees, and what the ledger says."""

from __future__ import annotations

import gzip
import io
import time

import httpx
import pytest
from PIL import Image

RUN = "/Run/black-forest-labs/flux-2-pro-t2i"


@pytest.fixture
def with_fault(start):
    """Start a simulator with one fault, which strikes once unless told otherwise."""

    def starting(on, what, **settings):
        when = {} if settings.keys() & {"first", "nth", "every", "rate"} else {"first": 1}
        return start(faults=[{"on": on, "what": what, **when, **settings}])

    return starting


def made(wiro):
    return len(wiro.simulator.ledger())


def error(response):
    (found,) = response.json()["errors"]
    return found["code"], found["message"]


@pytest.mark.parametrize(("what", "tasks"), [("lost_answer", 1), ("lost_before", 0)])
def test_the_connection_is_closed_without_an_answer(with_fault, what, tasks):
    wiro = with_fault("run", what)
    with pytest.raises(httpx.TransportError):
        wiro.run()
    assert made(wiro) == tasks
    assert wiro.run().json()["result"] is True


@pytest.mark.parametrize(("what", "tasks"), [("http_500_made", 1), ("http_500_not_made", 0)])
def test_an_http_500_says_nothing_about_the_task(with_fault, what, tasks):
    wiro = with_fault("run", what)
    assert wiro.run().status_code == 500
    assert made(wiro) == tasks


@pytest.mark.parametrize(("what", "tasks"), [("code_0_unknown_made", 1), ("code_0_unknown_not_made", 0)])
def test_a_code_0_that_is_no_validation_says_nothing_about_the_task(with_fault, what, tasks):
    wiro = with_fault("run", what)
    code, message = error(wiro.run())
    assert code == 0
    assert "Request parameter" not in message
    assert made(wiro) == tasks


@pytest.mark.parametrize("wait", ["7", "Wed, 21 Oct 2099 07:28:00 GMT", "-1", "soon"])
@pytest.mark.parametrize(("what", "status"), [("http_429", 429), ("http_503", 503)])
def test_a_gateway_asks_for_patience_in_the_words_given(with_fault, what, status, wait):
    wiro = with_fault("run", what, retry_after=wait)
    response = wiro.run()
    assert (response.status_code, response.headers["retry-after"]) == (status, wait)
    assert made(wiro) == 0


@pytest.mark.parametrize("was_made", [True, False])
def test_a_gateway_answers_with_html(with_fault, was_made):
    wiro = with_fault("run", "html_502", made=was_made)
    response = wiro.run()
    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (502, "text/html")
    assert made(wiro) == was_made


@pytest.mark.parametrize(("what", "code", "text"), [("code_96", 96, "run up to 100 tasks"), ("code_97", 97, "$0.50")])
def test_the_account_says_no(with_fault, what, code, text):
    wiro = with_fault("run", what)
    assert error(wiro.run())[0] == code
    assert made(wiro) == 0
    wiro = with_fault("run", what)
    assert text in error(wiro.run())[1]


def test_an_answer_is_cut_off_in_its_middle_though_the_task_was_made(with_fault):
    wiro = with_fault("run", "malformed")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        wiro.run().json()
    assert made(wiro) == 1


def test_an_answer_lacks_the_id_but_has_the_token(with_fault):
    wiro = with_fault("run", "no_id")
    answer = wiro.run().json()
    assert (answer["result"], "taskid" in answer) == (True, False)
    assert wiro.post("/Task/Detail", {"tasktoken": answer["socketaccesstoken"]}).json()["total"] == "1"


def test_an_answer_names_an_id_that_was_given_out_before(with_fault):
    wiro = with_fault("run", "duplicate_id", nth=[2])
    assert [wiro.made(), wiro.made(), wiro.made()] == ["2221", "2221", "2223"]
    assert made(wiro) == 3


def test_a_slow_answer_comes_after_the_task_was_made(with_fault):
    wiro = with_fault("run", "slow", delay=30)
    with pytest.raises(httpx.ReadTimeout):
        wiro.post(RUN, {"prompt": "x"}, timeout=0.1)
    assert made(wiro) == 1


@pytest.mark.parametrize("on", ["run", "list"])
def test_an_answer_that_never_comes_does_not_hold_up_the_end(with_fault, on):
    wiro = with_fault(on, "hang")
    path, body = ("/Task/List", {}) if on == "list" else (RUN, {"prompt": "x"})
    with pytest.raises(httpx.ReadTimeout):
        wiro.post(path, body, timeout=0.1)
    assert wiro.run().json()["result"] is True


@pytest.mark.parametrize(
    ("what", "status", "pexit"),
    [
        ("task_fails", "task_postprocess_end", "1"),
        ("moderated", "task_postprocess_end", "1"),
        ("no_outputs", "task_postprocess_end", "0"),
        ("task_error", "task_error", "1"),
        ("task_cancelled", "task_cancel", "0"),
    ],
)
def test_a_task_ends_badly_and_costs_nothing(with_fault, what, status, pexit):
    wiro = with_fault("run", what)
    task = wiro.finished()
    assert (task["status"], task["pexit"], task["outputs"], task["totalcost"]) == (status, pexit, [], "0")
    assert bool(task["debugerror"]) is (pexit == "1")
    assert wiro.paid() == 0


def test_a_moderated_task_says_so(with_fault):
    assert "moderat" in with_fault("run", "moderated").finished()["debugerror"].lower()


def test_a_task_without_outputs_can_be_charged_all_the_same(with_fault):
    wiro = with_fault("run", "no_outputs_charged")
    assert wiro.finished()["outputs"] == []
    assert str(wiro.paid()) == "0.03"


def test_a_fault_strikes_only_the_prompt_that_it_names(with_fault):
    wiro = with_fault("run", "task_fails", match={"prompt": "red"}, rate=1)
    assert [wiro.finished(prompt)["pexit"] for prompt in ("a red cup", "a teal cup")] == ["1", "0"]


def test_a_shrinking_balance_ends_in_code_97(start):
    wiro = start(faults=[{"on": "run", "what": "balance", "by": "400"}])
    assert [wiro.run().json()["result"] for _ in range(3)] == [True, True, False]


def test_new_tasks_show_in_the_list_only_after_a_while(with_fault):
    wiro = with_fault("list", "lag", seconds=30, rate=1)
    wiro.made()
    assert wiro.post("/Task/List", {}).json()["tasklist"] == []
    wiro.clock.advance(30)
    assert len(wiro.post("/Task/List", {}).json()["tasklist"]) == 1


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("drop_page", ["2225", "2224", "2223"]),
        ("shuffle", None),
    ],
)
def test_the_list_is_out_of_order_or_lacks_a_page(with_fault, what, expected):
    wiro = with_fault("list", what)
    for seed in range(8):
        wiro.made(seed=seed)
    shown = [task["id"] for task in wiro.post("/Task/List", {"limit": "3"}).json()["tasklist"]]
    assert shown == expected if expected else shown != sorted(shown, reverse=True)
    assert len(shown) == 3


@pytest.mark.parametrize("on", ["list", "detail"])
def test_parameters_come_back_as_text_with_other_line_ends(with_fault, on):
    wiro = with_fault(on, "text_params")
    task_id = wiro.made("two\nlines", guidance=4.5)
    path, body = ("/Task/List", {}) if on == "list" else ("/Task/Detail", {"taskid": task_id})
    (task,) = wiro.post(path, body).json()["tasklist"]
    assert task["parameters"]["prompt"] == "two\r\nlines"
    assert (task["parameters"]["width"], task["parameters"]["guidance"]) == ("256", "4.5")


def test_a_new_task_is_not_known_yet(with_fault):
    wiro = with_fault("detail", "no_task")
    task_id = wiro.made()
    assert error(wiro.post("/Task/Detail", {"taskid": task_id})) == (1, "There is no task yet.")
    assert wiro.task(task_id)["id"] == task_id


def test_a_status_that_nobody_has_heard_of_and_a_record_without_exit_code(with_fault):
    assert with_fault("detail", "unknown_status").finished()["status"] == "task_thinking"
    task = with_fault("detail", "no_pexit").finished()
    assert "pexit" not in task
    assert len(task["outputs"]) == 1


# --- the CDN ---


def size_of(data):
    return Image.open(io.BytesIO(data)).size


def test_a_download_breaks_off(with_fault):
    wiro = with_fault("cdn", "truncated")
    task = wiro.finished()
    with pytest.raises(httpx.RemoteProtocolError):
        wiro.file(task)
    assert size_of(wiro.file(task).content) == (256, 192)


def test_a_download_is_short_without_saying_so(with_fault):
    wiro = with_fault("cdn", "truncated_silent")
    task = wiro.finished()
    short = wiro.file(task)
    assert "content-length" not in short.headers
    assert 0 < len(short.content) < int(task["outputs"][0]["size"])


@pytest.mark.parametrize(("asked", "got"), [("png", "JPEG"), ("jpeg", "PNG")])
def test_a_file_is_of_another_format_than_it_says(with_fault, asked, got):
    wiro = with_fault("cdn", "wrong_type")
    response = wiro.file(wiro.finished(outputFormat=asked))
    assert response.headers["content-type"] == f"image/{asked}"
    assert Image.open(io.BytesIO(response.content)).format == got


def test_a_picture_has_other_dimensions(with_fault):
    wiro = with_fault("cdn", "wrong_size")
    assert size_of(wiro.file(wiro.finished()).content) == (272, 96)


def test_a_web_page_comes_in_place_of_a_picture(with_fault):
    wiro = with_fault("cdn", "html")
    response = wiro.file(wiro.finished())
    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, "text/html")


def test_an_expired_url_stays_dead_and_detail_names_a_new_one(with_fault):
    wiro = with_fault("cdn", "expired")
    old = wiro.finished()
    assert [wiro.file(old).status_code for _ in range(2)] == [403, 404]
    new = wiro.task(old["id"])
    assert new["outputs"][0]["url"] != old["outputs"][0]["url"]
    assert wiro.file(new).status_code == 200


def test_a_lost_file_is_lost_for_ever_though_detail_names_it(with_fault):
    wiro = with_fault("cdn", "gone", status=410)
    task = wiro.finished()
    assert wiro.file(task).status_code == 410
    assert wiro.file(wiro.task(task["id"])).status_code == 404


def test_a_file_is_packed_though_nobody_asked(with_fault):
    wiro = with_fault("cdn", "gzip")
    with wiro.http.stream(
        "GET", wiro.finished()["outputs"][0]["url"], headers={"accept-encoding": "identity"}
    ) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        data = b"".join(packed.iter_raw())
    assert size_of(gzip.decompress(data)) == (256, 192)


def test_a_file_never_ends(with_fault):
    wiro = with_fault("cdn", "endless")
    task = wiro.finished()
    read = 0
    with wiro.http.stream("GET", task["outputs"][0]["url"]) as response:
        for chunk in response.iter_raw():
            read += len(chunk)
            if read > 20 * int(task["outputs"][0]["size"]):
                break
    assert wiro.file(task).status_code == 200


def test_a_file_is_said_to_be_at_a_private_address(with_fault):
    wiro = with_fault("cdn", "redirect_private")
    response = wiro.file(wiro.finished())
    assert response.status_code == 302
    assert response.headers["location"].startswith("http://169.254.169.254/")


@pytest.mark.parametrize("what", ["lost_answer", "http_503", "http_429", "html_502", "http_500_not_made"])
def test_faults_of_the_network_strike_files_too_and_pass(with_fault, what):
    wiro = with_fault("cdn", what)
    task = wiro.finished()
    started = time.monotonic()
    try:
        assert wiro.file(task).status_code >= 429
    except httpx.TransportError:
        assert what == "lost_answer"
    assert wiro.file(task).status_code == 200
    assert time.monotonic() - started < 4


def test_faults_can_strike_together(start):
    wiro = start(faults=[{"on": "run", "what": "lost_answer"}, {"on": "run", "what": "task_fails"}])
    with pytest.raises(httpx.TransportError):
        wiro.run()
    wiro.clock.advance(10)
    assert wiro.task("2221")["pexit"] == "1"
