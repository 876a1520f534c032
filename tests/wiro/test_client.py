"""Promises about the door to the network; the truth is what a server on loopback has on its own record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shutil
import ssl
import subprocess
import threading
from decimal import Decimal

import pytest
from wiro.hostile import (
    Hostile,
    closed_port,
    falls_silent,
    goes_on_for_ever,
    hangs_up,
    hangs_up_hard,
    http,
    reads_a_little_and_hangs_up,
    reads_a_little_and_resets,
    reads_and_hangs_up,
    says,
    says_and_resets,
)

from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.keys import Render
from flux_pipeline.simulator.faults import Faults
from flux_pipeline.simulator.server import Settings, Simulator, SimulatorThread
from flux_pipeline.wiro import http as door
from flux_pipeline.wiro.auth import Credentials, Secret
from flux_pipeline.wiro.client import DEFAULT_URL, Wiro, endpoint
from flux_pipeline.wiro.download import Downloads, Limits
from flux_pipeline.wiro.http import Http
from flux_pipeline.wiro.outcomes import (
    Accepted,
    Gone,
    NoTask,
    NotTaken,
    Refused,
    Tasks,
    Undelivered,
    Unknown,
    Unread,
    Unsent,
)
from flux_pipeline.wiro.tasks import Cancelled, Finished, Running

KEY, SECRET = "canary-key-5d1e9f2c", "canary-secret-8a2f01bc"
MODEL = "black-forest-labs/flux-2-pro-t2i"
RENDER = Render.of(MODEL, {"prompt": "A “teal” bottle", "width": 256, "height": 192})
YES = http(b'{"errors": [], "taskid": "2221", "socketaccesstoken": "eDcC", "result": true}')


class Buffer:
    """Where a download goes in these tests."""

    def __init__(self):
        self.data = b""
        self.largest = 0

    @property
    def size(self):
        return len(self.data)

    def write(self, chunk):
        self.data += chunk
        self.largest = max(self.largest, self.size)

    def reset(self):
        self.data = b""


def using(url, act, *, secret=SECRET, pauses=None):
    """Let `act` use a client of `url`; a pause is noted and takes no time."""

    async def pause(seconds):
        if pauses is not None:
            pauses.append(seconds)

    async def scenario():
        async with Http() as http:
            return await act(Wiro(http, url, Credentials(Secret(KEY), secret and Secret(secret)), pause))

    return asyncio.run(scenario())


def submit(url, render=RENDER, **options):
    """Submit; return the outcome and how often the client said that a first byte was leaving."""
    sent = []
    outcome = using(url, lambda wiro: wiro.submit(render, lambda: sent.append(1)), **options)
    return outcome, len(sent)


@contextlib.contextmanager
def simulated(*, faults=(), **settings):
    settings = {"api_key": KEY, "api_secret": SECRET, "speed": math.inf, "balance": Decimal(1000)} | settings
    simulator = Simulator(Settings(faults=Faults.from_data([*faults]), **settings))
    with SimulatorThread(simulator) as thread:
        yield thread
    simulator.close()


# --- where and as whom -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", DEFAULT_URL),
        ("https://api.wiro.ai/v1/", "https://api.wiro.ai/v1"),
        ("https://proxy.example:8443/wiro/v1", "https://proxy.example:8443/wiro/v1"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ],
)
def test_the_endpoint_is_the_one_asked_for(given, url):
    assert endpoint({"WIRO_API_BASE_URL": given}) == url


@pytest.mark.parametrize(
    "given",
    [
        "http://api.wiro.ai/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://localhost.evil.example",
        "https://user:pass@api.wiro.ai/v1",
        "https://api.wiro.ai/v1?key=1",
        "https://api.wiro.ai/v1#x",
        "https://api.wiro.ai/v1\n",
        "ftp://api.wiro.ai",
        "api.wiro.ai",
        "http://10.0.0.1/v1",
        "http://127.0.0.1:80@evil.example/",
    ],
)
def test_an_endpoint_where_others_could_listen_in_is_refused(given):
    with pytest.raises(UsageError, match="must be an https URL"):
        endpoint({"WIRO_API_BASE_URL": given})


# --- what proves that nothing was sent -------------------------------------------------------------------------------


def test_when_nobody_listens_nothing_was_sent():
    outcome, sent = submit(f"http://127.0.0.1:{closed_port()}/v1")
    assert isinstance(outcome, Unsent)
    assert (outcome.cause, sent) == ("network", 0)


def test_when_tls_cannot_be_agreed_on_nothing_was_sent():
    with Hostile(reads_a_little_and_hangs_up) as server:
        outcome, sent = submit(f"https://127.0.0.1:{server.port}/v1")
    assert isinstance(outcome, Unsent)
    assert (sent, server.requests) == (0, [])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_certificate_that_nobody_vouches_for_stops_before_anything_was_sent(tmp_path):
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", *files]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    def tls(peer):
        with context.wrap_socket(peer.socket, server_side=True) as peer.socket:
            peer.read()

    with Hostile(tls) as server:
        outcome, sent = submit(f"https://127.0.0.1:{server.port}/v1")
        read = using(f"https://127.0.0.1:{server.port}/v1", lambda wiro: wiro.list_tasks(0))
    assert isinstance(outcome, Unsent)
    assert (outcome.cause, sent, server.requests) == ("certificate", 0, [])
    assert isinstance(read, Unread)


def test_a_connection_that_is_reset_at_once_is_unsent_only_if_no_byte_was_leaving():
    with Hostile(hangs_up_hard) as server:
        outcome, sent = submit(server.api)
    assert (type(outcome), sent) in {(Unsent, 0), (Unknown, 1)}
    assert server.requests == []


@pytest.mark.parametrize("model", ["", "flux", "a/b/c", "../Task/Kill", "a/b?x=1", "a/b#", "ä/b", "a/b\n"])
def test_a_model_that_is_no_name_is_never_part_of_an_address(model):
    with Hostile(says(YES)) as server:
        outcome, sent = submit(server.api, Render(model=model, params={}, key="0" * 64))
    assert isinstance(outcome, Unsent)
    assert (outcome.cause, sent, server.connections) == ("request", 0, 0)


def test_a_header_that_cannot_be_sent_is_not_sent():
    with Hostile(says(YES)) as server:
        sent = []

        async def scenario():
            async with Http() as http:
                return await http.post_once(f"{server.api}/Run/a/b", {"x-api-key": "ä€"}, b"{}", lambda: sent.append(1))

        reply = asyncio.run(scenario())
    assert (reply.sent, reply.cause, sent, server.requests) == (False, "request", [], [])


# --- everything after the first byte is unknown without a clear answer -----------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'{"result": true, "taskid": "2221"}'
UNCLEAR = {
    "closes at once": hangs_up,
    "resets in the middle of the request": reads_a_little_and_resets,
    "closes in the middle of the request": reads_a_little_and_hangs_up,
    "closes after reading all": reads_and_hangs_up,
    "resets after reading all": says_and_resets(b""),
    "half a status line": says(b"HTTP/1.1 20"),
    "half a head": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "a head alone": says(http(b"", length=30)),
    "resets in the body": says_and_resets(http(BODY[:10], length=len(BODY))),
    "a body shorter than its length": says(http(BODY, length=len(BODY) + 1)),
    "half a body without a length": says(b"HTTP/1.1 200 OK\r\n\r\n" + BODY[:20]),
    "a chunked body cut in a chunk": says(CHUNKED + b"22\r\n" + BODY[:20]),
    "a chunked body without its end": says(CHUNKED + b"22\r\n" + BODY + b"\r\n"),
    "a chunk of no length": says(CHUNKED + b"zz\r\n" + BODY),
    "an empty body": says(http(b"")),
    "garbage": says(b"\x16\x03\x01\x00\xff garbage \x00\x00\r\n\r\n"),
    "another protocol": says(b"220 smtp.example ESMTP\r\n"),
    "a page of a captive portal": says(http(b"<html>Please sign in</html>")),
    "a first answer that is never followed by another": says(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "gzip that nobody asked for": says(http(b"\x1f\x8b\x08\x00", "200 OK", "Content-Encoding: gzip")),
    "JSON under a false gzip label": says(http(BODY, "200 OK", "Content-Encoding: gzip")),
    "two lengths that disagree": says(http(BODY, "200 OK", "Content-Length: 7")),
    "a length that is no number": says(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + BODY),
    "a header that never ends": goes_on_for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    "headers without end": goes_on_for_ever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 5000),
    "a body above 8 MiB": goes_on_for_ever(http(b"", length=9 << 20), b" " * 65536),
    "a body without end": goes_on_for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    "500": says(http(BODY, "500 Internal Server Error")),
    "502 in HTML": says(http(b"<html>", "502 Bad Gateway")),
    "503 with Retry-After": says(http(b"", "503 Service Unavailable", "Retry-After: 1")),
    "409": says(http(BODY, "409 Conflict")),
    "201": says(http(BODY, "201 Created")),
    "code 0 with an unknown text": says(http(b'{"result": false, "errors": [{"code": 0, "message": "oops"}]}')),
    "true as text": says(http(b'{"result": "true", "taskid": "2221"}')),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_an_unclear_answer_to_a_submission_is_unknown_and_it_was_sent_once(name):
    pauses = []
    with Hostile(UNCLEAR[name]) as server:
        outcome, sent = submit(server.api, pauses=pauses)
    assert isinstance(outcome, Unknown), outcome
    assert not outcome.stop
    assert (sent, server.connections, pauses) == (1, 1, [])
    assert len(server.requests) <= 1


@pytest.mark.parametrize("name", [name for name in UNCLEAR if "task" not in name])
def test_an_unclear_answer_to_a_question_is_unread_and_nothing_is_raised(name):
    with Hostile(UNCLEAR[name]) as server:
        outcome = using(server.api, lambda wiro: wiro.detail("2221"))
    assert isinstance(outcome, Unread), outcome
    assert outcome.reason.isprintable()


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n" + BODY[:9]])
def test_a_server_that_falls_silent_is_given_up_in_the_end_and_the_answer_is_unknown(monkeypatch, beginning):
    monkeypatch.setattr(door, "_COSTLY_TOTAL", 0.5)  # long enough to have sent, on a busy machine too
    monkeypatch.setattr(door, "_CHEAP_TOTAL", 0.1)
    with Hostile(falls_silent(beginning)) as server:
        outcome, sent = submit(server.api)
        read = using(server.api, lambda wiro: wiro.list_tasks(0))
    assert isinstance(outcome, Unknown)
    assert "timed out" in outcome.reason
    assert "timed out" in read.reason
    assert (sent, server.requests[0].path) == (1, f"/v1/Run/{MODEL}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed_and_no_second_host_sees_anything(status):
    with Hostile(says(YES)) as elsewhere:
        redirect = http(b"", f"{status} Moved", f"Location: {elsewhere.api}/Run/{MODEL}")
        with Hostile(says(redirect)) as server:
            outcome, sent = submit(server.api)
            read = using(server.api, lambda wiro: wiro.detail("2221"))
    assert isinstance(outcome, Unknown)
    assert outcome.stop
    assert isinstance(read, Unread)
    assert (sent, len(server.requests), elsewhere.connections) == (1, 2, 0)


def test_proxies_of_the_environment_see_nothing(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with Hostile(reads_and_hangs_up) as proxy, Hostile(says(YES)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        assert submit(server.api)[0] == Accepted(task="2221")
        using(server.api, lambda wiro: wiro.list_tasks(0))
    assert (proxy.connections, len(server.requests)) == (0, 2)
    assert not any("authorization" in request.headers for request in server.requests)


# --- clear answers ---------------------------------------------------------------------------------------------------


def test_a_submission_is_one_request_with_the_whole_render_and_a_signature():
    with Hostile(says(YES)) as server:
        assert submit(server.api) == (Accepted(task="2221"), 1)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/v1/Run/{MODEL}")
    assert json.loads(request.body) == dict(RENDER.params)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["x-api-key"] == KEY
    assert len(request.headers["x-signature"]) == 64


def test_every_submission_has_a_connection_and_a_nonce_of_its_own():
    def two_answers(peer):
        peer.read()
        peer.send(YES + YES.replace(b"2221", b"9999"))
        peer.read()

    async def three(wiro):
        return [await wiro.submit(RENDER, lambda: None) for _ in range(3)]

    with Hostile(two_answers) as server:
        assert using(server.api, three) == [Accepted(task="2221")] * 3
    assert (server.connections, len(server.requests)) == (3, 3)
    assert len({request.headers["x-nonce"] for request in server.requests}) == 3


@pytest.mark.parametrize("before", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
def test_what_comes_before_the_answer_is_not_the_answer(before):
    with Hostile(says(before + YES)) as server:
        assert submit(server.api) == (Accepted(task="2221"), 1)


def test_a_whole_chunked_answer_is_an_answer():
    with Hostile(says(CHUNKED + b"22\r\n" + BODY + b"\r\n0\r\n\r\n")) as server:
        assert submit(server.api)[0] == Accepted(task="2221")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (http(b"", "429 Too Many", "Retry-After: 7"), NotTaken(reason="HTTP 429", wait=7)),
        (http(b"", "429 Too Many", "retry-after: 999999"), NotTaken(reason="HTTP 429", wait=60)),
        (http(b"", "429 Too Many"), NotTaken(reason="HTTP 429")),
        (http(b"<html>", "413 Too Large"), Refused(code="HTTP 413", message="no reason given")),
        (http(b"", "401 Unauthorized"), Refused(code="HTTP 401", message="no reason given", scope="account")),
        (
            http(b'{"result": false, "errors": [{"code": 97, "message": "no \\u001b[2Jmoney"}]}'),
            Refused(code="97", message="no  [2Jmoney", scope="account"),
        ),
    ],
)
def test_a_clear_no_is_told_as_such(reply, outcome):
    with Hostile(says(reply)) as server:
        assert submit(server.api) == (outcome, 1)
    assert len(server.requests) == 1


def test_an_answer_with_a_token_alone_is_resolved_by_asking_for_it():
    token = http(b'{"result": true, "socketaccesstoken": "eDcC"}')
    detail = http(b'{"result": true, "tasklist": [{"id": "2221", "status": "task_queue"}]}')
    not_yet = http(b'{"result": false, "errors": [{"code": 1, "message": "There is no task yet."}]}')
    pauses = []
    with Hostile(says(token), says(not_yet), says(detail)) as server:
        assert submit(server.api, pauses=pauses) == (Accepted(task="2221"), 1)
    assert [request.path for request in server.requests] == [f"/v1/Run/{MODEL}", "/v1/Task/Detail", "/v1/Task/Detail"]
    assert json.loads(server.requests[-1].body) == {"tasktoken": "eDcC"}
    assert len(pauses) == 1


def test_a_token_that_leads_nowhere_leaves_the_submission_unknown():
    two = b'{"result": true, "tasklist": [{"id": "1", "status": "x"}, {"id": "2", "status": "x"}]}'
    for told in (http(two), http(b"", "500 Oops")):
        with Hostile(says(http(b'{"result": true, "socketaccesstoken": "eDcC"}')), says(told)) as server:
            assert isinstance(submit(server.api)[0], Unknown)
        assert [request.path for request in server.requests].count(f"/v1/Run/{MODEL}") == 1


@pytest.mark.parametrize(
    ("tasks", "outcome"),
    [
        ([], NoTask()),
        ([{"id": "2222", "status": "task_queue"}], Unread(reason="asked for task 2221, told of another")),
        ([{"id": "2221", "status": "a"}] * 2, Unread(reason="asked for task 2221, told of another")),
    ],
)
def test_an_answer_about_another_task_is_none(tasks, outcome):
    with Hostile(says(http(json.dumps({"result": True, "tasklist": tasks}).encode()))) as server:
        assert using(server.api, lambda wiro: wiro.detail("2221")) == outcome


# --- nothing of ours in what is shown --------------------------------------------------------------------------------

ECHO = f"{KEY} and {SECRET}"


@pytest.mark.parametrize(
    "reply",
    [
        http(json.dumps({"result": False, "errors": [{"code": 0, "message": ECHO}]}).encode(), "401 Unauthorized"),
        http(json.dumps({"result": False, "errors": [{"code": 97, "message": ECHO}]}).encode()),
        http(json.dumps({"result": False, "errors": [{"code": 1, "message": f"not-exist {ECHO}"}]}).encode()),
        http(json.dumps({"result": False, "errors": [{"code": 0, "message": ECHO}]}).encode()),
        http(json.dumps({"result": False, "errors": [{"code": 0, "message": ECHO}]}).encode(), "429 Wait"),
        http(ECHO.encode(), "500 " + ECHO),
        f"{ECHO}\r\n\r\n".encode(),
        f"HTTP/1.1 {ECHO}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\n{ECHO}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\nContent-Length: {ECHO}\r\n\r\n".encode(),
        CHUNKED + f"{ECHO}\r\n".encode(),
        http(b"", "302 Found", f"Location: http://127.0.0.1:1/{KEY}?{SECRET}"),
    ],
    ids=lambda reply: repr(reply[:30]),
)
def test_a_server_that_quotes_our_key_does_not_bring_it_into_what_is_shown_or_written(reply, caplog):
    caplog.set_level(0)
    with Hostile(says(reply)) as server:
        outcome, _ = submit(server.api)
        read = using(server.api, lambda wiro: wiro.detail("2221"))
    for text in (repr(outcome), repr(read), caplog.text):
        assert "canary" not in text
    assert server.requests[0].headers["x-api-key"] == KEY


def test_a_task_record_that_quotes_our_key_is_read_without_it():
    record = {"id": "2221", "status": "task_error", "debugerror": ECHO, "parameters": {"prompt": ECHO}}
    with Hostile(says(http(json.dumps({"result": True, "tasklist": [record]}).encode()))) as server:
        told = using(server.api, lambda wiro: wiro.detail("2221"))
    assert "canary" not in repr(told)
    assert told.tasks[0].reason == "*** and ***"


def test_what_the_client_holds_does_not_show_the_key():
    async def shown(wiro):
        return repr(wiro) + repr(vars(wiro)) + repr(vars(wiro._http))

    assert "canary" not in using("http://127.0.0.1:1/v1", shown)


# --- downloads -------------------------------------------------------------------------------------------------------

PICTURE = bytes(range(256)) * 40
LENGTH = len(PICTURE)


def part(start, end=None, *, total=LENGTH):
    body = PICTURE[start:end]
    return http(body, "206 Partial Content", f"Content-Range: bytes {start}-{start + len(body) - 1}/{total}")


def download(*behaviours, promised=LENGTH, path="/cdn/x/0.png", sink=None):
    """Return the outcome, what has come, the requests and the pauses."""
    sink, pauses = sink or Buffer(), []
    with Hostile(*behaviours) as server:
        outcome = using(server.api, lambda wiro: wiro.download(server.origin + path, sink, promised), pauses=pauses)
    assert all(request.method == "GET" for request in server.requests)
    assert not any({"x-api-key", "x-signature", "x-nonce"} & request.headers.keys() for request in server.requests)
    return outcome, sink, server.requests, pauses


def test_a_file_is_fetched_by_one_request_without_any_credential():
    outcome, sink, requests, pauses = download(says(http(PICTURE)))
    assert (outcome, sink.data, len(requests), pauses) == (None, PICTURE, 1, [])
    assert "range" not in requests[0].headers
    assert requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("promised", [len(PICTURE), None])
def test_a_download_that_breaks_goes_on_where_it_stopped(promised):
    cut = says(http(PICTURE[:4000], length=len(PICTURE)))
    outcome, sink, requests, pauses = download(cut, says(part(4000)), promised=promised)
    assert (outcome, sink.data) == (None, PICTURE)
    assert [request.headers.get("range") for request in requests] == [None, "bytes=4000-"]
    assert len(pauses) == 1


def test_a_download_goes_on_several_times():
    first = http(PICTURE[:1000], length=LENGTH)
    cuts = [part(start)[: 1000 - LENGTH + start] for start in (1000, 2000)]
    outcome, sink, requests, _ = download(says(first), *map(says, cuts), says(part(3000)))
    assert (outcome, sink.data) == (None, PICTURE)
    assert [request.headers.get("range") for request in requests[1:]] == [f"bytes={n}000-" for n in (1, 2, 3)]


def test_a_server_that_ignores_the_range_is_read_from_the_start():
    outcome, sink, requests, _ = download(says(http(PICTURE[:4000], length=len(PICTURE))), says(http(PICTURE)))
    assert (outcome, sink.data, len(requests)) == (None, PICTURE, 2)


@pytest.mark.parametrize("promised", [len(PICTURE), None])
@pytest.mark.parametrize("wrong", [part(3999), part(0), part(4001), http(PICTURE[4000:], "206 Partial Content")])
def test_another_part_than_the_one_asked_for_is_never_glued_to_what_came_before(promised, wrong):
    cut = says(http(PICTURE[:4000], length=len(PICTURE)))
    outcome, sink, requests, _ = download(cut, says(wrong), says(http(PICTURE)), promised=promised)
    assert (outcome, sink.data, len(requests)) == (None, PICTURE, 3)


def test_a_range_that_the_server_cannot_satisfy_is_asked_for_from_the_start():
    outcome, sink, requests, _ = download(
        says(http(PICTURE[:4000], length=len(PICTURE))),
        says(http(b"", "416 Range Not Satisfiable")),
        says(http(PICTURE)),
    )
    assert (outcome, sink.data) == (None, PICTURE)
    assert [request.headers.get("range") for request in requests] == [None, "bytes=4000-", None]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_link_that_does_not_work_any_more_is_gone_at_once(status):
    outcome, sink, requests, pauses = download(says(http(b"<Error/>", f"{status} No")))
    assert (outcome, sink.data, len(requests), pauses) == (Gone(reason=f"HTTP {status}"), b"", 1, [])


@pytest.mark.parametrize(
    "reply",
    [
        http(b"<html>please wait</html>"),
        http(PICTURE[:-1]),
        http(PICTURE + b"x"),
        http(b""),
        b"HTTP/1.1 200 OK\r\n\r\n" + PICTURE[:100],
        http(b"", "500 Internal Server Error"),
        http(b"", "204 No Content"),
        http(b"", "304 Not Modified"),
        http(PICTURE, "200 OK", "Content-Encoding: gzip"),
        http(PICTURE, "203 Transformed"),
        b"garbage\r\n\r\n",
    ],
    ids=lambda reply: repr(reply[:40]),
)
def test_what_is_not_the_promised_file_is_asked_for_a_few_times_and_then_undelivered(reply):
    outcome, sink, requests, pauses = download(says(reply))
    assert isinstance(outcome, Undelivered)
    assert (len(requests), len(pauses)) == (4, 3)
    assert all(0 <= pause <= 8 for pause in pauses)
    assert sink.data != PICTURE


def test_a_compressed_file_never_reaches_the_disk():
    _, sink, _, _ = download(says(http(PICTURE, "200 OK", "Content-Encoding: br")), promised=None)
    assert sink.data == b""


def test_a_passing_trouble_of_the_cdn_is_passed_over():
    outcome, sink, _, _ = download(hangs_up, says(http(b"", "503 Busy")), says(http(PICTURE)))
    assert (outcome, sink.data) == (None, PICTURE)


def test_a_file_without_end_is_stopped_by_the_sink_and_the_connection_with_it():
    class Full(Buffer):
        def write(self, chunk):
            super().write(chunk)
            if self.size > 1 << 20:
                raise OverflowError("more than a picture can have")

    with pytest.raises(OverflowError):
        download(goes_on_for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), sink=Full(), promised=None)


def test_more_than_was_promised_is_not_written():
    outcome, sink, requests, _ = download(goes_on_for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096))
    assert isinstance(outcome, Undelivered)
    assert sink.largest <= LENGTH
    assert len(requests) == 4


def test_a_redirect_of_a_file_is_followed_without_credentials():
    with Hostile(says(http(PICTURE))) as other:
        to = f"Location: {other.origin}/real.png"
        outcome, sink, requests, _ = download(says(http(b"moved", "302 Found", to)))
    assert (outcome, sink.data, len(requests), len(other.requests)) == (None, PICTURE, 1, 1)
    assert "x-api-key" not in other.requests[0].headers


def test_a_relative_redirect_is_relative_to_where_it_came_from():
    outcome, sink, requests, _ = download(says(http(b"", "307 Moved", "Location: ../y/1.png")), says(http(PICTURE)))
    assert (outcome, sink.data) == (None, PICTURE)
    assert [request.path for request in requests] == ["/cdn/x/0.png", "/cdn/y/1.png"]


def test_redirects_without_end_end():
    outcome, sink, requests, _ = download(says(http(b"", "302 Found", "Location: /again")))
    assert outcome == Undelivered(reason="more than 3 redirects")
    assert (sink.data, len(requests)) == (b"", 16)


@pytest.mark.parametrize(
    "to",
    [
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "https://192.168.0.1/",
        "http://example.org/0.png",
        "file:///etc/passwd",
        "https://user@example.org/",
        "http://2130706433/",
        "//0x7f000001/",
        "https://internal/",
    ],
)
def test_a_redirect_into_a_private_network_is_not_followed(to):
    outcome, sink, requests, pauses = download(says(http(b"", "302 Found", f"Location: {to}")))
    assert isinstance(outcome, Undelivered), "what a network in between did is no reason to pay again"
    assert (sink.data, len(requests), pauses) == (b"", 1, [])


@pytest.mark.parametrize(
    "to", ["http://[", "http://[::1", "http://127.0.0.1:99999/", "\x80\xff", "http://127.0.0.1:x/"]
)
def test_a_redirect_to_nonsense_is_no_traceback(to):
    outcome, sink, _, _ = download(says(http(b"", "302 Found", f"Location: {to}")))
    assert isinstance(outcome, Undelivered)
    assert sink.data == b""


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["127.0.0.1"], ["93.184.216.34", "::1"], ["fe80::1%eth0"], ["x"], []]
)
def test_a_name_that_leads_to_this_machine_or_into_a_private_network_is_not_connected_to(addresses):
    class Untouched:
        async def get(self, *_):
            pytest.fail("a connection was made")

    async def resolve(host, port):
        return addresses

    async def pause(_):
        return None

    downloads = Downloads(Untouched(), loopback=False, resolve=resolve, sleep=pause)
    outcome = asyncio.run(downloads.fetch("https://cdn1.wiro.ai/x/0.png", Buffer(), None))
    assert isinstance(outcome, Undelivered)


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_judged():
    resolved = []

    async def resolve(host, port):
        resolved.append(host)
        return ["127.0.0.1"] if len(resolved) == 1 else ["10.0.0.1"]

    async def scenario(url, sink):
        async with Http() as http:
            downloads = Downloads(http, loopback=True, resolve=resolve)
            return [await downloads.fetch(url, sink, LENGTH) for _ in range(2)]

    with Hostile(says(http(PICTURE))) as server:
        assert asyncio.run(scenario(f"http://localhost:{server.port}/0.png", Buffer())) == [None, None]
    assert resolved == ["localhost"]
    assert {request.headers["host"] for request in server.requests} == {f"localhost:{server.port}"}


@pytest.mark.parametrize("path", ["/a%2Fb%41+c,d.png?sig=%2f%41%7E&e=a+b,c;d", "/x//0.png?", "/x/0.png?a=%20&a=1"])
def test_the_address_of_a_file_is_asked_for_byte_by_byte_since_a_signature_may_cover_it(path):
    outcome, _, requests, _ = download(says(http(PICTURE)), path=path)
    assert (outcome, [request.path for request in requests]) == (None, [path])


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n\r\n" + PICTURE[:99]])
@pytest.mark.parametrize("limits", [{"total": 0.05}, {"lull": 0.05}])
def test_a_host_that_falls_silent_does_not_hold_a_download_for_ever(beginning, limits):
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    async def scenario(url):
        async with Http() as http:
            downloads = Downloads(http, loopback=True, sleep=pause, limits=Limits(**limits))
            return await downloads.fetch(url, Buffer(), None)

    with Hostile(falls_silent(beginning)) as server:
        assert isinstance(asyncio.run(scenario(f"{server.origin}/0.png")), Undelivered)
    assert len(pauses) == 3


def test_a_public_api_may_not_name_a_file_on_this_machine():
    with Hostile(says(http(PICTURE))) as server:
        url = f"{server.origin}/0.png"
        outcome = using("https://api.wiro.ai/v1", lambda wiro: wiro.download(url, Buffer(), None))
    assert isinstance(outcome, Undelivered)
    assert server.connections == 0


# --- against the simulator -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [None, SECRET], ids=["key only", "signature"])
def test_a_picture_is_made_and_fetched_with_either_way_to_authenticate(secret):
    async def scenario(wiro):
        accepted = await wiro.submit(RENDER, lambda: None)
        told = await wiro.detail(accepted.task)
        listed = await wiro.list_tasks(0)
        assert [one.id for one in listed.tasks] == [accepted.task]
        (output,) = told.tasks[0].verdict().outputs
        sink = Buffer()
        assert await wiro.download(output.url, sink, output.size) is None
        return told.tasks[0], sink.data

    with simulated(api_secret=secret) as server:
        task, data = using(server.base_url, scenario, secret=secret)
        (row,) = server.simulator.ledger()
    assert isinstance(task.verdict(), Finished)
    assert (task.cost, task.params["prompt"], row.charged) == (Decimal("0.03"), "A “teal” bottle", Decimal("0.03"))
    assert data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": "another"}, "Project authorization is not founded."),
        ({"api_secret": "another"}, "Project authorization is not valid."),
        ({"allowed_ips": frozenset({"10.0.0.1"})}, "Requested ip 127.0.0.1 is not allowed."),
    ],
)
def test_an_account_that_is_not_let_in_is_refused_as_an_account(settings, words):
    with simulated(**settings) as server:
        outcome, _ = submit(server.base_url)
        read = using(server.base_url, lambda wiro: wiro.detail("2221"))
        assert server.simulator.ledger() == ()
    assert outcome == Refused(code="HTTP 401", message=words, scope="account")
    assert read == Unread(reason=f"HTTP 401: {words}", account=True)


def test_a_hundred_signed_submissions_at_once_are_all_let_in():
    async def scenario(wiro):
        return await asyncio.gather(*(wiro.submit(RENDER, lambda: None) for _ in range(100)))

    with simulated() as server:
        outcomes = using(server.base_url, scenario)
        made = {row.task for row in server.simulator.ledger()}
    assert {one.task for one in outcomes} == made
    assert len(made) == 100


@pytest.mark.parametrize(
    ("fault", "kind", "made"),
    [
        ("lost_answer", Unknown, 1),
        ("lost_before", Unknown, 0),
        ("http_500_made", Unknown, 1),
        ("http_500_not_made", Unknown, 0),
        ("html_502", Unknown, 0),
        ("code_0_unknown_made", Unknown, 1),
        ("code_0_unknown_not_made", Unknown, 0),
        ("malformed", Unknown, 1),
        ("no_id", Accepted, 1),
        ("http_429", NotTaken, 0),
        ("code_96", NotTaken, 0),
        ("code_97", Refused, 0),
    ],
)
def test_no_fault_of_the_simulator_makes_two_tasks_of_one_submission(fault, kind, made):
    with simulated(faults=[{"on": "run", "what": fault, "first": 1}]) as server:
        outcome, sent = submit(server.base_url)
        rows = server.simulator.ledger()
    assert isinstance(outcome, kind), outcome
    assert (sent, len(rows)) == (1, made)
    if isinstance(outcome, Accepted):
        assert outcome.task == rows[0].task


def test_the_limit_and_the_wait_that_the_service_names_are_told():
    with simulated(balance=Decimal(50), speed=1e-6) as server:
        outcomes = [submit(server.base_url)[0] for _ in range(6)]
        running = using(server.base_url, lambda wiro: wiro.detail(outcomes[0].task))
    assert [type(one) for one in outcomes] == [Accepted] * 5 + [NotTaken]
    assert (outcomes[5].full, outcomes[5].limit) == (True, 5)
    assert running.tasks[0].verdict() == Running()
    with simulated(faults=[{"on": "run", "what": "http_429", "retry_after": "7"}]) as server:
        assert submit(server.base_url)[0].wait == 7


def test_a_model_and_a_parameter_that_the_service_does_not_know_are_told_apart():
    with simulated() as server:
        model, _ = submit(server.base_url, Render.of("black-forest-labs/no-such-model", {"prompt": "x"}))
        parameter, _ = submit(server.base_url, Render.of(MODEL, {"prompt": "x", "width": 1000}))
    assert (model.scope, parameter.scope) == ("model", "render")
    assert "width" in parameter.message


def test_a_queued_task_can_be_cancelled_and_a_running_one_killed_and_neither_is_charged():
    async def scenario(wiro):
        return [(await wiro.submit(RENDER, lambda: None)).task for _ in range(2)]

    with simulated(speed=1e-6) as server:
        queued, running = using(server.base_url, scenario)
        cancelled = using(server.base_url, lambda wiro: wiro.cancel(queued))
        again = using(server.base_url, lambda wiro: wiro.cancel(queued))
        told = using(server.base_url, lambda wiro: wiro.detail(queued))
        killed = using(server.base_url, lambda wiro: wiro.kill(running))
    assert cancelled.tasks[0].verdict() == told.tasks[0].verdict() == Cancelled()
    assert again == Unread(reason="code 1: Task is not in a cancellable state.")
    assert isinstance(killed, Tasks | Unread)


def test_a_task_that_nobody_made_is_no_task():
    with simulated() as server:
        assert using(server.base_url, lambda wiro: wiro.detail("9")) == NoTask()
        assert using(server.base_url, lambda wiro: wiro.list_tasks(0)) == Tasks(tasks=())


def test_nothing_of_a_test_is_left_running():
    assert [one.name for one in threading.enumerate() if one.name == "simulator"] == []
