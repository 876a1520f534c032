"""Who may ask whom: both ways to authenticate, and secrets that stay secret."""

from __future__ import annotations

import pytest
from cli.conftest import KEY, SECRET
from cli.workshop import entry


def everything(workshop):
    """Return the bytes of every file below the folder."""
    return b"".join(path.read_bytes() for path in workshop.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("secret", [None, SECRET])
def test_both_ways_to_authenticate_work_and_neither_leaves_a_trace(open_workshop, secret):
    workshop = open_workshop(api_secret=secret)
    done = workshop.run("-vv", "--json")
    assert done.code == 0, done.err
    assert workshop.made() == 3
    status = workshop.call("status", "manifests/m.yaml", "--json")
    for word in (KEY, SECRET):
        assert word.encode() not in everything(workshop)
        assert word not in done.said + status.said


@pytest.mark.parametrize("secret", [None, SECRET])
def test_secrets_stay_secret_when_the_server_quotes_them_in_its_errors(open_workshop, secret):
    message = f"Request parameter [prompt] of {KEY} and {SECRET} must be something else"
    workshop = open_workshop(
        api_secret=secret,
        environ={"WIRO_API_SECRET": SECRET},
        faults=[{"on": "run", "what": "code_0_unknown_not_made", "message": message}],
    )
    done = workshop.run("-vv")
    assert done.code == 1
    assert "must be something else" in done.err
    for word in (KEY, SECRET):
        assert word.encode() not in everything(workshop)
        assert word not in done.said


def test_without_a_key_nothing_begins_and_the_message_names_what_is_missing(workshop):
    done = workshop.run(WIRO_API_KEY="")
    assert done.code == 2
    assert "WIRO_API_KEY" in done.err
    assert "--simulate" in done.err
    assert not workshop.lockfile.exists()


@pytest.mark.parametrize("key", ["wrong", "white space", "line\nend", "schlüssel"])
def test_a_key_that_is_wrong_or_cannot_be_one_is_never_quoted(workshop, key):
    done = workshop.run(WIRO_API_KEY=key * 3)
    assert done.code == (3 if key == "wrong" else 2)
    assert key * 3 not in done.said
    assert workshop.made() == 0


def test_a_wrong_key_ends_the_run_with_exit_3_in_the_servers_words(workshop):
    done = workshop.run(WIRO_API_KEY="somebody-elses-key")
    assert done.code == 3
    assert "Project authorization is not founded" in done.err
    assert "Traceback" not in done.err


def test_a_missing_and_a_wrong_signature_are_exit_3(open_workshop):
    workshop = open_workshop(api_secret=SECRET)
    assert workshop.run(WIRO_API_SECRET="").code == 3
    assert workshop.run(WIRO_API_SECRET="another-secret").code == 3
    assert workshop.made() == 0


@pytest.mark.parametrize(
    "url", ["http://api.wiro.ai/v1", "http://192.168.0.1/v1", "ftp://127.0.0.1/v1", "wiro", "http://127.0.0.1@wiro.ai"]
)
def test_plain_http_is_for_loopback_only(workshop, url):
    done = workshop.run(WIRO_API_BASE_URL=url)
    assert done.code == 2
    assert "WIRO_API_BASE_URL" in done.err
    assert not workshop.lockfile.exists()


def test_commands_that_ask_nobody_need_no_key(workshop):
    workshop.write(entry())
    for command in ("validate", "expand", "plan", "status"):
        assert workshop.call(command, "manifests/m.yaml", WIRO_API_KEY="").code == 0
