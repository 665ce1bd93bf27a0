"""An OpenID provider on loopback: serves its metadata and keys, and signs tokens.

provider = Provider(); provider.settings(audience="tocsin"); provider.token(sub="anna"); close()
"""

from __future__ import annotations

import json
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from pipeline.access.settings import OidcSettings
from pipeline.receiver import Callback, Receiver, Reply

from builders import NOON

SOON = int(NOON.timestamp()) + 600


class Provider:
    """`keys` are those that it tells of; `asked` the paths that it was asked for."""

    def __init__(self) -> None:
        self.keys: list[Key] = [a_key("one")]
        self.is_down = False
        self.said_issuer: str | None = None
        self.jwks_uri: str | None = None
        self._receiver = Receiver(answer=self._answer)
        self.url = self._receiver.url
        self.issuer = f"{self.url}/realms/cloud"

    @property
    def asked(self) -> list[str]:
        return [callback.path for callback in self._receiver.callbacks]

    def settings(self, **changes: Any) -> OidcSettings:
        return OidcSettings(**{"issuer": self.issuer, "audience": "tocsin", **changes})

    def token(self, key: Key | None = None, alg: str = "RS256", **claims: Any) -> str:
        """A token that is good, but for what is said."""
        said = {
            "iss": self.issuer,
            "aud": ["tocsin", "other"],
            "sub": "anna",
            "exp": SOON,
            "roles": ["tocsin-admin"],
            **claims,
        }
        key = key or self.keys[0]
        header = {"alg": alg, **({"kid": key.kid} if key.kid else {})}
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(header, kept, key, algorithms=[alg])

    def jwks(self) -> bytes:
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    def close(self) -> None:
        self._receiver.close()

    def _answer(self, callback: Callback) -> Reply:
        if self.is_down:
            return Reply(500)
        if callback.path.endswith("/.well-known/openid-configuration"):
            said = {
                "issuer": self.said_issuer or self.issuer,
                "jwks_uri": self.jwks_uri or f"{self.url}/keys",
            }
            return Reply(200, body=json.dumps(said).encode())
        return Reply(200, body=self.jwks())


def a_key(kid: str | None, **said: str) -> RSAKey:
    parameters: Any = {**said, **({"kid": kid} if kid else {})}
    return RSAKey.generate_key(2048, parameters=parameters, private=True, auto_kid=False)


def an_ec_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", parameters={"kid": kid}, private=True)
