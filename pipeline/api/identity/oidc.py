"""OIDC: `Authorization: Bearer …` with a signed token (JWT) of an OpenID provider.

Taken is what the provider signed with one of its keys, in one of the ways that are set, for this
API, and for now (RFC 7519, 8725). Whoever is known and has none of the roles is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError

from pipeline.access import Caller, Role
from pipeline.access.settings import OidcSettings
from pipeline.api.identity.oidc_keys import ProviderKeys, check_file
from pipeline.api.identity.shown import bearer
from pipeline.errors import Forbidden, InvalidValue, Unauthenticated

_ALL = "*"


class OidcIdentity:
    """Who shows a token of the provider. Safe from many threads."""

    def __init__(
        self,
        settings: OidcSettings,
        clock: Callable[[], datetime],
        log: Any,
        keys: ProviderKeys | None = None,
    ) -> None:
        """Raises `InvalidValue` for settings that leave open whose tokens are taken."""
        for name in ("issuer", "audience"):
            if not getattr(settings, name):
                raise InvalidValue(f"api.auth is oidc: set oidc.{name}.", f"oidc.{name}")
        if settings.jwks_file:
            check_file(settings.jwks_file)
        self._settings, self._clock = settings, clock
        self._keys = keys or ProviderKeys(settings, log)

    def __call__(self, headers: Mapping[str, str]) -> Caller:
        """The caller that the token is of.

        Raises `Unauthenticated`; `Forbidden` where it has no role; `IdentityUnavailable` where
        the provider's keys cannot be had.
        """
        return caller_of_claims(self._claims(bearer(headers)), self._settings)

    def _claims(self, token: str) -> Mapping[str, Any]:
        """What a token says, once all of it is checked."""
        try:
            header = jws.extract_compact(token.encode()).headers()
            algorithm, key_id = header.get("alg"), header.get("kid")
            if algorithm not in self._settings.algorithms:
                raise _refused(f"it is signed by {algorithm!r}, which is not taken")
            if key_id is not None and not isinstance(key_id, str):
                raise _refused("its kid is no text")
            key = self._keys.key(key_id, algorithm)
            if key is None:
                raise _refused(f"its key {key_id!r} is none of the provider's for {algorithm}")
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
            self._wanted().validate(claims)
        except ExpiredTokenError as error:
            raise _refused("it has expired") from error
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(_said(error)) from error
        return claims

    def _wanted(self) -> jwt.JWTClaimsRegistry:
        settings = self._settings
        return jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=int(settings.leeway_seconds),
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
        )


def caller_of_claims(claims: Mapping[str, Any], settings: OidcSettings) -> Caller:
    """The caller that claims are of, once they are checked."""
    users = _texts(_claim(claims, settings.user_claim))
    if not users:
        raise _refused(f"it has no claim {settings.user_claim}")
    projects = _held(claims, settings.project_claim)
    names = _held(claims, settings.names_claim)
    if not settings.names_claim and projects is not None:
        names = frozenset()
    project = next(iter(projects)) if projects and len(projects) == 1 else ""
    role = _role(_claim(claims, settings.roles_claim), settings)
    return Caller(users[0], role, project, projects=projects, names=names)


def _role(given: Any, settings: OidcSettings) -> Role:
    """The highest role that a claim gives. A text may have several, as `scope` does."""
    values = {each for text in _texts(given) for each in (text, *text.split())}
    roles = {Role(role) for value, role in settings.roles.items() if value in values}
    if not roles:
        raise Forbidden(
            f"your token gives no role here: its claim {settings.roles_claim} has none of "
            f"{', '.join(settings.roles) or 'oidc.roles'}."
        )
    return max(roles, key=list(Role).index)


def _held(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    """What a claim holds the caller to; None: to nothing."""
    if not name:
        return None
    values: Collection[str] = _texts(_claim(claims, name))
    return None if _ALL in values else frozenset(values)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, or of this path: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) and each]


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the token is not taken: {why}. Ask the provider for a new one.")


def _said(error: Exception) -> str:
    return str(getattr(error, "description", "") or error) or type(error).__name__
