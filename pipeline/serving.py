"""Serving: wires the REST API of one process. A part of the composition root."""

from __future__ import annotations

import ipaddress
from typing import Any

from pipeline.access.settings import ApiSettings
from pipeline.api import ApiServer, make_app
from pipeline.api.app import Identify
from pipeline.api.identity import noauth_caller
from pipeline.desk import Parts
from pipeline.errors import InvalidValue
from pipeline.observer import Observer


def api_server(
    parts: Parts, settings: ApiSettings, log: Any, observer: Observer | None = None
) -> ApiServer:
    """The API, ready to run. Raises `InvalidValue` where it cannot be served as it is set."""
    app = make_app(parts, _identify(settings), settings, log, observer)
    return ApiServer(app, settings, log)


def _identify(settings: ApiSettings) -> Identify:
    if settings.auth == "noauth" and not is_loopback(settings.host):
        raise InvalidValue(
            f"api.auth is noauth, by which anybody may do anything, and api.host {settings.host} "
            "is for more than this machine. Set api.auth to token, or api.host to 127.0.0.1.",
            "api.auth",
        )
    return noauth_caller


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a socket that is bound to this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
