"""ApiServer: the socket, TLS, the threads and the end of the REST API; a part of a process.

Serves a WSGI application by cheroot. Knows nothing of what is asked. Made by the composition root.
"""

from __future__ import annotations

from typing import Any

from cheroot import wsgi

from pipeline.access.settings import ApiSettings
from pipeline.api.connection import Connection
from pipeline.api.tls import Tls, context_of
from pipeline.errors import InvalidValue

_DRAIN_SECONDS = 5


class ApiServer:
    """A `pipeline.process.Part`. Binds its port when it is made: raises `InvalidValue` when that
    cannot be had, and for a certificate that cannot be used."""

    name = "api"

    def __init__(self, app: Any, settings: ApiSettings, log: Any) -> None:
        self._settings, self._log = settings, log
        self._server = _Server(
            (settings.host, settings.port),
            app,
            numthreads=settings.threads,
            max=settings.threads,
            timeout=settings.request_timeout_seconds,
            shutdown_timeout=_DRAIN_SECONDS,
            server_name="tocsin",
        )
        self._server.log = log
        # The application refuses what is too large, and says so in its own words.
        self._server.max_request_body_size = 2 * settings.max_body_bytes
        self._server.max_request_header_size = settings.max_header_bytes
        if settings.certificate:
            self._server.ssl_adapter = Tls(settings)
        try:
            self._server.prepare()
        except OSError as error:
            raise InvalidValue(
                f"the API cannot listen on {settings.host} port {settings.port}: {error}. "
                "Set api.host and api.port, or end what listens there."
            ) from error
        self.port: int = self._server.socket.getsockname()[1]

    def run(self) -> None:
        """Answer requests until `stop`; then those that are in hand."""
        tls = bool(self._settings.certificate)
        self._log.info("api.listening", host=self._settings.host, port=self.port, tls=tls)
        self._server.serve()
        self._log.info("api.stopped")

    def reload(self) -> None:
        """Read the certificate again. One that cannot be used leaves in force what is."""
        if not self._settings.certificate:
            return
        try:
            self._server.ssl_adapter.context = context_of(self._settings)
        except InvalidValue as error:
            self._log.error("api.certificate_refused", reason=str(error))
        else:
            self._log.info("api.certificate_read", certificate=self._settings.certificate)

    def stop(self) -> None:
        """Take no more requests, answer those in hand, return from `run`."""
        self._server.stop()


class _Server(wsgi.Server):
    """cheroot's server, which tells our log instead of standard error."""

    ConnectionClass = Connection
    log: Any = None

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        self.log.warning("api.server", reason=str(msg), exc_info=traceback or None)
