"""Where a token stands in the headers of a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.errors import Unauthenticated

BEARER, X_AUTH_TOKEN = "Authorization: Bearer", "X-Auth-Token:"


def bearer(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer …`. Raises `Unauthenticated` where there is none."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(f"show who you are: send {BEARER} TOKEN.")
    return token.strip()


def bearer_or_x_auth_token(headers: Mapping[str, str]) -> str:
    """The same, or that of `X-Auth-Token`, which OpenStack's clients send."""
    if "authorization" not in headers and (token := headers.get("x-auth-token", "").strip()):
        return token
    return bearer(headers)
