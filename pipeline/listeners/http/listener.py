"""The HTTP listener: events that are posted to us, answered when they are committed.

It owns the socket, the server's threads and the thread that commits; what a request means is
`pipeline.listeners.http.app`'s business. Made and run by `pipeline.app`.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic

import structlog
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from pipeline.errors import InvalidValue
from pipeline.listeners.base import Decisions, Message, Stopped, Worker
from pipeline.listeners.http.app import Unavailable, Understand, make_app, too_large
from pipeline.listeners.http.group_commit import GroupCommit
from pipeline.observer import Pulse
from pipeline.options import option

_BATCH_MESSAGES = 500
_POLL_SECONDS = 0.2
_STOPPING = "Tocsin is stopping. Nothing of this was taken; send it again."
_AWAY = "the database cannot be reached or is slow. "


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How events are taken over HTTP."""

    enabled: bool | None = option(
        None,
        "Take events that are posted over HTTP. Unset: `tocsin run` does, `tocsin listener`, of "
        "which one machine may run several, does not.",
    )
    host: str = option("127.0.0.1", "The address to listen on; 0.0.0.0 or :: for all.")
    port: int = option(8043, "The port to listen on; 0 for any that is free.", minimum=0)
    token: str = option(
        "", "If set, who posts must send it: `Authorization: Bearer TOKEN`.", secret=True
    )
    max_body_bytes: int = option(
        1024 * 1024, "A request with a larger body is refused (413).", minimum=1
    )
    threads: int = option(8, "How many requests are worked on at once.", minimum=1)
    commit_timeout_seconds: float = option(
        10.0, "Answer 503 when the database takes longer than this.", minimum=0.1
    )


class HttpListener(Generic[Decisions]):
    """Takes oslo notifications (v1, v2), CADF events and CloudEvents, one or an array.

        curl -i http://127.0.0.1:8043/v1/events -H 'Content-Type: application/json' -d '
          {"message_id": "1", "event_type": "demo.created", "priority": "INFO",
           "publisher_id": "me", "timestamp": "2026-01-02 12:00:00.0", "payload": {"id": "x"}}'

    answers `202 {"accepted": 1}` after the commit. An array is taken whole or not at all; with
    400, `index` says which item could not be understood. After a 503 send the same again: an
    event that was taken already is known by its id and changes nothing.

    `understand` says why a message would be rejected, None if it would not be. Binds its port
    when it is made: raises `InvalidValue` when that cannot be had.
    """

    name = "http"

    def __init__(
        self,
        settings: HttpSettings,
        worker: Worker[Decisions],
        understand: Understand,
    ) -> None:
        self._log = structlog.get_logger()
        self._settings = settings
        self._commits = GroupCommit(worker, _BATCH_MESSAGES, self._log)
        self._stopping = threading.Event()
        self._sockets: dict[int, Any] = {}
        self._understand = understand
        self.pulse = Pulse()
        self._server = self._serve(_bind(settings.host, settings.port))
        self.port: int = self._server.socket.getsockname()[1]

    def run(self) -> None:
        """Answer requests until `stop`; then those that are in hand."""
        settings = self._settings
        self._log.info("http.listening", host=settings.host, port=self.port)
        if not settings.token and not _is_loopback(settings.host):
            self._log.warning(
                "http.open", host=settings.host, mend="set a token, or a loopback host"
            )
        committer = threading.Thread(target=self._commits.run, name="http-commit", daemon=True)
        committer.start()
        try:
            while not self._stopping.is_set():
                self.pulse.beat()
                self._turn()
            self._drain()
        finally:
            self._commits.close()
            self._server.task_dispatcher.shutdown()
            wasyncore.close_all(self._sockets)
        self._log.info("http.stopped")

    def stop(self) -> None:
        """Take no more requests; answer those in hand, then return from `run`."""
        self._stopping.set()

    def trouble(self) -> str:
        """Why no events can be taken at present, `''` while they can. From any thread."""
        return self._trouble() or ""

    # --- what the application is handed ------------------------------------------------------

    def _take(self, messages: Sequence[Message]) -> None:
        committed = self._commits.submit(messages)
        try:
            committed.result(self._settings.commit_timeout_seconds)
        except TimeoutError as error:
            raise Unavailable(_AWAY + _fate(committed)) from error
        except Stopped as error:
            raise Unavailable(_STOPPING) from error

    def _trouble(self) -> str | None:
        if self._stopping.is_set():
            return _STOPPING
        if self._commits.busy_seconds > self._settings.commit_timeout_seconds:
            return _AWAY + "Nothing of this was taken; send it again."
        return None

    # --- the server --------------------------------------------------------------------------

    def _serve(self, listening: socket.socket) -> Any:
        settings = self._settings
        app = make_app(
            self._understand,
            self._take,
            self._trouble,
            settings.max_body_bytes,
            settings.token,
            self._log,
        )
        server = create_server(
            app,
            map=self._sockets,
            sockets=[listening],
            threads=settings.threads,
            ident=None,
            # The application holds the exact limit; this one also counts chunked framing.
            max_request_body_size=2 * settings.max_body_bytes + 1,
            clear_untrusted_proxy_headers=True,
        )
        server.channel_class = _channel_class(settings.max_body_bytes)
        return server

    def _turn(self) -> None:
        wasyncore.loop(timeout=_POLL_SECONDS, use_poll=True, map=self._sockets, count=1)

    def _drain(self) -> None:
        """Close the door, then finish what is inside; each request is bounded by its time-out."""
        wasyncore.dispatcher.close(self._server)
        self._turn()
        while any(map(_in_hand, list(self._server.active_channels.values()))):
            self._turn()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InvalidValue(
            f"the http listener cannot listen on {host} port {port}: {_reason(error)}. "
            "Set its host and port to an address of this machine and a port that is free.",
            "port",
        ) from error


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _fate(committed: Future[None]) -> str:
    if committed.cancel():
        return "Nothing of this was taken; send it again."
    return "This may still be taken; send it again all the same, a repeat changes nothing."


def _in_hand(channel: HTTPChannel) -> bool:
    return bool(channel.requests or channel.total_outbufs_len or channel.close_when_flushed)


def _channel_class(max_body_bytes: int) -> type[HTTPChannel]:
    """A connection whose errors, found before the application is asked, are JSON as well."""

    class JsonErrorTask(ErrorTask):  # type: ignore[misc]
        def execute(self) -> None:
            error = self.request.error
            reason = too_large(max_body_bytes) if error.code == 413 else error.body
            body = json.dumps({"error": reason}).encode() + b"\n"
            self.status = f"{error.code} {error.reason}"
            self.response_headers.append(("Content-Type", "application/json"))
            self.set_close_on_finish()
            self.content_length = len(body)
            self.write(body)

    class JsonErrorChannel(HTTPChannel):  # type: ignore[misc]
        error_task_class = JsonErrorTask

    return JsonErrorChannel
