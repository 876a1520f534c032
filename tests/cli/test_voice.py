"""What leaves the program: no secret, nothing that a terminal or a CI log acts on, and with --json one document."""

from __future__ import annotations

import ast
import base64
import hashlib
import html
import json
import os
import re
import signal
from pathlib import Path

import pytest
from cli.screens import PROGRAM, on_a_terminal
from cli.workshop import Workshop, entry

from flux_pipeline.cli import voice

KEY = "SUPERSECRET-KEY-1"
ORDER = "::error title=injected::pwned"
HOSTILE = f"m\a\x1b[31m\u202e\n{ORDER}"
ALL_DRAWN = ("sh", "-c", 'exec "$@" 2>&1', "sh", *PROGRAM)
CLI = Path(__file__).parents[2] / "flux_pipeline" / "cli"


@pytest.fixture
def desk(tmp_path):
    """Yield a folder with a manifest and a key in the environment, and no server anywhere."""
    workshop = Workshop(tmp_path, environ={"WIRO_API_KEY": KEY})
    workshop.write(entry())
    return workshop


def hostile(text):
    """Return the characters that act on a terminal, and lines that a CI log would take for orders."""
    acting = {character for character in text if not (character.isprintable() or character == "\n")}
    return acting, [line for line in text.splitlines() if line.lstrip().startswith("::")]


def test_only_one_module_prints_what_people_read():
    printing = {
        path.name
        for path in CLI.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("click.echo", "click.secho", "print")
    }
    assert printing == {"voice.py", "completion.py"}, "the other one prints a script of click's"


@pytest.mark.parametrize("flags", [["--json"], []])
def test_no_error_shows_the_key_to_people_or_programs(desk, flags):
    done = desk.call("status", "manifests/m.yaml", "--select", KEY, *flags)
    assert done.code == 2
    assert KEY not in done.said
    assert "***" in done.err
    assert not flags or "***" in done.document["error"]


@pytest.mark.parametrize(
    "command", [["validate"], ["validate", "--json"], ["run", "--json"], ["validate", "--format", "github"]]
)
def test_a_quoted_line_of_the_manifest_does_not_show_the_key(desk, command):
    desk.write(entry(prompt=f"{KEY} {{{{ missing }}}}"))
    done = desk.call(*command, "manifests/m.yaml")
    assert done.code == 2
    assert "missing" in done.said
    assert KEY not in done.said


def test_no_document_and_no_page_shows_a_key_that_a_prompt_contains(desk):
    desk.write(entry(prompt=f"A mug, {KEY}"))
    told = [desk.call("expand", "manifests/m.yaml", *flags).said for flags in ([], ["--json"])]
    assert desk.call("gallery", "manifests/m.yaml", "--simulate").code == 0
    told.append((desk.folder / "gallery.html").read_text())
    assert all("A mug, ***" in text and KEY not in text for text in told)


@pytest.mark.parametrize("word", ["placeholder", "background", "simulated"])
def test_a_key_that_is_a_word_of_the_pages_themselves_breaks_none(desk, word):
    desk.write(entry(prompt=f"A mug in the {word}"))
    assert desk.run("--simulate", WIRO_API_KEY=word).code == 0
    assert desk.call("gallery", "manifests/m.yaml", "--simulate", WIRO_API_KEY=word).code == 0
    lockfile = str(desk.manifest.with_suffix(".simulated.lock"))
    again = ["compare", lockfile, lockfile, "--manifest", "manifests/m.yaml", "-o", "compare.html"]
    assert desk.call(*again, WIRO_API_KEY=word).code == 0
    for name in ("gallery.html", "compare.html"):
        page = (desk.folder / name).read_text()
        assert f"in the {word}" not in page
        policy = re.search('Content-Security-Policy" content="([^"]*)"', page)[1]
        parts = re.findall("<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL)
        assert parts
        for part in parts:
            digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
            assert digest in html.unescape(policy)
    links = re.findall('href="(outputs/[^"]*)"', (desk.folder / "gallery.html").read_text())
    assert len(links) == 3
    assert all((desk.folder / link).is_file() for link in links)


def test_a_document_is_one_whatever_the_key_is(desk):
    done = desk.run("--simulate", "--json", WIRO_API_KEY="12345678", FLUX_PIPELINE_MAX_COST="12345678")
    assert (done.code, done.document["counts"]["saved"]) == (0, 3)


def test_a_line_of_a_lockfile_is_shown_as_it_is(capfd):
    line = '{"cell":"m\u200fug","crc32":"0"}\n'
    voice.begin(["run"])
    voice.exactly(line.encode())
    assert capfd.readouterr().err == line


@pytest.mark.parametrize(
    "url", ["https://user:hunter22@x.example", "https://u:a@hunter22@x.example", "u:hunter22@x.example"]
)
def test_the_password_in_an_address_is_never_repeated(desk, url):
    done = desk.run("--json", WIRO_API_BASE_URL=url)
    assert done.code == 2
    assert "WIRO_API_BASE_URL is" in done.document["error"]
    assert "***@x.example" in done.err
    assert "hunter22" not in done.said


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", f"{HOSTILE}.yaml"],
        ["validate", "manifests/m.yaml", f"{HOSTILE}.yaml"],
        ["status", "manifests/m.yaml", "--select", HOSTILE],
        ["status", "manifests/m.yaml", f"--{HOSTILE}"],
        ["status", "manifests/m.yaml", "--by", HOSTILE],
        [HOSTILE],
        ["gallery", "manifests/m.yaml", "-o", f"{HOSTILE}/page.html"],
        ["compare", f"{HOSTILE}.lock", f"{HOSTILE}.lock"],
        ["run", "-vv", f"{HOSTILE}.yaml", "--simulate"],
        ["simulator", "--faults", f"{HOSTILE}.yaml"],
    ],
    ids=lambda arguments: arguments[0].strip()[:9],
)
def test_no_name_that_was_typed_acts_on_a_terminal_or_a_log(desk, arguments):
    code, drawn, _ = on_a_terminal(desk, *arguments, command=ALL_DRAWN, NO_COLOR="1")
    assert code == 2
    assert hostile(drawn.replace("\r\n", "\n")) == (set(), [])


def test_the_name_of_a_manifest_that_exists_acts_on_nothing_either(desk):
    name = f"{HOSTILE.replace('/', '')}.yaml"
    broken = {"version": 1, "entries": [entry(prompt="{{ missing }}")]}
    (desk.folder / name).write_text(json.dumps(broken, indent=1))
    done = desk.call("validate", name)
    assert hostile(done.said) == (set(), [])
    assert len(done.out.splitlines()) == 4, "the problem, its line, the carets, the count"
    (desk.folder / name).write_text(json.dumps({"version": 1, "entries": [entry()]}))
    said = desk.call("gallery", name, "--simulate", "-o", f"{HOSTILE}.html").said
    said += desk.run("-vv", "--simulate", "--lockfile", f"{HOSTILE}.lock").said
    lockfile = desk.folder / f"{HOSTILE}.lock"
    lockfile.write_text(lockfile.read_text() + '{"id": "')
    said += desk.call("compare", lockfile.name, lockfile.name).err
    assert "is unfinished" in said
    assert hostile(said) == (set(), [])


def test_on_github_nothing_quoted_is_an_order_but_annotations_are(desk):
    desk.manifest.write_text(f"version: 1\n{ORDER}\n")
    text, annotated = (
        desk.call("validate", "manifests/m.yaml", *flags, GITHUB_ACTIONS="true").out
        for flags in ([], ["--format", "github"])
    )
    assert "error title=injected" in text
    assert hostile(text) == (set(), [])
    assert annotated.startswith("::error file=manifests/m.yaml")


def test_the_colours_of_the_program_itself_stay(desk):
    said = desk.call("status", "manifests/m.yaml", "--select", "x", "--color", "always").err
    assert said.startswith("\x1b[31m\x1b[1mflux-pipeline:\x1b[0m ")
    table = desk.call("run", "manifests/m.yaml", "--simulate", "--color", "always").err
    assert "\x1b[32m" in table


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["status", "manifests/m.yaml", "--json", "--by", "bogus"], "'bogus' is not one of"),
        (["status", "--json"], "Missing argument"),
        (["status", "manifests/m.yaml", "--json", "--show"], "--show is for people"),
        (["nonsense", "--json"], "No such command"),
        (["run", "--json", "manifests/m.yaml", "--log-format", "json", "--rate", "never"], "--rate"),
    ],
)
def test_a_command_line_that_is_wrong_is_a_document_too_where_one_was_asked_for(desk, arguments, error):
    done = desk.call(*arguments)
    assert (done.code, done.document["exit_code"]) == (2, 2)
    assert error in done.document["error"]
    assert set(done.document) == {"error", "exit_code"}
    assert done.err


def test_the_environment_may_ask_for_the_document(desk):
    assert desk.call("status", FLUX_PIPELINE_JSON="1").document["exit_code"] == 2


def test_an_error_of_the_program_itself_is_a_document_too(desk):
    broken = "import json, sys; from flux_pipeline import cli; from flux_pipeline.cli import project; "
    broken += "project.load = lambda *_, **__: 1 / 0; cli.main(['status', 'm.yaml', '--json'])"
    code, drawn, said = on_a_terminal(desk, command=(PROGRAM[0], "-c", broken))
    assert (code, json.loads(drawn)["exit_code"]) == (6, 6)
    assert "ZeroDivisionError" in json.loads(drawn)["error"]
    assert "please report it" in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run", "interrupted; run the same command again: it resumes"),
        ("compare", "interrupted"),
        ("gallery", "interrupted"),
        ("status", "interrupted"),
    ],
)
def test_only_a_run_that_is_interrupted_says_that_it_resumes(desk, command, said):
    stopped = "import signal, sys; from flux_pipeline import cli; "
    stopped += f"cli._Late.get_command = lambda *_: signal.raise_signal(2); cli.main(['{command}', '--json'])"
    code, drawn, err = on_a_terminal(desk, command=(PROGRAM[0], "-c", stopped))
    assert (code, json.loads(drawn)) == (130, {"error": said, "exit_code": 130})
    assert err == f"flux-pipeline: {said}\n"


def test_a_simulator_that_is_interrupted_prints_no_second_document(desk):
    process = desk.start("simulator", "--json")
    first = b"".join(iter(lambda: os.read(process.stdout.fileno(), 1), b"}"))
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(first + b"}")["base_url"]
    assert (rest.strip(), said) == ("", "flux-pipeline: interrupted\n")


def test_reports_of_an_interrupted_run_say_how_it_goes_on(open_workshop):
    workshop = open_workshop(speed=1.0)
    workshop.write(entry(seeds=range(1, 31)), run={"rate": "20/s", "concurrency": 30})
    page = workshop.folder / "page.md"
    process = workshop.start("run", "manifests/m.yaml", "--junit", "junit.xml", GITHUB_STEP_SUMMARY=str(page))
    workshop.wait_for(lambda: workshop.made() >= 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert "stopped: interrupted (SIGINT)\n" in err
    for text in (html.unescape(page.read_text()), (workshop.folder / "junit.xml").read_text()):
        assert "interrupted (SIGINT); run it again to resume" in text


def test_an_address_without_its_version_is_said_to_be_wrong(workshop):
    done = workshop.run(WIRO_API_BASE_URL=workshop.environ["WIRO_API_BASE_URL"].removesuffix("/v1"))
    assert done.code == 1
    assert "(HTTP 404): no reason given; check the model's name, and WIRO_API_BASE_URL, which ends in /v1" in done.err
    assert done.err.splitlines()[-1].startswith("The reasons are above. Run the same command again")
    asked = workshop.call("adopt", "manifests/m.yaml", WIRO_API_BASE_URL=workshop.environ["WIRO_API_BASE_URL"][:-3])
    assert "check WIRO_API_BASE_URL" in asked.err


def test_the_first_words_of_a_run_and_warnings_fit_a_narrow_terminal(desk):
    desk.write(entry() | {"matrix": {"seed": [1, 2], "size": ["64x64"], "mood": ["calm"]}})
    arguments = ["run", "manifests/m.yaml", "--simulate", "--collect-only", "--no-progress"]
    _, drawn, _ = on_a_terminal(desk, *arguments, command=ALL_DRAWN, size=(24, 40), NO_COLOR="1")
    lines = [line for line in drawn.replace("\r\n", "\n").splitlines() if not line.startswith("    ")]
    assert lines[0].startswith("warning: ")
    assert "nothing is submitted, as --collect-only" in " ".join(lines)
    assert max(map(len, lines)) <= 40
    wide = desk.call(*arguments).err.splitlines()
    assert any(line.endswith("nothing is submitted, as --collect-only says") for line in wide)


def test_a_path_in_a_warning_stays_whole_in_a_narrow_terminal(desk):
    desk.write(entry() | {"matrix": {"seed": [1], "size": ["64x64"], "mood": ["calm"]}})
    name = f"manifests/{'long-' * 12}name.yaml"
    desk.manifest.rename(desk.folder / name)
    arguments = ["run", name, "--simulate", "--collect-only", "--no-progress"]
    _, drawn, _ = on_a_terminal(desk, *arguments, command=ALL_DRAWN, size=(24, 40), NO_COLOR="1")
    assert "warning:" in drawn
    assert f"{name}:" in drawn


def test_pictures_are_not_looked_for_below_what_is_no_folder(desk):
    done = desk.call("status", "manifests/m.yaml", "--output-dir", "/dev/null")
    assert done.code == 2
    assert "--output-dir /dev/null is no folder, so no picture is there; name a folder" in done.err
