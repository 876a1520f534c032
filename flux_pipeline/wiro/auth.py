"""Who asks: the account's key, and how a request proves it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from flux_pipeline.errors import UsageError

_SHOWN = "***"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that no repr, log or traceback shows; `reveal` is the one way to it."""

    _text: str

    def __repr__(self) -> str:
        return f"Secret({_SHOWN})"

    __str__ = __repr__

    def reveal(self) -> str:
        return self._text


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key, with its secret where the project signs its requests."""

    key: Secret
    secret: Secret | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Credentials:
        """Read `WIRO_API_KEY` and `WIRO_API_SECRET`.

        Raises:
            UsageError: there is no key, or one of them cannot be a header's value. The message does not show it.
        """
        key = environ.get("WIRO_API_KEY", "")
        if not key:
            raise UsageError(
                "WIRO_API_KEY is not set: export the key of your Wiro project (and WIRO_API_SECRET if it signs its "
                "requests), or rehearse without an account by adding --simulate"
            )
        secret = environ.get("WIRO_API_SECRET", "")
        for name, value in (("WIRO_API_KEY", key), ("WIRO_API_SECRET", secret)):
            if not (value.isascii() and value.isprintable()) or " " in value:
                raise UsageError(f"{name} holds white space or characters that no key has: copy it again")
        return cls(Secret(key), Secret(secret) if secret else None)

    def headers(self) -> dict[str, str]:
        """Return the headers of one request; a nonce is never used twice."""
        key = self.key.reveal()
        if self.secret is None:
            return {"x-api-key": key}
        nonce = str(secrets.randbelow(10**18))
        message = f"{self.secret.reveal()}{nonce}".encode()
        signature = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
        return {"x-api-key": key, "x-nonce": nonce, "x-signature": signature}

    def digest(self) -> str:
        """Return what tells one account's key from another's and gives nothing of it away."""
        return hashlib.sha256(b"flux-pipeline account " + self.key.reveal().encode()).hexdigest()[:12]

    def masked(self, body: bytes) -> bytes:
        """Return an answer's body without our own secrets, which a server may well quote in an error."""
        for secret in (self.key, self.secret):
            if secret is not None and len(secret.reveal()) >= 8:
                for text in (secret.reveal(), secret.reveal().replace("/", r"\/")):  # as some servers write JSON
                    body = body.replace(text.encode(), _SHOWN.encode())
        return body
