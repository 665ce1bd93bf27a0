"""Exposition: the small HTTP server of /metrics, /healthz and /readyz.

Every process has one, on loopback unless the settings say otherwise. It reads and never changes
anything, and asks for no password: its pages hold no secrets. It answers from the moment at which
it is made, while the alarms are still being loaded, until the process has drained.

Made by the composition root. Knows no part: what it tells comes from `Health` and a registry.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, make_wsgi_app
from waitress import wasyncore
from waitress.server import create_server

from pipeline.errors import InvalidValue
from pipeline.health import MetricsSettings, ports

_POLL_SECONDS = 0.2
_THREADS = 2


Problems = Callable[[], dict[str, str]]


class Exposition:
    """Serves in a thread of its own from `start` to `close`.

    Raises `InvalidValue` when the port of the settings cannot be had.
    """

    def __init__(
        self,
        settings: MetricsSettings,
        registry: CollectorRegistry,
        *,
        illness: Problems,
        unreadiness: Problems,
        log: Any,
    ) -> None:
        self._log, self._host = log, settings.host
        self._sockets: dict[int, Any] = {}
        self._closing = threading.Event()
        app = wsgi_app(registry, illness, unreadiness)
        listening = _bind(settings)
        self.port: int = listening.getsockname()[1]
        self._server = create_server(
            app, map=self._sockets, sockets=[listening], threads=_THREADS, ident=None
        )
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()
        self._log.info("metrics.serving", host=self._host, port=self.port)

    def close(self) -> None:
        """Answer no more."""
        self._closing.set()
        self._thread.join(5)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                wasyncore.loop(timeout=_POLL_SECONDS, use_poll=True, map=self._sockets, count=1)
        finally:
            self._server.task_dispatcher.shutdown(timeout=1)
            wasyncore.close_all(self._sockets)


def wsgi_app(registry: CollectorRegistry, illness: Problems, unreadiness: Problems) -> Any:
    """The WSGI application: /metrics, /healthz (200, 503), /readyz (200, 503)."""
    metrics = make_wsgi_app(registry)
    checks = {"/healthz": illness, "/readyz": unreadiness}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            pages: Iterable[bytes] = metrics(environ, start_response)
            return pages
        if path in checks:
            problems = checks[path]()
            status = "503 Service Unavailable" if problems else "200 OK"
            return _json(start_response, status, {"status": problems or "ok"})
        reason = f"nothing is at {path}. Ask for /metrics, /healthz or /readyz."
        return _json(start_response, "404 Not Found", {"error": reason})

    return app


def _json(start_response: Any, status: str, document: Any) -> list[bytes]:
    body = json.dumps(document).encode() + b"\n"
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    start_response(status, headers)
    return [body]


def _bind(settings: MetricsSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    wanted = ports(settings)
    last: Exception | None = None
    for port in wanted:
        try:
            return socket.create_server((settings.host, port), family=family)
        except (OSError, OverflowError) as error:
            last = error
            if getattr(error, "errno", None) != errno.EADDRINUSE:
                break
    if settings.port is None and getattr(last, "errno", None) == errno.EADDRINUSE:
        return socket.create_server((settings.host, 0), family=family)
    raise InvalidValue(
        f"metrics cannot be served on {settings.host} port {wanted[0]}: {_reason(last)}. Set "
        "metrics.host and metrics.port to an address of this machine and a port that is free, "
        "or metrics.enabled to false.",
        "metrics.port",
    ) from last


def _reason(error: Exception | None) -> str:
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)
