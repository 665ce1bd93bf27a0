"""Failure: what it means that no answer came, in words without secrets. Pure.

Used by `pipeline.targets.http`. A word of the receiver or of the system is told only where nothing
of what was sent or received can be in it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from pipeline.notification import Failed, Outcome, Refused
from pipeline.targets.connection import NotTaken
from pipeline.targets.dial import (
    BadHost,
    Forbidden,
    NotConnected,
    NoTimeLeft,
    NoWay,
    UnknownHost,
)
from pipeline.targets.route import Route


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried: `who` was to be reached over `route`, `connect` and `read` say in what time
    (`within 5 s`)."""

    who: str
    route: Route
    connect: str
    read: str

    @property
    def asked(self) -> str:
        """Who was connected to: the receiver, or the proxy on the way."""
        proxy = self.route.proxy
        return f"the proxy {proxy.who} (for {self.who})" if proxy else self.who


def outcome_of(error: Exception, tried: Tried) -> Outcome:
    """The outcome that an error of `pipeline.targets.connection` stands for."""
    who, asked = tried.who, tried.asked
    match error:
        case BadHost():
            return Refused(f"{asked} is not a host that can be called", asked=False)
        case UnknownHost():
            return Failed(f"cannot find {asked}: its name does not resolve")
        case Forbidden():
            return Refused(forbidden_text(who, str(error)), asked=False)
        case NoWay():
            return Failed(f"no way to {asked}: the proxy {error}")
        case NoTimeLeft():
            return Failed(f"no connection to {asked} {tried.connect}")
        case NotConnected():
            return Failed(f"cannot connect to {asked}: {plain_reason(error.__cause__)}")
        case NotTaken():
            return Failed(f"{asked} did not take the request {tried.connect}")
        case TimeoutError():
            return Failed(f"no answer from {asked} {tried.read}")
        case ssl.SSLError():
            return Failed(f"no TLS with {who}: {_tls_reason(error)}")
    return Failed(f"no answer from {asked}: {plain_reason(error)}")


def forbidden_text(who: str, kind: str) -> str:
    """Why the guard does not let a delivery through, and who can change that."""
    return (
        f"{who} leads to {kind}, where this delivery may not go (delivery.guard)."
        " An admin can allow it in delivery.guard_allow"
    )


def plain_reason(error: BaseException | None) -> str:
    """An error in words that hold nothing of what was sent or received."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, ConnectionError):
        return "the connection was closed without one"
    return f"what came was not HTTP ({type(error).__name__})"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate does not verify: {error.verify_message}. Name its authority in"
            " delivery.ca_bundle or in the target's ca_bundle, or do without with"
            " ?aodh-alarm-ssl-verify=0 in the action"
        )
    return (error.reason or str(error)).replace("_", " ").lower()
