"""The ground that all tests stand on: no network but loopback, nobody's API key, the same examples every time."""

from __future__ import annotations

import ipaddress
import os
import sys

import pytest
from hypothesis import settings

settings.register_profile("house", derandomize=True, database=None, deadline=None)
settings.load_profile("house")

_OURS = ("WIRO_", "FLUX_PIPELINE_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def _loopback(host):
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host if isinstance(host, str) else host.decode()).is_loopback
    except ValueError:
        return False


def _guard(event, arguments):
    """Stop whatever looks up or calls a host that is not this one; not an Exception, so that nothing handles it."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not _loopback(host):
        pytest.fail(f"a test reached for {host}: only loopback is allowed")


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def _nobodys_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(_OURS) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
