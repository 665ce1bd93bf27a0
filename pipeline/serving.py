"""Serving: wires the REST API of one process. A part of the composition root."""

from __future__ import annotations

import ipaddress
from typing import Any

from pipeline.access.settings import ApiSettings
from pipeline.access.tokens import TokenState
from pipeline.api import ApiServer, make_app
from pipeline.api.app import Identify
from pipeline.api.identity import TokenIdentity, noauth_caller
from pipeline.api.identity.keystone import KeystoneIdentity
from pipeline.api.identity.oidc import OidcIdentity
from pipeline.desk import Parts
from pipeline.errors import InvalidValue
from pipeline.observer import Observer
from pipeline.settings import Settings
from pipeline.targets.identity import Identity, check_installed


def api_server(
    parts: Parts, settings: Settings, log: Any, observer: Observer | None = None
) -> ApiServer:
    """The API, ready to run. Raises `InvalidValue` where it cannot be served as it is set."""
    api = settings.api
    if (api.key or api.client_ca) and not api.certificate:
        name = "key" if api.key else "client_ca"
        raise InvalidValue(f"api.{name} goes with a certificate. Set api.certificate.")
    app = make_app(parts, _identify(parts, settings, log), api, log, observer)
    server = ApiServer(app, api, log)
    _warn(api, log)
    return server


def _identify(parts: Parts, settings: Settings, log: Any) -> Identify:
    api = settings.api
    match api.auth:
        case "noauth":
            _check_noauth(api)
            log.warning("api.noauth", host=api.host, reason="anybody who reaches it is admin")
            return noauth_caller
        case "oidc":
            return OidcIdentity(settings.oidc, parts.clock, log)
        case "keystone":
            return _keystone(parts, settings)
        case _:
            _say_how_to_begin(parts, log)
            return TokenIdentity(lambda: parts.store, parts.clock, log)


def _check_noauth(settings: ApiSettings) -> None:
    if not is_loopback(settings.host) and not settings.noauth_anywhere:
        raise InvalidValue(
            f"api.auth is noauth, by which anybody may do anything, and api.host {settings.host} "
            "is for more than this machine. Set api.auth to token, or api.host to 127.0.0.1; "
            "where a network of its own keeps others out, api.noauth_anywhere to true.",
            "api.auth",
        )


def _keystone(parts: Parts, settings: Settings) -> Identify:
    check_installed()
    delivery = settings.delivery
    for name in ("keystone_url", "keystone_username", "keystone_password"):
        if not getattr(delivery, name):
            raise InvalidValue(
                f"api.auth is keystone: set delivery.{name}, for the service user that asks "
                "Keystone whose a token is.",
                f"delivery.{name}",
            )
    return KeystoneIdentity(Identity(delivery), settings.api.keystone_cache_seconds, parts.clock)


def _say_how_to_begin(parts: Parts, log: Any) -> None:
    now = parts.clock()
    if not any(token.state(now) is TokenState.ACTIVE for token in parts.store.tokens()):
        log.warning(
            "api.no_token",
            reason="nobody can use the API yet",
            mend="tocsin token create NAME --role admin, on this machine",
        )


def _warn(settings: ApiSettings, log: Any) -> None:
    if settings.auth == "noauth" or settings.certificate or is_loopback(settings.host):
        return
    log.warning(
        "api.no_tls",
        host=settings.host,
        reason="tokens go over the network in clear",
        mend="set api.certificate, or let only a proxy that speaks TLS reach it",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a socket that is bound to this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
