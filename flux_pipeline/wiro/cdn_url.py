"""Decide which URLs a picture may be fetched from, before and after the name is resolved; pure.

The service names the URL, so any public host is as good as another, but nothing it says may lead into the network
that this program runs in. Resolvers accept many spellings of 127.0.0.1; here an address has one spelling or is refused.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 4096
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?")
_PLACE: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]*)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS: Final = {"https": 443, "http": 80}
_PRIVATE_NAMES: Final = frozenset(
    {"localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "onion"}
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_AS_IT_IS: Final = "".join(map(chr, range(0x21, 0x7F)))  # a signature covers the bytes; only non-ASCII is encoded

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A URL to fetch from: without fragment, scheme and host in lower case; `host` of IPv6 is without brackets."""

    url: str
    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """What the `Host` header says."""
        return self.url.split("/", 3)[2]

    @property
    def rest(self) -> str:
        """Path and query, which a signature may cover."""
        return "/" + self.url.split("/", 3)[3]

    @property
    def named(self) -> bool:
        """Say whether the host is a name, which has to be resolved, or an address."""
        return _address(self.host) is None

    def at(self, address: str) -> str:
        """Return the same URL with an address in place of its host, to connect there and nowhere else."""
        shown = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{shown}:{self.port}{self.rest}"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a URL is not fetched; it never quotes the URL, which may carry a signature."""

    reason: str


def judge(url: str, *, api_is_loopback: bool) -> Allowed | Refused:
    """Judge the URL of a picture as text. A name that passes must still resolve to allowed addresses only.

    With `api_is_loopback` (the simulator, a test server) `http` and the hosts of this machine are allowed too, but only
    together.
    """
    if len(url) > _LONGEST:
        return Refused(f"the URL has {len(url)} characters, more than {_LONGEST}")
    if any(c <= " " or c == "\\" or "\x7f" <= c <= "\xa0" or (c > "\x7f" and not c.isprintable()) for c in url):
        return Refused("the URL holds a space, a backslash or a control character")
    parts = _URL.fullmatch(url)
    if parts is None:
        return Refused("not an absolute URL")
    scheme = parts["scheme"].lower()
    if scheme not in _PORTS:
        return Refused("not an https URL")
    if "@" in parts["place"]:
        return Refused("the URL holds a user name")
    place = _PLACE.fullmatch(parts["place"])
    if place is None:
        return Refused("the host or the port is malformed")
    port = int(place["port"] or _PORTS[scheme])
    if not 1 <= port <= 65535:
        return Refused("the port is not between 1 and 65535")
    host = _host(place["v6"], place["name"], api_is_loopback=api_is_loopback)
    if isinstance(host, Refused):
        return host
    if scheme == "http" and not _is_this_machine(host):
        return Refused("not an https URL")
    shown = f"[{host}]" if ":" in host else host
    shown += "" if port == _PORTS[scheme] else f":{port}"
    rest = parts["rest"] if parts["rest"].startswith("/") else f"/{parts['rest']}"
    normal = f"{scheme}://{shown}{quote(rest, safe=_AS_IT_IS)}"
    return Allowed(url=normal, scheme=scheme, host=host, port=port)


def address_allowed(address: str, *, api_is_loopback: bool) -> bool:
    """Judge an address that a name has resolved to, at the moment of connecting; connect to this very address."""
    found = _address(address)
    if found is None:
        return False
    found = _unwrap(found)
    return _is_public(found) or (api_is_loopback and found.is_loopback)


def _host(v6: str | None, name: str | None, *, api_is_loopback: bool) -> str | Refused:
    if v6 is not None:
        return _literal(v6, api_is_loopback=api_is_loopback)
    host = (name or "").lower()
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _literal(host, api_is_loopback=api_is_loopback)
    if host == "localhost":
        return host if api_is_loopback else Refused("the host is this machine")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return Refused("the host is not a plain name")
    if len(labels) == 1 or labels[-1] in _PRIVATE_NAMES:
        return Refused("the host is not a public name")
    return host


def _literal(text: str, *, api_is_loopback: bool) -> str | Refused:
    address = _address(text)
    if address is None:
        return Refused("the host is an address in an odd spelling")
    if _unwrap(address) is not address:
        return Refused("the host is an address inside an address")
    if not address_allowed(text, api_is_loopback=api_is_loopback):
        return Refused("the host is an address that is not public")
    return str(address)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _unwrap(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: _Address) -> bool:
    """Be stricter than `is_global`, which lets multicast, Teredo and `::127.0.0.1` pass."""
    odd = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    if isinstance(address, ipaddress.IPv6Address):
        odd = odd or address.is_site_local or address.teredo is not None or address.scope_id is not None
    return address.is_global and not odd
