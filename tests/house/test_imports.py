"""The import table: arrows run one way, and each library has one door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "flux_pipeline"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
    for path in sorted(PACKAGE.rglob("*.py"))
}

# Who may know whom, besides the other modules of its own room; the most exact name counts.
KNOWS = {
    "__init__": [],
    "__main__": ["cli"],
    "errors": [],
    "price": [],
    "progress": [],
    "ledger.keys": [],
    "ledger": ["errors"],
    "manifest": ["errors", "ledger.keys"],
    "audit": ["ledger", "wiro.tasks"],
    "comparison": ["ledger", "manifest"],
    "derivation": ["ledger", "manifest"],
    "plan": ["errors", "ledger", "manifest"],
    "review": ["errors", "ledger", "manifest"],
    "wiro.tasks": [],
    "wiro.outcomes": ["wiro.tasks"],
    "wiro": ["errors", "ledger.keys", "__version__"],
    "run": ["errors", "ledger.facts", "ledger.history", "ledger.keys", "plan", "wiro.tasks", "wiro.outcomes"],
    "files": ["errors"],
    "report": ["audit", "comparison", "derivation", "errors", "ledger", "manifest", "plan", "run.outcome"],
    "simulator": ["errors"],
    "cli": [
        *(
            "audit",
            "comparison",
            "derivation",
            "errors",
            "files",
            "ledger",
            "manifest",
            "plan",
            "price",
            "progress",
            "report",
            "review",
            "run",
            "simulator",
        ),
        *("wiro", "__version__"),
    ],
}
ALONE = {"ledger.keys", "wiro.tasks", "wiro.outcomes"}  # these may not even know their own room

# Which modules may import a library; a room stands for all its modules.
DOORS = {
    "yaml": ["manifest.yaml_text"],
    "jinja2": ["manifest.prompt"],
    "jsonschema": ["manifest.schema"],
    "jsonschema_rs": ["manifest.schema"],
    "referencing": ["manifest.schema"],
    "tenacity": ["wiro.retry"],
    "httpx": ["wiro.http"],
    "httpx_aiohttp": ["wiro.http"],
    "tqdm": ["progress"],
    "rich": ["cli.pictures"],
    "textual_image": ["cli.pictures"],
    "filelock": ["ledger.hold"],
    "click": ["cli"],
    "aiohttp": ["simulator"],
    "sqlite3": ["simulator.ledger"],
    "PIL": ["files.derive", "files.image", "simulator"],  # one writes pictures, one reads them: both in a child process
    "orjson": ["ledger", "wiro.client", "cli.project", "cli.plan", "cli.session"],
    "asyncio": ["run.runner", "wiro", "simulator", "cli"],
}
OUTSIDE = {"asyncio", "datetime", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}


def imports(tree):
    """Yield the dotted name of everything that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their room in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, rooms):
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def most_exact(module):
    parts = module.split(".")
    return next(name for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in KNOWS)


@pytest.mark.parametrize("module", MODULES)
def test_a_room_knows_only_the_rooms_before_it(module):
    known = [name.removeprefix("flux_pipeline.") for name in imports(MODULES[module]) if "flux_pipeline" in name]
    own = [] if module in ALONE else [module.split(".")[0]]
    allowed = KNOWS[most_exact(module)]
    assert [name for name in known if not within(name, [*own, *allowed])] == []


def test_every_room_is_in_the_table():
    assert {most_exact(module) for module in MODULES} == KNOWS.keys()


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_only_through_its_door(library):
    importers = {module for module, tree in MODULES.items() if within_any(imports(tree), library)}
    assert importers, f"nobody imports {library} any more"
    assert [module for module in importers if not within(module, DOORS[library])] == []


def within_any(names, library):
    return any(within(name, [library]) for name in names)


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("run.") and name != "run.runner"])
def test_the_engine_has_no_clock_no_disk_no_net_and_no_dice(module):
    assert [name for name in imports(MODULES[module]) if name.split(".")[0] in OUTSIDE] == []


@pytest.mark.parametrize(
    "module",
    [
        *("plan", "price", "derivation", "review.standing"),
        *("ledger.facts", "ledger.files", "ledger.history", "ledger.keys"),
    ],
)
def test_what_only_thinks_touches_nothing(module):
    assert [name for name in imports(MODULES[module]) if name.split(".")[0] in OUTSIDE] == []


def calls(tree):
    """Yield every call as (what is called, its keyword arguments)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            constants = {
                word.arg: word.value.value
                for word in node.keywords
                if word.arg and isinstance(word.value, ast.Constant)
            }
            yield ast.unparse(node.func), constants


@pytest.mark.parametrize("module", MODULES)
def test_what_is_dangerous_is_nowhere(module):
    tree = MODULES[module]
    for name, keywords in calls(tree):
        assert name not in {"eval", "exec", "yaml.load", "os.system", "os.popen"}, name
        assert keywords.get("shell") is not True, name
        assert keywords.get("verify") is not False, name
    assert not within_any(imports(tree), "pickle")
    assert not within_any(imports(tree), "marshal")


@pytest.mark.parametrize("module", [name for name in MODULES if not within(name, ["cli", "progress"])])
def test_nothing_below_the_command_line_prints_or_exits(module):
    called = {name for name, _ in calls(MODULES[module])} - ({"main"} if module == "__main__" else set())
    assert not called & {"print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write"}
