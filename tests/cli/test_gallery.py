"""`gallery` writes a page and what it needs, and destroys nothing."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from browser.albums import Fate, draw, entry, project

from flux_pipeline.cli import _run
from flux_pipeline.cli.gallery import _address

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fates = {2: Fate("failed", "too dark"), 3: Fate("broken")}
    return project(
        tmp_path,
        entry("hero", color=["red", "teal"], place=["oak"], seed=[1, 2], size=["240x240"]),
        fate=lambda _, at: fates.get(at, Fate()),
    )


def document(page):
    return json.loads(re.search(r'id="album">(.*?)</script>', page.read_text(), re.DOTALL)[1])


def test_a_page_and_a_folder_of_thumbnails_are_written(manifest, capsys):
    assert _run(["gallery", str(manifest), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"gallery": "gallery.html", "pictures": 3, "cells": 4}
    text = Path("gallery.html").read_text()
    sources = re.findall(r'<img src="([^"]+)"', text)
    assert len(sources) == 2
    assert {Path(source) for source in sources} == set(Path("gallery_files").iterdir())
    files = [one["file"] for one in document(Path("gallery.html"))["cards"]]
    assert files[2] is None
    assert all(Path(file).read_bytes().startswith(b"\x89PNG") for file in files if file)
    assert len(list(Path(".flux-pipeline/thumbnails").iterdir())) == 2, "what is broken is not kept"


def test_one_file_holds_everything_if_asked(manifest):
    assert _run(["gallery", str(manifest), "--embed", "-o", "one.html"]) == 0
    assert not Path("one_files").exists()
    sources = re.findall(r'<img src="data:image/webp;base64,([^"]+)"', Path("one.html").read_text())
    assert [base64.b64decode(source)[:4] for source in sources] == [b"RIFF", b"RIFF"]


def test_the_page_may_be_anywhere_and_leads_to_the_files_from_there(manifest):
    Path("public/pages").mkdir(parents=True)
    assert _run(["gallery", str(manifest), "-o", "public/pages/hero.html"]) == 0
    assert Path("public/pages/hero_files").is_dir()
    file = document(Path("public/pages/hero.html"))["cards"][0]["file"]
    assert (Path("public/pages") / file).resolve() == Path(
        document(Path("public/pages/hero.html"))["cards"][0]["path"]
    ).resolve()


def test_cells_are_selected_and_axes_chosen(manifest, capsys):
    assert _run(["gallery", str(manifest), "--select", "*seed=1*", "--rows", "color", "--cols", "seed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cells"] == 2
    shown = document(Path("gallery.html"))
    assert (shown["rows"], shown["columns"]) == ("color", "seed")
    assert _run(["gallery", str(manifest), "--cols", "sed"]) == 2
    assert 'did you mean "seed"?' in capsys.readouterr().err


def test_a_table_may_begin_with_a_field_of_the_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"sku": "A1", "maker": "Ada"}, {"sku": "B2", "maker": "Eve"}]
    of = project(tmp_path, entry("hero", "A bottle of {{ sku }}", foreach=rows, seed=[1, 2]))
    assert _run(["gallery", str(of), "--rows", "sku", "--cols", "seed"]) == 0
    shown = document(Path("gallery.html"))
    assert shown["rows"] == "sku"
    assert {"name": "maker", "values": ["Ada", "Eve"]} in shown["axes"]


def test_several_manifests_are_one_page(manifest, tmp_path):
    other = project(tmp_path, entry("mug", "A mug", seed=[1, 2]), name="other")
    assert _run(["gallery", str(manifest), str(other)]) == 0
    text = Path("gallery.html").read_text()
    assert "<title>Gallery of m.yaml, other.yaml</title>" in text
    assert text.count("<section") == 2


def test_a_rehearsal_says_that_nothing_was_paid(manifest):
    manifest.with_suffix(".lock").unlink()
    assert _run(["gallery", str(manifest), "--simulate"]) == 0
    text = Path("gallery.html").read_text()
    assert "a rehearsal: nothing was paid" in text
    assert "flux-pipeline run manifests/m.yaml --simulate" in text


def test_the_command_that_makes_the_pictures_can_be_pasted_into_a_shell(manifest):
    odd = manifest.with_name("my pictures.yaml")
    odd.write_text(manifest.read_text())
    assert _run(["gallery", str(odd)]) == 0
    assert "flux-pipeline run &#39;manifests/my pictures.yaml&#39;" in Path("gallery.html").read_text()


def test_nothing_but_an_earlier_page_is_replaced(manifest, capsys):
    before = manifest.read_text()
    assert _run(["gallery", str(manifest), "-o", str(manifest)]) == 2
    assert "manifests/m.yaml is no gallery, and was left as it is; name another page with -o" in capsys.readouterr().err
    assert manifest.read_text() == before
    assert not Path("manifests/m_files").exists()
    assert _run(["gallery", str(manifest), "-o", "manifests"]) == 2
    assert "manifests is a folder; name the page with -o, such as manifests/gallery.html" in capsys.readouterr().err
    assert _run(["gallery", str(manifest), "-o", "nowhere/page.html"]) == 2
    assert "there is no folder nowhere" in capsys.readouterr().err
    assert [_run(["gallery", str(manifest)]) for _ in range(2)] == [0, 0]


def test_thumbnails_of_pictures_that_are_gone_are_taken_away(manifest, tmp_path):
    _run(["gallery", str(manifest)])
    before = set(Path("gallery_files").iterdir())
    work = document(Path("gallery.html"))["cards"]
    Path(work[0]["path"]).unlink()
    _run(["gallery", str(manifest)])
    assert set(Path("gallery_files").iterdir()) < before
    draw(tmp_path / work[0]["path"], 0, label="hero")
    _run(["gallery", str(manifest)])
    assert set(Path("gallery_files").iterdir()) == before


def test_a_page_that_cannot_be_written_is_said_and_half_of_it_is_never_there(manifest, capsys):
    Path("gallery_files").write_text("in the way")
    assert _run(["gallery", str(manifest)]) == 2
    assert "gallery_files: " in capsys.readouterr().err
    assert not Path("gallery.html").exists()


def test_addresses_are_ways_on_this_disk_whatever_the_names_are():
    here = Path("/here")
    assert _address(Path("/here/outputs/a b.png"), here) == "outputs/a%20b.png"
    assert _address(Path("/here/javascript:alert(1)#?.png"), here) == "javascript%3Aalert%281%29%23%3F.png"
    assert _address(Path("/other/ü.png"), here) == "../other/%C3%BC.png"


def test_the_page_s_style_and_program_are_in_the_wheel(tmp_path):
    pytest.importorskip("hatchling")
    build = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    packed = zipfile.ZipFile(tmp_path / made.stdout.split()[-1]).namelist()
    ours = [path.name for path in (ROOT / "flux_pipeline/report/page").iterdir() if path.suffix in (".css", ".js")]
    assert len(ours) == 10
    assert {f"flux_pipeline/report/page/{name}" for name in ours} <= set(packed)
