"""A URL and the settings → a kombu connection, not open yet, and its name without secrets.

Raises `InvalidValue` for a URL that cannot be used. Called by the listener, and by the settings.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES, resolve_transport
from kombu.utils.url import parse_url

from pipeline import kombu_clients
from pipeline.errors import InvalidValue
from pipeline.listeners.bus.settings import BusSettings
from pipeline.masking import mask_url
from pipeline.registry import one_of

_REDIS = frozenset({"redis", "rediss", "sentinel", "valkey"})
_AMQP = frozenset({"amqp", "amqps", "pyamqp", "librabbitmq"})
_TLS = frozenset({"amqps", "rediss"})
_OFFERED = (
    "amqp", "amqps", "confluentkafka", "filesystem", "memory", "redis", "rediss", "sqs",
)  # fmt: skip
_ANSWER_SECONDS = 15.0


def connection(url: str, settings: BusSettings) -> Connection:
    """What connects there, when told to. Raises `InvalidValue`; never shows the password."""
    scheme = scheme_of(url)
    options = {**_defaults(scheme, settings), **_folder(url), **settings.transport_options}
    return Connection(
        # kombu would take the folder of the URL for a virtual host.
        "filesystem://" if scheme == "filesystem" else url,
        connect_timeout=settings.connect_timeout_seconds,
        heartbeat=settings.heartbeat_seconds if scheme in _AMQP else 0,
        ssl=_tls(url, settings) if scheme in _TLS else False,
        transport_options=options,
    )


def check(url: str) -> None:
    """Raise `InvalidValue` for a URL that names no transport, or one whose library is missing."""
    connection(url, BusSettings())


def scheme_of(url: str) -> str:
    """The URL's scheme. Raises `InvalidValue` where kombu has no such transport."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise _unusable(url, "is not scheme://…")
    if scheme not in TRANSPORT_ALIASES:
        raise _unusable(url, f"has an unknown scheme. {one_of(scheme, _OFFERED)}")
    try:
        resolve_transport(scheme)
        parse_url(url)
    except kombu_clients.MISSING as error:
        library = kombu_clients.package_for(scheme)
        raise _unusable(url, f"needs a library: pip install '{library}' ({error})") from error
    except (ValueError, KeyError):
        # Not `from error`: its text may hold the password.
        raise _unusable(url, "is not scheme://user:password@host:port/name") from None
    return scheme


def driver_of(url: str) -> str:
    """The scheme, or `redis` for all that is Redis."""
    scheme = scheme_of(url)
    return "redis" if scheme in _REDIS else scheme


def name_of(url: str) -> str:
    """Scheme, host and what is named there, for people: `redis localhost:6379/0`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme} {host}{port}{parts.path}".strip()


def _defaults(scheme: str, settings: BusSettings) -> Mapping[str, Any]:
    timeouts: Mapping[str, Any] = {}
    if scheme in _REDIS:
        seconds = settings.connect_timeout_seconds
        timeouts = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    elif scheme in _AMQP:
        timeouts = {"read_timeout": _ANSWER_SECONDS, "write_timeout": _ANSWER_SECONDS}
    elif scheme == "sqs":
        timeouts = {"wait_time_seconds": 1}
    elif scheme in ("kafka", "confluentkafka"):
        timeouts = {"wait_time_seconds": 0.2}
    return {
        "polling_interval": settings.poll_seconds,
        "visibility_timeout": settings.visibility_timeout_seconds,
        **timeouts,
    }


def _folder(url: str) -> Mapping[str, Any]:
    """Where `filesystem:///folder` keeps its messages: in and out are one, so what is given back
    is found again."""
    if not url.startswith("filesystem://"):
        return {}
    parts = urlsplit(url)
    if parts.netloc or not parts.path.strip("/"):
        raise _unusable(
            url, "names no folder. Write three slashes: filesystem:///var/spool/events"
        )
    folder = unquote(parts.path)
    return {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": f"{folder}/control",
    }


def _tls(url: str, settings: BusSettings) -> Mapping[str, Any]:
    """Certificates are checked, always; the names are those that py-amqp and redis-py want."""
    if url.startswith("rediss"):
        return {
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_check_hostname": True,
            "ssl_ca_certs": settings.tls_ca_file,
        }
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "ca_certs": settings.tls_ca_file,
        "server_hostname": urlsplit(url).hostname,
    }


def _unusable(url: str, what: str) -> InvalidValue:
    return InvalidValue(f"The URL {mask_url(url)} {what}.", "bus.urls")
