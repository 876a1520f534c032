"""What the documents say is so: commands are run, examples read, tables compared, names and links looked up."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from browser.albums import album, card
from house.test_imports import ALONE, DOORS, KNOWS

from flux_pipeline import errors
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.report import problems
from flux_pipeline.report.page.data import document
from flux_pipeline.simulator.server import Settings, Simulator, SimulatorThread

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/gallery.md",
    "docs/manifest.md",
    "docs/review.md",
)
TEXTS = {name: (ROOT / name).read_text() for name in DOCUMENTS}
README, CONTRIBUTING, ARCHITECTURE = TEXTS["README.md"], TEXTS["CONTRIBUTING.md"], TEXTS["docs/architecture.md"]

MADE = {
    "manifests/mugs.yaml",
    "manifests/mugs.lock",
    "outputs/simulated/",
    "outputs/mugs/red-1.png",
}  # by whoever follows the README
BY_HAND = {0, 4, 129, 130, 141, 143}  # exits that no error stands for
HOSTS = {"wiro.ai", "keepachangelog.com", "semver.org"}
PATH = re.compile(r"(?:flux_pipeline|tests|docs|schemas|manifests|outputs|requirements|\.ci)/[\w./-]*|\w+\.(?:md|toml)")
NAME = re.compile(r"[a-z_]+(?:\.[A-Za-z_]+)+")
HERE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|usr|Users|mnt|var)\b|[A-Z]:\\")
SECRET = re.compile(r"\b[0-9a-f]{24,}\b|\bsk-\w{8,}|-----BEGIN")


def blocks(text, language=""):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def ticked(text):
    """Return what stands between single backticks outside blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def table(text, first):
    """Return the rows, as cells, of the table whose header begins with `first`."""
    (rows,) = re.findall(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]


def promised(command):
    """Return what the README shows as the output of a command."""
    shown = [block.removeprefix(f"$ {command}\n") for block in blocks(README) if block.startswith(f"$ {command}\n")]
    assert len(shown) == 1, f"the README shows `{command}` {len(shown)} times"
    return shown[0]


def mugs():
    (manifest,) = blocks(README, "yaml")
    return manifest


def steps():
    """Return the README's blocks of commands for which nothing but the program is needed."""
    found = [block for block in blocks(README, "sh") if "flux-pipeline " in block]
    assert all(line.startswith(("flux-pipeline ", "export ")) for block in found for line in block.splitlines())
    return found


def start(folder, manifest):
    """Return how to run a shell line in a folder with the README's manifest in it, as its reader would."""
    (folder / "manifests").mkdir()
    (folder / "manifests" / "mugs.yaml").write_text(manifest)
    command = folder / "bin" / "flux-pipeline"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m flux_pipeline "$@"\n')
    command.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WIRO_", "FLUX_PIPELINE_"))}
    clean |= {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "110"}

    def run(lines, **environ):
        return subprocess.run(
            ["/bin/sh", "-e", "-c", lines],
            cwd=folder,
            env=clean | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_readme_can_be_followed_from_top_to_bottom(tmp_path):
    folder = tmp_path / "reader"
    folder.mkdir()
    run = start(folder, mugs())
    simulator = Simulator(Settings(balance=Decimal(50), speed=50))
    with SimulatorThread(simulator) as server:
        for lines in steps():
            done = run(lines, WIRO_API_BASE_URL=server.base_url)
            assert done.returncode == 0, f"{lines}\n{done.stdout}{done.stderr}"
    rows = simulator.ledger()
    simulator.close()
    assert len(rows) == 4, "the second run submits nothing"
    assert {path for path in MADE if not (folder / path).exists()} == set()
    assert len([*(folder / "outputs/simulated").rglob("*.png")]) == 4
    assert len([*(folder / "outputs/mugs").rglob("*.png")]) == 4


def test_the_review_can_be_followed_from_its_page_to_the_promoted_picture(tmp_path):
    run = start(tmp_path, mugs())
    (lines,) = blocks(TEXTS["docs/review.md"], "sh")
    said = {}
    for line in lines.splitlines():
        if line.startswith("flux-pipeline review "):
            approve_one(line, tmp_path)
            continue
        done = run(line, COLUMNS="110")
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said[line.split()[1]] = done.stdout
    assert "review: 1 approved, 3 undecided" in said["status"]
    assert [path.name for path in (tmp_path / "assets").rglob("*.png")] == ["red-1.png"]


def approve_one(line, folder):
    """Run a review, approve the first picture of its page, and interrupt it."""
    command = [sys.executable, "-m", "flux_pipeline", *line.split()[1:]]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as review:
        url = review.stdout.readline().strip()
        page = httpx.get(url, trust_env=False).text
        found = dict(re.findall(r'type="application/json" id="(\w+)">(.*?)</script>', page))
        first, extra = json.loads(found["album"])["cards"][0], json.loads(found["review"])
        looked = {"cell": first["name"], "key": first["key"], "sha256": extra["cells"][first["name"]]["sha256"]}
        headers = {"Origin": url[: url.index("/", 8)], "X-Flux-Pipeline-Token": extra["token"]}
        answer = httpx.post(f"{url}decide", json={**looked, "verdict": "approved"}, headers=headers, trust_env=False)
        assert answer.status_code == 200, answer.text
        review.send_signal(signal.SIGINT)
        review.communicate(timeout=20)
        assert review.returncode == 130


def test_the_fields_of_a_decision_are_those_that_are_documented():
    schema = json.loads((ROOT / "schemas/lockfile.schema.json").read_text())
    said = {ticked(name)[0] for name, _ in table(TEXTS["docs/review.md"], "field")}
    assert said == set(schema["$defs"]["fact"]["properties"]["x-review"]["properties"])


def test_the_help_in_the_readme_is_the_program_s_own(tmp_path):
    assert start(tmp_path, mugs())("flux-pipeline --help").stdout == promised("flux-pipeline --help")


def test_the_plan_in_the_readme_is_the_program_s_own(tmp_path):
    command = "flux-pipeline plan manifests/mugs.yaml"
    assert start(tmp_path, mugs())(command).stdout == promised(command)


def test_the_mistakes_in_the_readme_are_reported_as_it_says(tmp_path):
    wrong = mugs().replace("{{ color }} mug", "{{ colour }} mug").replace("512x512", "500x500")
    command = "flux-pipeline validate manifests/mugs.yaml"
    done = start(tmp_path, wrong)(command)
    assert (done.returncode, done.stdout) == (2, promised(command))


def test_the_readme_s_manifest_has_the_four_cells_that_it_speaks_of():
    expansion = expand(mugs().encode(), file="manifests/mugs.yaml", schemas=Schemas((ROOT / "schemas",)))
    assert (len(expansion.cells), expansion.warnings) == (4, ())


def test_the_catalogue_has_as_many_pictures_as_the_readme_says():
    manifest = ROOT / "manifests" / "catalog.yaml"
    expansion = expand(manifest.read_bytes(), file="catalog.yaml", schemas=Schemas((ROOT / "schemas",)))
    assert set(re.findall(r"(\d+) (?:rehearsed )?pictures", README)) == {str(len(expansion.cells))}
    assert [*problems.text(expansion.warnings, "catalog.yaml", len(expansion.cells))][1:] == []


@pytest.mark.parametrize("name", ["contact-sheet.png", "gallery.png"])
def test_a_picture_of_the_result_is_small_enough_for_a_page(name):
    picture = (ROOT / "docs" / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= 300_000


def test_the_fields_of_the_gallery_s_data_are_those_that_are_documented():
    cards = [card(0, "text", entry="hero", axes={"color": "red"})]
    made = document(album(cards), str)
    said = {ticked(name)[0] for name, _ in table(TEXTS["docs/gallery.md"], "field")}
    assert said == set(made) | {f"cards[].{name}" for name in made["cards"][0]}


def test_the_exits_in_the_readme_are_those_of_the_errors():
    def family(error):
        return {error.exit_code}.union(*map(family, error.__subclasses__()))

    said = {int(code) for row in table(README, "exit") for code in row[0].split(", ")}
    assert said == family(errors.FluxError) | BY_HAND


def test_every_environment_variable_in_the_readme_is_read_by_the_program():
    source = "".join(path.read_text() for path in (ROOT / "flux_pipeline").rglob("*.py"))
    named = {row[0].strip("`") for row in table(README, "variable")}
    assert {name for name in named if name not in source} == set()


def test_every_target_of_make_that_a_document_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [line for text in TEXTS.values() for line in (*blocks(text, "sh"), *ticked(text))]
    called = {
        word for line in named for words in re.findall(r"^make ([a-z ]+)", line, re.MULTILINE) for word in words.split()
    }
    assert {"demo", "test"} <= called <= targets


def test_what_is_installed_has_the_names_that_the_readme_gives():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"distribution is called `{project['name']}`" in README
    assert f"command `{next(iter(project['scripts']))}`" in README
    assert f"at least {project['requires-python'].removeprefix('>=')}" in README


def test_what_the_readme_keeps_out_of_version_control_is_kept_out_here():
    (ignored,) = blocks(README, "gitignore")
    assert set(ignored.split()) <= set((ROOT / ".gitignore").read_text().split())
    assert "manifests/*.lock merge=union -text" in (ROOT / ".gitattributes").read_text()
    assert "manifests/*.lock merge=union -text" in README


def test_the_import_table_is_the_one_that_is_held():
    said = {room.strip("`"): ticked(known) for room, known in table(CONTRIBUTING, "room")}
    assert said == KNOWS
    assert f"{', '.join(f'`{name}`' for name in sorted(ALONE))} may not even import their own room" in CONTRIBUTING


def test_the_doors_of_the_libraries_are_those_that_are_held():
    assert {library.strip("`"): ticked(doors) for library, doors in table(CONTRIBUTING, "library")} == DOORS


def exists(name):
    """Say whether a dotted name, of a module or of something in one, is there."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["flux_pipeline", *parts[:end]]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_every_name_in_the_architecture_exists():
    rooms = {path.stem for path in (ROOT / "flux_pipeline").iterdir()}
    named = {word for word in ticked(ARCHITECTURE) if NAME.fullmatch(word) and word.split(".")[0] in rooms}
    assert len(named) > 40, "the page names what it speaks of"
    assert {name for name in named if not exists(name)} == set()


def test_every_room_is_in_the_architecture():
    rooms = {name.split(".")[0] for name in KNOWS} - {"__init__", "__main__"}
    assert {room for row in table(ARCHITECTURE, "room") for room in ticked(row[0])} == rooms


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_and_every_path_of_a_document_leads_somewhere(document):
    folder = (ROOT / document).parent
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", TEXTS[document]) if "://" not in link}
    assert {link for link in links if not (folder / link).exists()} == set()
    paths = {word for word in ticked(TEXTS[document]) if PATH.fullmatch(word)} - MADE
    assert {path for path in paths if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_no_secret_no_place_of_this_machine_and_no_unexpected_host(document):
    text = TEXTS[document]
    hosts = {host.removeprefix("www.") for host in re.findall(r"https?://([^/\s)`]+)", text)}
    assert hosts <= HOSTS
    assert HERE.findall(text) == []
    assert SECRET.findall(text) == []


def test_the_unclear_submission_is_promised_in_the_words_that_hold():
    said = " ".join(README.split())
    assert "an unclear submission is never repeated unless the server shows that it does not exist" in said
    assert "exactly once" not in " ".join(TEXTS.values())
