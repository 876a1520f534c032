"""Who may call: the key, the signature, the address."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEMBERED_NONCES = 500_000


class Gate:
    """`api_key` None lets any key in; `api_secret` None asks for no signature; `allowed_ips` None allows all."""

    def __init__(
        self, *, api_key: str | None, api_secret: str | None, allowed_ips: frozenset[str] | None = None
    ) -> None:
        self._key, self._secret, self._ips = api_key, api_secret, allowed_ips
        self._nonces: OrderedDict[tuple[str, str], None] = OrderedDict()

    def refusal(self, headers: Mapping[str, str], ip: str | None) -> str | None:
        """Say why the caller is refused, or nothing; an accepted nonce is used up by this call."""
        key = headers.get("x-api-key", "")
        if not key or (self._key is not None and not _same(key, self._key)):
            return "Project authorization is not founded."
        if self._secret is not None:
            nonce, signature = headers.get("x-nonce"), headers.get("x-signature")
            if not nonce or not signature:
                return "Project requires signature authentication. x-signature and x-nonce headers are required."
            expected = hmac.new(_bytes(key), _bytes(self._secret + nonce), hashlib.sha256).hexdigest()
            if not _same(signature.lower(), expected) or not self._fresh(key, nonce):
                return "Project authorization is not valid."
        if self._ips is not None and ip not in self._ips:
            return f"Requested ip {ip} is not allowed."
        return None

    def _fresh(self, key: str, nonce: str) -> bool:
        if (key, nonce) in self._nonces:
            return False
        self._nonces[key, nonce] = None
        if len(self._nonces) > _REMEMBERED_NONCES:
            self._nonces.popitem(last=False)
        return True


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(_bytes(given), _bytes(expected))
