"""The settings of access: `api.*`, by which the REST API is served; `oidc.*`, whose tokens it may
take; and `client.*`, by which it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.options import option

WAYS = ("token", "noauth", "oidc", "keystone")
"""How callers may show who they are."""

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""The signatures of OIDC tokens: with a key of two halves, so that whoever checks cannot sign."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How the REST API is served."""

    enabled: bool | None = option(
        None, "Serve the REST API. Unset: `tocsin run` does, beside all else; `tocsin api` always."
    )
    host: str = option("127.0.0.1", "The address to listen on; 0.0.0.0 or :: for all.")
    port: int = option(8042, "The port to listen on, Aodh's own; 0 for any.", minimum=0)
    auth: str = option(
        "token",
        "How callers show who they are. token: by a token of `tocsin token create`; oidc: by a "
        "token of an OpenID provider (oidc.…); keystone: by a token of OpenStack's Keystone, "
        "which the service user of delivery.keystone_… asks; noauth: by headers that anybody can "
        "send, for tests on one machine.",
        choices=WAYS,
    )
    noauth_anywhere: bool = option(
        False, "Let api.auth be noauth on addresses that other machines reach: anybody is admin."
    )
    certificate: str = option(
        "",
        "Serve over TLS with this certificate, a PEM file with all that lead to its authority. "
        "Read again when it changes.",
        path=True,
    )
    key: str = option(
        "", "The certificate's key, a PEM file; empty where api.certificate has it.", path=True
    )
    client_ca: str = option(
        "",
        "Let in only clients with a certificate of these authorities, a PEM file. They show who "
        "they are by api.auth besides.",
        path=True,
    )
    threads: int = option(16, "How many requests are worked on at once.", minimum=1)
    max_body_bytes: int = option(
        1024 * 1024, "A request with a larger body is refused (413).", minimum=1
    )
    max_header_bytes: int = option(
        64 * 1024,
        "A request whose first line and headers are larger is refused (414, 413).",
        minimum=1024,
    )
    user_alarm_quota: int = option(
        -1, "How many alarms a user may have; -1 for any number.", minimum=-1
    )
    project_alarm_quota: int = option(
        -1,
        "How many alarms a project may have that has no quota of its own; -1 for any number.",
        minimum=-1,
    )
    request_timeout_seconds: int = option(
        30, "How long a caller may take to send a request.", minimum=1
    )
    rate_limit: str = option(
        "600/minute",
        "How many requests each caller may make, for each process: 600/minute, 20/second; several "
        "with ; between. Empty for any number. More are refused (429).",
    )
    failed_rate_limit: str = option(
        "30/minute",
        "How many requests of one address may fail to show who asks, before all of its requests "
        "are refused for a while (429). Empty for any number.",
    )
    proxies: int = option(
        0,
        "How many proxies stand before it, whose X-Forwarded-For and X-Forwarded-Proto are "
        "believed: addresses in the log and in limits are then those of callers.",
        minimum=0,
    )
    cors_origins: tuple[str, ...] = option(
        (),
        "Origins whose pages may ask the API in a browser, such as https://console.example. "
        "None by default.",
    )
    keystone_cache_seconds: float = option(
        60.0,
        "For how long a Keystone token that was good is taken again without asking; one that is "
        "revoked opens the API for as long.",
        minimum=0,
    )


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Whose tokens open the API where `api.auth` is oidc, and what is read in them."""

    issuer: str = option(
        "", "The provider's issuer URL, such as https://sso.example/realms/cloud."
    )
    audience: str = option("", "Whom a token must be for: what the provider calls this API.")
    discovery_url: str = option(
        "",
        "Where the provider's metadata are, if not at ISSUER/.well-known/openid-configuration.",
    )
    jwks_file: str = option(
        "", "Take the provider's keys from this file (JWKS), and ask it nothing.", path=True
    )
    ca_file: str = option(
        "", "Trust the certificates that this file has, in place of the system's.", path=True
    )
    timeout_seconds: float = option(
        5.0, "How long to wait for the provider's metadata or keys.", minimum=0.1
    )
    algorithms: tuple[str, ...] = option(
        ("RS256", "ES256"), "The signatures that are taken.", choices=ALGORITHMS
    )
    leeway_seconds: float = option(
        30.0, "How far the provider's clock may be from ours.", minimum=0
    )
    user_claim: str = option("sub", "The claim that names the user, for histories and limits.")
    roles_claim: str = option(
        "roles", "The claim with the user's roles; realm_access.roles for one inside another."
    )
    roles: Mapping[str, Any] = option(
        {"tocsin-audit": "audit", "tocsin-manage": "manage", "tocsin-admin": "admin"},
        "Which role (audit, manage, admin) a value of that claim gives; the highest counts.",
    )
    project_claim: str = option(
        "",
        "The claim with the projects that the user is held to; '*' in it for all. Without it in a "
        "token, none. Empty: nobody is held to projects.",
    )
    names_claim: str = option(
        "",
        "The claim with the targets, groups and filters that the user is held to; '*' in it for "
        "all. Empty: whoever is held to projects reaches none, all others reach all.",
    )


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Which server the commands ask; without one they work on the database itself."""

    server: str = option(
        "",
        "The URL of a Tocsin API, such as https://tocsin.example:8042, that commands are to ask "
        "in place of the database: as --server, or TOCSIN_SERVER.",
    )
    token: str = option(
        "",
        "The token to show there: as --token, or TOCSIN_TOKEN.",
        secret=True,
    )
    ca_file: str = option(
        "", "Trust the certificates that this file has, in place of the system's.", path=True
    )
    timeout_seconds: float = option(30.0, "How long to wait for an answer.", minimum=0.1)
