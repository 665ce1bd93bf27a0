"""The settings `api.*`, by which the REST API is served, and `client.*`, by which it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.options import option

WAYS = ("token", "noauth")
"""How callers may show who they are."""


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
        "How callers show who they are. token: by a token of `tocsin token create`; noauth: by "
        "headers that anybody can send, for tests on one machine.",
        choices=WAYS,
    )
    threads: int = option(16, "How many requests are worked on at once.", minimum=1)
    max_body_bytes: int = option(
        1024 * 1024, "A request with a larger body is refused (413).", minimum=1
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
