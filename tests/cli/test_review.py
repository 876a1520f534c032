"""`review`: the real server in its own process, and a reviewer who is not always a friend."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import signal
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from cli import errands
from cli.workshop import entry

from flux_pipeline.ledger.hold import held

ONE, TWO, THREE = (f"hero/seed={seed},size=64x64" for seed in (1, 2, 3))


class Review:
    """A review that is going on, and what a browser would send to it."""

    def __init__(self, process):
        self.process = process
        self.url = process.stdout.readline().strip()
        self.port, self.path = urlsplit(self.url).port, urlsplit(self.url).path
        self.token = self.path.strip("/")

    def ask(self, method="GET", place="", body=None, *, path=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Host": f"127.0.0.1:{self.port}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            connection.putrequest(method, self.path + place if path is None else path, skip_host=True)
            for name, text in sent.items():
                if text is not None:
                    connection.putheader(name, text)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def page(self):
        """Return the page's own data: the cards, and what the review adds to them."""
        status, page, _ = self.ask()
        assert status == 200
        found = re.findall(rb'<script type="application/json" id="(album|review)">(.*?)</script>', page, re.DOTALL)
        album, review = (json.loads(dict(found)[name]) for name in (b"album", b"review"))
        return {card["name"]: card for card in album["cards"]}, review

    def looked(self, name):
        cards, review = self.page()
        return {"cell": name, "key": cards[name]["key"], "sha256": review["cells"][name]["sha256"]}

    def post(self, asked, **headers):
        data = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        given = {
            "Origin": f"http://127.0.0.1:{self.port}",
            "X_Flux_Pipeline_Token": self.token,
            "Content_Type": "application/json",
            "Content_Length": str(len(data)),
        }
        status, said, _ = self.ask("POST", "decide", data, **(given | headers))
        return status, json.loads(said)

    def decide(self, name, verdict="approved", **rest):
        return self.post({**self.looked(name), "verdict": verdict, **rest})

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out + err


@pytest.fixture
def made(workshop, monkeypatch, capfd):
    call = errands.caller(workshop, monkeypatch, capfd)
    assert call("run", "--no-progress").code == 0
    (workshop.folder / "gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    return workshop, call


@pytest.fixture
def start(made):
    workshop, _ = made
    running = []

    def starting(*flags):
        environ = {"GIT_CONFIG_GLOBAL": str(workshop.folder / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}
        running.append(workshop.start("review", "manifests/m.yaml", *flags, **environ))
        return Review(running[-1])

    yield starting
    for process in running:
        process.kill()
        process.communicate()


def test_what_is_derived_can_be_looked_at_and_nothing_else_below_the_outputs(made, start):
    workshop, call = made
    workshop.write(entry(derive=[{"format": "webp"}, {"format": "avif", "width": 32}]))
    assert call("run", "--no-progress").code == 0
    (workshop.folder / "outputs/hero/other.webp").write_bytes(b"RIFF")
    review = start()
    cards, _ = review.page()
    kinds = {}
    for one in cards[ONE]["derived"]:
        status, data, headers = review.ask(place=one["file"])
        assert (status, data) == (200, (workshop.folder / one["path"]).read_bytes())
        kinds[one["format"]] = headers["Content-Type"]
    assert kinds == {"webp": "image/webp", "avif": "image/avif"}
    (workshop.folder / cards[ONE]["derived"][0]["path"]).write_bytes(b"RIFF and another file")
    assert review.ask(place=cards[ONE]["derived"][0]["file"])[0] == 404


def decided(workshop):
    return {line["cell"]: line["x-review"] for line in workshop.lines() if "x-review" in line}


def test_a_decision_is_in_the_lockfile_with_who_when_and_what_as_soon_as_it_is_answered(made, start):
    workshop, call = made
    review = start()
    status, said = review.decide(ONE, note="the light")
    review.process.kill()
    fact = decided(workshop)[ONE]
    assert (status, said["decisions"][ONE]["state"]) == (200, "approved")
    assert (fact["verdict"], fact["by"], fact["note"]) == ("approved", "Ada <ada@example.org>", "the light")
    assert (fact["cells"], fact["at"][-1]) == ([ONE], "Z")
    assert len(workshop.lines()) == 3, "the lockfile is at rest: one line for each submission"
    assert "review: 1 approved, 2 undecided" in call("status").out


def test_a_decision_is_followed_by_the_next_and_taken_back(made, start):
    workshop, _ = made
    review = start()
    for verdict in ("approved", "rejected", "none", "approved", "none"):
        assert review.decide(ONE, verdict)[0] == 200
        assert decided(workshop)[ONE]["verdict"] == verdict


def test_a_rejected_picture_is_kept_as_it_is_and_its_plan_says_what_to_change(made, start):
    workshop, call = made
    start().decide(TWO, "rejected")
    steps = {step["cell"]: step for step in call("plan", "--json").document["steps"]}
    assert (steps[TWO]["step"], steps[TWO]["reason"].partition(" on ")[0]) == (
        "keep",
        "rejected by Ada <ada@example.org>",
    )
    assert (call("run", "--no-progress").code, workshop.made()) == (0, 3)
    workshop.write(entry(seeds=(1, 4, 3)))
    assert (call("run", "--no-progress").code, workshop.made()) == (0, 4)


def test_the_picked_one_is_approved_and_its_rivals_are_rejected_at_once(made, start):
    workshop, _ = made
    review = start()
    assert review.page()[1]["cells"][TWO]["group"] == [ONE, TWO, THREE]
    status, _ = review.decide(TWO, "picked", others=[review.looked(ONE), review.looked(THREE)])
    assert status == 200
    assert {name: fact["verdict"] for name, fact in decided(workshop).items()} == {
        ONE: "rejected", TWO: "approved", THREE: "rejected",
    }  # fmt: skip


def test_a_pick_is_refused_where_a_rival_was_not_looked_at_or_is_none(made, start):
    workshop, _ = made
    workshop.write(entry(), entry("other", seeds=(1,)))
    review = start()
    assert review.decide(TWO, "picked", others=[review.looked(ONE)])[0] == 409
    stranger = {**review.looked(ONE), "cell": "other/seed=1,size=64x64"}
    assert review.decide(TWO, "picked", others=[review.looked(ONE), review.looked(THREE), stranger])[0] == 409
    changed = {**review.looked(ONE), "sha256": "a" * 64}
    assert review.decide(TWO, "picked", others=[changed, review.looked(THREE)])[0] == 409
    assert decided(workshop) == {}


def test_an_answer_tells_whether_the_page_still_shows_what_is_there(made, start):
    workshop, call = made
    review = start()
    shows = review.page()[1]["shows"]

    def now():
        return json.loads(review.ask(place="decisions")[1])["shows"]

    assert review.decide(ONE)[1]["shows"] == now() == shows
    workshop.write(entry(seeds=(1, 2, 4)))
    other = now()
    assert other != shows
    assert call("run", "--no-progress").code == 0
    assert now() not in (shows, other), "there is a picture more"
    workshop.write(entry())
    assert now() == shows


@pytest.mark.parametrize("what", ["manifest", "file", "gone", "broken manifest"])
def test_what_changed_since_it_was_looked_at_is_not_decided_on(made, start, what):
    workshop, _ = made
    review = start()
    looked = {**review.looked(ONE), "verdict": "approved"}
    picture = workshop.folder / "outputs/hero/1.png"
    match what:
        case "manifest":
            workshop.write(entry(prompt="A teal bottle"))
        case "file":
            picture.write_bytes((workshop.folder / "outputs/hero/2.png").read_bytes())
        case "gone":
            picture.unlink()
        case _:
            workshop.manifest.write_text("version: 1\nentries: [")
    status, said = review.post(looked)
    assert (status, decided(workshop)) == (409, {})
    assert said["error"]


def test_why_a_page_cannot_be_made_is_a_page_too(made, start):
    workshop, _ = made
    review = start()
    workshop.manifest.write_text("version: 1\nentries:\n  - id: hero\n    promt: <b>bold</b> & more\n")
    status, body, headers = review.ask()
    text = body.decode()
    assert (status, headers["Content-Type"]) == (409, "text/html; charset=utf-8")
    assert "did you mean &quot;prompt&quot;" in text
    assert "\n    promt: &lt;b&gt;bold&lt;/b&gt; &amp; more\n" in text
    assert "default-src 'none'; style-src 'sha256-" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    status, body, headers = review.ask(place="decisions")
    assert (status, headers["Content-Type"]) == (409, "application/json"), "which a program reads"


def test_a_run_that_holds_the_lockfile_is_waited_for_and_then_named(made, start):
    workshop, _ = made
    review = start()
    looked = {**review.looked(ONE), "verdict": "approved"}
    with held(workshop.lockfile):
        status, said = review.post(looked)
    assert (status, "is held by another run" in said["error"]) == (423, True)
    assert said["error"].endswith("wait for it, or stop it, and try again"), "nobody here has run anything"
    assert review.post(looked)[0] == 200


def test_two_reviewers_at_once_lose_no_decision(made, start):
    workshop, _ = made
    reviews = [start(), start()]
    asked = [
        (review, {**review.looked(name), "verdict": "approved"}) for name in (ONE, TWO, THREE) for review in reviews
    ]
    with ThreadPoolExecutor(6) as workers:
        answers = list(workers.map(lambda one: one[0].post(one[1])[0], asked))
    assert answers == [200] * 6
    assert {fact["verdict"] for fact in decided(workshop).values()} == {"approved"}
    assert len(decided(workshop)) == 3
    reviews[0].decide(ONE, "rejected")
    status, said, _ = reviews[1].ask(place="decisions")
    assert (status, json.loads(said)["decisions"][ONE]["state"]) == (200, "rejected")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "review.example.org"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Host": None}, 403),
        ({"Origin": "http://evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"X_Flux_Pipeline_Token": None}, 403),
        ({"X_Flux_Pipeline_Token": "guess"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Length": None}, 411),
        ({"Content_Length": "-1"}, 411),
        ({"Content_Length": None, "Transfer_Encoding": "chunked"}, 411),
        ({"Content_Length": "99999999"}, 413),
        ({"Content_Length": "9" * 40}, 413),
    ],
    ids=str,
)
def test_a_write_that_is_not_the_page_s_own_is_refused(made, start, headers, status):
    workshop, _ = made
    review = start()
    assert review.post({**review.looked(ONE), "verdict": "approved"}, **headers)[0] == status
    assert decided(workshop) == {}


def test_a_decision_that_makes_no_sense_is_refused_and_the_server_goes_on(made, start):
    workshop, _ = made
    review = start()
    looked = {**review.looked(ONE), "verdict": "approved"}
    nonsense = [
        *(b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff"),
        *({}, {**looked, "verdict": "adored"}, {**looked, "cell": 5}, {**looked, "sha256": None}),
        *({**looked, "note": 5}, {**looked, "note": "x" * 2001}, {**looked, "verdict": []}),
        *({**looked, "verdict": "picked", "others": 5}, {**looked, "verdict": "picked", "others": [5]}),
    ]
    assert {review.post(one)[0] for one in nonsense} == {400}
    strange = [{**looked, "cell": "\ud800"}, {**looked, "key": "a"}, {**looked, "sha256": "a"}]
    assert {review.post(one)[0] for one in strange} == {409}
    assert decided(workshop) == {}
    assert review.post({**looked, "note": "a\x1b[31m\u202eb\ud800"})[0] == 200
    assert decided(workshop)[ONE]["note"] == "a [31m b\ufffd"


def test_nothing_is_served_but_the_page_and_the_pictures_of_its_cells(made, start):
    workshop, _ = made
    (workshop.folder / "secret.png").write_bytes((workshop.folder / "outputs/hero/1.png").read_bytes())
    review = start()
    sums = review.page()[1]["cells"][ONE]["sha256"]
    assert review.ask(place=f"pictures/{sums}")[1] == (workshop.folder / "outputs/hero/1.png").read_bytes()
    assert review.ask(place=f"thumbnails/{sums}")[2]["Content-Type"] in ("image/webp", "image/jpeg")
    base = review.path
    attempts = [
        *("/", "/decisions", "/favicon.ico", "/x/", "//", base.rstrip("/"), f"/{'a' * 43}/", f"/{review.token[:-1]}/"),
        *(base + place for place in ("secret.png", "../secret.png", "..%2fsecret.png", "pictures/../../secret.png")),
        *(
            base + place
            for place in ("pictures/outputs/hero/1.png", "manifests/m.lock", f"pictures/{'0' * 64}", "decide")
        ),
        *(base + place for place in (f"pictures/{sums}/", f"pictures/{sums}%00", "pictures//etc/passwd", "?x")),
        *("http://127.0.0.1/", f"file://{workshop.folder}/secret.png"),
    ]
    assert {path: review.ask(path=path)[0] for path in attempts} == dict.fromkeys(attempts, 404)
    assert review.ask("POST", "decisions", b"", Content_Length="0")[0] == 404
    assert {review.ask(method)[0] for method in ("PUT", "DELETE", "OPTIONS", "TRACE")} == {501}
    assert review.ask(Host="evil.example.org")[0] == 403
    assert review.ask(Host=f"localhost:{review.port}")[0] == 200


def test_a_picture_behind_a_link_or_changed_meanwhile_is_not_served(made, start):
    workshop, _ = made
    review = start()
    cells = review.page()[1]["cells"]
    one, two = (workshop.folder / f"outputs/hero/{seed}.png" for seed in (1, 2))
    one.rename(workshop.folder / "elsewhere.png")
    one.symlink_to(workshop.folder / "elsewhere.png")
    two.write_bytes(b"changed")
    assert {review.ask(place=f"pictures/{cells[name]['sha256']}")[0] for name in (ONE, TWO)} == {404}


def test_every_answer_tells_the_browser_to_trust_nothing_else(made, start):
    review = start()
    answers = [
        review.ask(),
        review.ask(path="/"),
        review.ask(place="decisions"),
        review.ask("BREW"),
        review.ask("HEAD"),
    ]
    for _, _, headers in answers:
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert not any(name.lower().startswith("access-control-") for name in headers)
        assert "Python" not in headers.get("Server", "")


def test_a_review_that_is_told_to_end_says_so_by_its_exit_code(made, start):
    assert start().end(signal.SIGTERM)[0] == 143


def test_an_interrupted_review_ends_with_130_and_leaves_nothing_behind(made, start):
    workshop, _ = made
    review = start()
    review.decide(ONE)
    code, said = review.end()
    assert (code, "Traceback" in said, review.token in said) == (130, False, False)
    assert sorted(path.name for path in workshop.manifest.parent.iterdir()) == ["m.lock", "m.lock.held", "m.yaml"]
    assert len(workshop.lines()) == 3


def test_the_end_says_how_many_are_decided_and_what_comes_next(made, start):
    workshop, call = made
    review = start("--select", "hero/*", "--output-dir", "./")
    review.decide(ONE)
    review.decide(TWO, "rejected")
    code, said = review.end()
    assert (code, said.splitlines()[-2:]) == (
        130,
        [
            "the review has ended: 1 approved, 1 rejected, 1 undecided",
            "next: flux-pipeline promote manifests/m.yaml --select 'hero/*' --to DIR",
        ],
    )
    assert "interrupted" not in said
    promoted = said.splitlines()[-1].removeprefix("next: ").replace("DIR", "assets")
    assert call(*shlex.split(promoted)[1:], manifest=None).code == 0
    assert (workshop.folder / "assets/hero/1.png").exists()


def test_an_end_without_approvals_or_without_a_sound_manifest_says_so(made, start):
    workshop, _ = made
    review, later = start(), start("--lockfile", "manifests/m.lock")
    code, said = review.end()
    assert (code, said.splitlines()[-2:]) == (
        130,
        [
            "the review has ended: 0 approved, 0 rejected, 3 undecided",
            "nothing is approved yet: flux-pipeline review manifests/m.yaml goes on",
        ],
    )
    later.decide(ONE)
    workshop.write(entry(prompt="A teal bottle"))
    assert "0 approved, 0 rejected, 1 to look at again, 2 undecided" in start().end()[1]
    workshop.manifest.write_text("version: 1\nentries: [")
    code, said = later.end()
    assert (code, "the review has ended, and what was decided is in the lockfile; manifests/m.yaml:2" in said) == (
        130,
        True,
    )


def test_a_port_in_use_is_said_in_words(made, start):
    review = start()
    process = start("--port", str(review.port)).process
    assert "name another, or none for a free one" in process.communicate()[1]
    assert process.returncode == 2


def test_without_git_s_word_the_login_is_the_reviewer(made, start, monkeypatch):
    workshop, _ = made
    (workshop.folder / "gitconfig").write_text("")
    monkeypatch.setenv("LOGNAME", "grace")
    start().decide(ONE)
    assert decided(workshop)[ONE]["by"] == "grace"
