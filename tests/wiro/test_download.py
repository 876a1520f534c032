"""Promises about downloads, kept against a CDN that breaks every rule; it is a raw socket on loopback."""

from __future__ import annotations

import asyncio
import gzip
import re
import ssl
import subprocess
from dataclasses import dataclass, field

import pytest
from wiro.cdn_server import Cdn, answer, chunked, endless, moved, part, silence, trickle

from flux_pipeline.wiro.cdn_url import judge
from flux_pipeline.wiro.download import Downloads, Limits
from flux_pipeline.wiro.http import Http
from flux_pipeline.wiro.outcomes import Gone, Undelivered
from flux_pipeline.wiro.wire import Answer, NoAnswer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
HALF, MOST = len(PNG) // 2, len(PNG) * 999 // 1000
TAG = '"a1"'
SYSTEM = ssl.create_default_context()  # costs more than a test
SECRETS = ("authorization", "x-api-key", "x-signature", "x-nonce", "cookie")


@dataclass
class Memory:
    data: bytes = b""
    longest: int = 0

    @property
    def size(self):
        return len(self.data)

    def write(self, chunk):
        self.data += chunk
        self.longest = max(self.longest, len(self.data))

    def reset(self):
        self.data = b""


@dataclass
class Came:
    outcome: object
    sink: Memory
    requests: list
    pauses: list = field(default_factory=list)

    @property
    def reason(self):
        return self.outcome.reason

    def asked(self, name):
        found = (re.search(rf"(?mi)^{name}: (.*?)\r$", request) for request in self.requests)
        return [match and match[1] for match in found]


def fetched(cdn, *urls, promised=None, resolve=None, limits=None, loopback=True, context=None):
    """Fetch these URLs one after the other with one client; without any, the CDN's own."""

    async def scenario():
        pauses, results = [], []

        async def pause(seconds):
            pauses.append(seconds)

        async with Http(context or SYSTEM) as http:
            fakes = {"resolve": resolve} if resolve else {}
            downloads = Downloads(http, loopback=loopback, sleep=pause, limits=limits, **fakes)
            for url in urls or [f"{cdn.origin}/a/0.png"]:
                sink = Memory()
                results.append(Came(await downloads.fetch(url, sink, promised), sink, cdn.requests, pauses))
        return results

    return asyncio.run(scenario())


def fetch(*scripts, **options):
    """Fetch one file from a CDN that answers so."""
    with Cdn(*scripts) as cdn:
        came = fetched(cdn, **options)[0]
    assert not any(re.search(rf"(?mi)^{name}:", head) for name in SECRETS for head in came.requests)
    return came


def names(**table):
    """Resolve by a table; a list of lists is one answer after the other. `asked` is what was looked up."""
    asked = []

    async def resolve(host, port):
        asked.append(host)
        found = table[host.replace(".", "_")]
        return found.pop(0) if isinstance(found[0], list) else found

    resolve.asked = asked
    return resolve


# --- whole or not at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("promised", [len(PNG), None])
@pytest.mark.parametrize("whole", [answer(PNG), answer(PNG, length=None), chunked(PNG)])
def test_a_whole_file_comes_with_one_request(whole, promised):
    came = fetch(whole, promised=promised)
    assert (came.outcome, came.sink.data, len(came.requests)) == (None, PNG, 1)


CUTS = [0, 2, HALF, MOST]


@pytest.mark.parametrize("kept", CUTS)
@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda kept: answer(PNG[:kept], length=len(PNG)), id="with a length"),
        pytest.param(lambda kept: chunked(PNG[:kept], whole=False), id="chunked"),
    ],
)
@pytest.mark.parametrize("promised", [len(PNG), None])
def test_a_file_that_is_cut_off_is_never_taken_for_whole(cut, kept, promised):
    came = fetch(cut(kept), promised=promised)
    assert isinstance(came.outcome, Undelivered)
    assert len(came.requests) == 4
    assert came.sink.data != PNG


@pytest.mark.parametrize("kept", CUTS)
def test_a_file_that_is_cut_off_without_any_length_is_told_by_the_length_that_the_service_promised(kept):
    came = fetch(answer(PNG[:kept], length=None), promised=len(PNG))
    assert isinstance(came.outcome, Undelivered)


def test_nothing_at_all_is_not_a_file():
    assert fetch(answer(b"", length=None)).outcome == Undelivered(reason="nothing came")


@pytest.mark.parametrize(
    "lie",
    [
        answer(PNG, length=len(PNG) + 1),
        answer(PNG + b"x"),
        answer(PNG[:-1]),
        answer(PNG, length=-1),
        answer(PNG, length="1e4"),
        answer(PNG, length="4, 5"),
        answer(PNG, length=10**15),
    ],
)
def test_a_length_that_lies_is_never_believed(lie):
    came = fetch(lie, promised=len(PNG))
    assert isinstance(came.outcome, Undelivered)
    assert came.sink.longest <= len(PNG)


def test_an_endless_body_is_cut_at_the_promised_size_and_not_a_byte_more_is_written():
    came = fetch(endless(), promised=len(PNG))
    assert came.outcome == Undelivered(reason=f"more than {len(PNG)} bytes came")
    assert (came.sink.data, came.sink.longest <= len(PNG)) == (b"", True)


def test_an_endless_body_without_a_promise_is_cut_at_the_cap():
    came = fetch(endless(), limits=Limits(most=1 << 20))
    assert came.outcome == Undelivered(reason=f"more than {1 << 20} bytes came")
    assert came.sink.longest <= 1 << 20


def test_a_length_above_the_cap_is_refused_before_the_body():
    came = fetch(answer(PNG, length=1 << 30))
    assert came.reason == f"the answer has {1 << 30} bytes, too many"
    assert came.sink.longest == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x-gzip, identity"])
def test_a_compressed_answer_is_refused_and_never_unpacked(coding):
    came = fetch(answer(gzip.compress(PNG), Content_Encoding=coding))
    assert came.reason == "the answer is compressed although nobody asked for it"
    assert came.sink.longest == 0
    assert set(came.asked("accept-encoding")) == {"identity"}


@pytest.mark.parametrize("status", ["200 OK", "206 Partial Content"])
def test_an_answer_in_several_parts_is_refused(status):
    came = fetch(answer(PNG, status, Content_Type="Multipart/ByteRanges; boundary=x"))
    assert isinstance(came.outcome, Undelivered)
    assert came.sink.longest == 0


@pytest.mark.parametrize("page", [b"<!doctype html><h1>One moment</h1>", b"<Error/>", b"{}"])
def test_a_page_instead_of_a_picture_is_not_delivered(page):
    came = fetch(answer(page, Content_Type="text/html; charset=utf-8"))
    assert came.outcome == Undelivered(reason="the answer is text/html, not a picture")
    assert came.sink.data == b""


@pytest.mark.parametrize("kind", ["text/html", "image/png", "application/octet-stream", None, ""])
def test_a_picture_under_a_wrong_type_is_a_picture(kind):
    assert fetch(answer(PNG, Content_Type=kind)).sink.data == PNG


def test_something_odd_under_the_type_of_a_picture_is_left_for_the_check_of_pictures_to_judge():
    assert fetch(answer(b"<html>" * 9)).outcome is None


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "410 Gone"])
def test_a_link_that_has_expired_is_gone_at_once(status):
    came = fetch(answer(b"<Error/>", status))
    assert (came.outcome, len(came.requests)) == (Gone(reason=f"HTTP {status[:3]}"), 1)


@pytest.mark.parametrize(
    "answers",
    [
        answer(PNG, "203 Transformed"),
        answer(b"", "204 No Content", length=None),
        answer(b"", "304 Not Modified", length=None),
        answer(b"", "302 Found"),
        answer(b"", "401 Unauthorized"),
        answer(b"", "500 Oops"),
        part(PNG, 0),
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"",
    ],
    ids=lambda answers: repr(answers[:24]),
)
def test_whatever_else_is_answered_is_not_the_file(answers):
    came = fetch(answers, promised=len(PNG))
    assert isinstance(came.outcome, Undelivered)
    assert came.sink.data == b""
    assert len(came.requests) in (4, 8)  # aiohttp asks a host that hangs up at once a second time


# --- patience --------------------------------------------------------------------------------------------------------


def test_a_slow_body_is_given_up_when_it_is_slower_than_the_least_pace():
    came = fetch(trickle(PNG, 0.02), limits=Limits(lull=0.1, least=1000))
    assert came.outcome == Undelivered(reason="fewer than 1000 bytes came in 0.1 s")
    assert len(came.requests) == 4


def test_a_body_that_is_slow_but_keeps_the_pace_comes_home():
    assert fetch(trickle(PNG[:40], 0.01), limits=Limits(lull=0.3, least=5)).sink.data == PNG[:40]


def test_a_body_that_keeps_the_pace_for_ever_meets_the_deadline():
    came = fetch(trickle(PNG, 0.01), limits=Limits(total=0.15, lull=5))
    assert came.outcome == Undelivered(reason="it took longer than 0.15 s")


def test_a_host_that_says_nothing_is_given_up():
    assert isinstance(fetch(silence(0.3), limits=Limits(lull=0.05)).outcome, Undelivered)


def test_a_host_whose_name_takes_for_ever_to_resolve_is_given_up():
    async def never(host, port):
        await asyncio.sleep(60)

    with Cdn(answer(PNG)) as cdn:
        came = fetched(cdn, "https://cdn.example/0.png", resolve=never, limits=Limits(total=0.05))[0]
    assert came.reason == "it took longer than 0.05 s"


@pytest.mark.parametrize("status", ["429 Too Many", "503 Busy"])
@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ("0", 0, 8),
        ("7", 7, 8),
        ("60", 60, 60),
        ("315360000", 60, 60),
        ("-5", 0, 8),
        ("soon", 0, 8),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 8),
        ("Wed, 21 Oct 9999 07:28:00 GMT", 60, 60),
        ("9" * 400, 0, 60),
    ],
)
def test_a_host_that_asks_for_patience_gets_it_within_a_minute(status, told, least, most):
    came = fetch(answer(b"", status, Retry_After=told), answer(PNG))
    assert came.sink.data == PNG
    assert [least <= pause <= most for pause in came.pauses] == [True]


# --- going on after a break ------------------------------------------------------------------------------------------


def cut(kept=HALF, **headers):
    return answer(PNG[:kept], length=len(PNG), **headers)


@pytest.mark.parametrize("promised", [len(PNG), None])
@pytest.mark.parametrize("tag", [TAG, None])
def test_a_download_goes_on_where_it_broke_off_and_the_sum_is_right(promised, tag):
    came = fetch(cut(ETag=tag), part(PNG, HALF, last=MOST, ETag=tag), part(PNG, MOST + 1), promised=promised)
    assert (came.outcome, came.sink.data) == (None, PNG)
    assert came.asked("range") == [None, f"bytes={HALF}-", f"bytes={MOST + 1}-"]
    assert came.asked("if-range") == [None, tag, tag]


def test_a_weak_validator_proves_nothing_and_is_not_sent_as_a_proof():
    came = fetch(cut(ETag='W/"a1"'), part(PNG, HALF, ETag='W/"a1"'))
    assert (came.sink.data, came.asked("if-range")) == (PNG, [None, None])


def test_what_came_without_any_length_or_validator_is_not_gone_on_with():
    came = fetch(chunked(PNG[:HALF], whole=False), answer(PNG))
    assert (came.sink.data, came.asked("range")) == (PNG, [None, None])


def test_a_file_that_has_changed_meanwhile_begins_anew():
    other = PNG[::-1]
    came = fetch(cut(ETag=TAG), answer(other, ETag='"b2"'))
    assert (came.outcome, came.sink.data, len(came.requests)) == (None, other, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(part(PNG, HALF, ETag='"b2"'), id="of another file"),
        pytest.param(part(PNG, HALF, Last_Modified="Thu, 01 Jan 1970 00:00:01 GMT"), id="of another time"),
        pytest.param(part(PNG, HALF, total=len(PNG) + 1), id="of another length"),
        pytest.param(part(PNG, HALF, total="*"), id="of no length"),
        pytest.param(part(PNG, HALF + 1), id="too late"),
        pytest.param(part(PNG, HALF - 1), id="too early"),
        pytest.param(part(PNG, 0), id="from the start"),
        pytest.param(answer(PNG[HALF:], "206 Partial Content"), id="without saying what"),
        pytest.param(answer(PNG[HALF:], "206 P", Content_Range=f"bytes {HALF}-1/{len(PNG)}"), id="backwards"),
        pytest.param(answer(PNG[HALF:], "206 P", Content_Range=f"lines {HALF}-9/{len(PNG)}"), id="in lines"),
        pytest.param(answer(PNG[HALF:], "206 P", Content_Type="multipart/byteranges; boundary=x"), id="in parts"),
        pytest.param(answer(b"", "416 No", Content_Range=f"bytes */{len(PNG)}"), id="refused"),
    ],
)
def test_a_rest_that_is_not_the_rest_is_refused_and_the_file_begins_anew(wrong):
    first = cut(ETag=TAG, Last_Modified="Thu, 01 Jan 1970 00:00:00 GMT")
    came = fetch(first, wrong, answer(PNG))
    assert (came.outcome, came.sink.data) == (None, PNG)
    assert came.asked("range") == [None, f"bytes={HALF}-", None]


def test_a_rest_that_is_longer_than_it_says_never_makes_a_file():
    long = answer(PNG[HALF:] + b"x" * 99, "206 P", Content_Range=f"bytes {HALF}-{len(PNG) - 1}/{len(PNG)}")
    came = fetch(cut(ETag=TAG), long, answer(PNG))
    assert (came.sink.data, came.sink.longest) == (PNG, len(PNG))


def test_what_came_is_kept_while_the_host_is_busy():
    came = fetch(cut(ETag=TAG), answer(b"", "503 Busy"), part(PNG, HALF))
    assert came.asked("range") == [None, f"bytes={HALF}-", f"bytes={HALF}-"]
    assert came.sink.data == PNG


# --- where files come from -------------------------------------------------------------------------------------------


def test_a_redirect_to_another_allowed_host_is_followed():
    with Cdn(answer(PNG), host="127.0.0.2") as other:
        came = fetch(moved(f"{other.origin}/b.png"))
    assert (came.sink.data, len(other.requests)) == (PNG, 1)


@pytest.mark.parametrize("hops", [3, 4, 20])
def test_three_redirects_are_followed_and_no_more(hops):
    came = fetch(*[moved(f"/{hop}") for hop in range(hops)], answer(PNG))
    if hops == 3:
        assert (came.outcome, came.sink.data) == (None, PNG)
    else:
        assert len(came.requests) >= 4
        assert all(f"GET /{hop} " not in "".join(came.requests[:4]) for hop in range(3, hops))


def test_a_loop_of_redirects_ends():
    came = fetch(moved("/a"))
    assert came.outcome == Undelivered(reason="more than 3 redirects")


@pytest.mark.parametrize(
    "to",
    [
        "http://10.0.0.1/x", "https://169.254.169.254/latest", "file:///etc/passwd", "ftp://127.0.0.1/", "//0x7f000001/",
        "http://example.org/0.png", "https://u@example.org/", "http://2130706433/", "https://[::ffff:10.0.0.1]/",
        "https://intranet/", "https://a.internal/", "http://[", "http://127.0.0.1:99999/", "data:image/png;base64,AA",
    ],
)  # fmt: skip
def test_a_redirect_inwards_or_to_nonsense_is_not_followed_and_not_a_reason_to_pay_again(to):
    came = fetch(moved(to))
    assert isinstance(came.outcome, Undelivered)
    assert (len(came.requests), came.pauses) == (1, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://0x7f000001/x", "https://127.1/x", "https://2130706433/x", "https://[::ffff:127.0.0.1]/x", "file:///x",
        "https://a@127.0.0.1/x", "https://example.org\\@127.0.0.1/x", "https://example.org%2f@127.0.0.1/x", "", "//x",
        "http://cdn1.wiro.ai/x", "https://169.254.169.254/x", "https://localhost/x", "https://127.0.0.1/x",
    ],
)  # fmt: skip
def test_an_odd_url_reaches_nobody(url):
    reached = []

    async def resolve(host, port):
        reached.append(host)
        return []

    with Cdn(answer(PNG)) as cdn:
        came = fetched(cdn, url, loopback=False, resolve=resolve)[0]
    assert isinstance(came.outcome, Undelivered)
    assert (cdn.connections, reached, came.pauses) == (0, [], [])


class Recorder:
    """Stands where the network is, and notes the addresses that would have been connected to."""

    def __init__(self, *broken):
        self.broken, self.addresses = broken, []

    async def get(self, place, address, headers, head, sink):
        self.addresses.append(address)
        if address in self.broken:
            return NoAnswer(reason="nobody there", sent=False)
        told = Answer(status=200, headers={"content-type": "image/png"}, body=b"")
        if head(told):
            sink(PNG)
        return told


def through(recorder, resolve, *urls):
    async def nothing(_):
        await asyncio.sleep(0)

    async def scenario():
        downloads = Downloads(recorder, loopback=False, resolve=resolve, sleep=nothing)
        return [await downloads.fetch(url, Memory(), None) for url in urls]

    return asyncio.run(scenario())


def test_a_name_is_looked_up_once_and_the_connection_goes_to_the_address_that_was_judged():
    resolve = names(cdn_example=[["93.184.216.34"], ["127.0.0.1"]])
    recorder = Recorder()
    assert through(recorder, resolve, "https://cdn.example/0.png") == [None]
    assert (recorder.addresses, resolve.asked) == (["93.184.216.34"], ["cdn.example"])


def test_a_name_that_is_rebound_between_check_and_connection_leads_nowhere_new():
    with Cdn(answer(PNG)) as judged, Cdn(answer(b"inside"), host="127.0.0.2", port=judged.port) as inside:
        resolve = names(localhost=[["127.0.0.1"], ["127.0.0.2"]])
        came = fetched(judged, f"http://localhost:{judged.port}/0.png", resolve=resolve)[0]
    assert (came.sink.data, resolve.asked, inside.connections) == (PNG, ["localhost"], 0)
    assert came.asked("host") == [f"localhost:{judged.port}"]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:169.254.169.254"], ["fe80::1%eth0"], ["0.0.0.0"]],
)
def test_a_name_with_any_address_inside_is_not_connected_to_at_all(addresses):
    recorder = Recorder()
    (outcome,) = through(recorder, names(cdn_example=addresses), "https://cdn.example/0.png")
    assert outcome == Undelivered(reason="cdn.example leads to an address that is not public")
    assert recorder.addresses == []


def test_a_redirect_to_a_name_that_leads_inside_is_not_followed():
    resolve = names(inside_example=["10.0.0.1"])
    with Cdn(moved("https://inside.example/0.png")) as cdn:
        came = fetched(cdn, resolve=resolve)[0]
    assert came.reason == "inside.example leads to an address that is not public"


def test_the_next_address_of_a_name_is_tried_when_one_cannot_be_reached():
    recorder = Recorder("2606:4700::1")
    assert through(recorder, names(cdn_example=["2606:4700::1", "93.184.216.34"]), "https://cdn.example/") == [None]
    assert recorder.addresses == ["2606:4700::1", "93.184.216.34"]


def test_a_name_that_nobody_can_resolve_is_no_traceback():
    async def fails(host, port):
        raise OSError("no such name")

    assert through(Recorder(), fails, "https://cdn.example/") == [Undelivered(reason="cdn.example cannot be resolved")]


def test_judged_addresses_serve_several_files_for_a_while():
    resolve = names(cdn_example=["93.184.216.34"])
    assert through(Recorder(), resolve, *["https://cdn.example/0.png"] * 5) == [None] * 5
    assert resolve.asked == ["cdn.example"]


# --- the request and the connection ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/a/0.png",
        "/a/0.png?token=x-1_2.3~4&e=5",
        "/a%2Fb%7E.png?s=%2F%7E%20+%3D&x=%41",
        "/x?",
        "/a//b;c?d=|'^`{}",
        "/%zz",
    ],
)
def test_a_signed_url_arrives_byte_for_byte(path):
    with Cdn(answer(PNG)) as cdn:
        came = fetched(cdn, cdn.origin + path)[0]
    assert came.outcome is None
    assert cdn.requests[0].split(" ")[1] == path


def test_a_second_answer_behind_the_first_is_never_taken_for_the_next_file():
    other = PNG[::-1]
    with Cdn(answer(PNG) + answer(other), answer(PNG), keep=True) as cdn:
        first, second = fetched(cdn, f"{cdn.origin}/1.png", f"{cdn.origin}/2.png")
    assert (first.sink.data, second.sink.data) == (PNG, PNG)


def test_a_connection_is_used_again_for_the_next_file_of_the_same_host_and_a_cookie_is_not():
    with Cdn(answer(PNG, Set_Cookie="a=b; Path=/"), keep=True) as cdn:
        fetched(cdn, *[f"{cdn.origin}/{number}.png" for number in range(3)])
    assert (cdn.connections, len(cdn.requests)) == (1, 3)
    assert "cookie" not in "".join(cdn.requests).lower()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate for `cdn.example`."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=cdn.example", "-addext", "subjectAltName=DNS:cdn.example", "-keyout", "key", "-out", "cert"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("path", ["/0.png", "/0.png?s=%2F"])
@pytest.mark.parametrize(("host", "welcome"), [("cdn.example", True), ("other.example", False)])
def test_the_certificate_has_to_be_that_of_the_name_although_the_connection_goes_to_an_address(
    certificate, host, welcome, path
):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "cert", certificate / "key")
    client = ssl.create_default_context(cafile=certificate / "cert")
    with Cdn(answer(PNG), context=server) as cdn:
        server.sni_callback = lambda _, name, __: cdn.hellos.append(name)
        resolve = names(cdn_example=["127.0.0.1"], other_example=["127.0.0.1"])
        came = fetched(cdn, f"https://{host}:{cdn.port}{path}", resolve=resolve, context=client)[0]
    assert set(cdn.hellos) == {host}
    assert (came.outcome is None, bool(cdn.requests)) == (welcome, welcome)
    assert came.asked("host") == [f"{host}:{cdn.port}"] * welcome


def test_an_allowed_url_knows_its_parts():
    place = judge("https://CDN.example:8443/a%2Fb?c=/d#e", api_is_loopback=False)
    assert (place.place, place.rest, place.named) == ("cdn.example:8443", "/a%2Fb?c=/d", True)
    assert place.at("2606:4700::1") == "https://[2606:4700::1]:8443/a%2Fb?c=/d"
    assert not judge("https://8.8.8.8", api_is_loopback=False).named
