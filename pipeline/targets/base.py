"""What a target is: where one notification is told, and how.

A target never raises for what a receiver does: every answer, refusal, time-out and broken
connection is an outcome. Shared by all notifier threads, so it must be safe to call from many.

A new type of target is a class made by calling it with its options, which its `schema` has
checked, and with `Tools`. It has an entry point in the group `tocsin.targets` under its name, and
one in `tocsin.actions` under each URL scheme that an alarm's action may have in its place; then
`options_of` says which options such a URL stands for.

A target that speaks HTTP is an `HttpTarget`: what to send and how to judge the answer. The one
sender does the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any, ClassVar, Protocol

from marshmallow import Schema

from pipeline.errors import InvalidValue
from pipeline.hiding import hidden
from pipeline.notification import Delivery, Outcome, Refused
from pipeline.observer import Observer
from pipeline.targets.answer import Answer, judge
from pipeline.targets.http import HttpSender, Request
from pipeline.targets.identity import Identity
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.signing import keys_of
from pipeline.targets.way import way_of
from pipeline.templates import Templates


class Target(Protocol):
    """Tells one receiver, as its options say."""

    def deliver(self, delivery: Delivery) -> Outcome:
        """Tell it, within the time of `DeliverySettings.longest_attempt_seconds`."""

    def close(self) -> None:
        """Let go of what is not in use; an attempt that is under way ends well."""


def heeds_guard(target: Target) -> bool:
    """Whether it goes to no address that the outbound guard forbids a delivery (delivery 9).

    A type that connects to nobody, or lets the one HTTP sender do it, says so by its attribute
    `heeds_guard`; of others nobody knows.
    """
    return bool(getattr(target, "heeds_guard", False))


class TargetType(Protocol):
    """A class of targets."""

    schema: type[Schema]
    """What its options are; a field with the metadata `secret` holds a secret."""

    def __call__(self, options: Mapping[str, Any], tools: Tools) -> Target:
        """A target with these options, as the schema loads them."""

    def options_of(self, action: str) -> Mapping[str, Any]:
        """The options, not yet checked, that an action's URL stands for.

        Raises `InvalidValue` for a URL that stands for none. Only of types with a URL scheme.
        """


@dataclass(frozen=True, slots=True)
class Tools:
    """What a target may use. Shared by all targets: none closes them."""

    settings: DeliverySettings
    clock: Callable[[], datetime]
    log: Any
    templates: Templates
    http: HttpSender
    identity: Identity
    observer: Observer = field(default_factory=Observer)

    @classmethod
    def by(
        cls,
        settings: DeliverySettings,
        clock: Callable[[], datetime],
        log: Any,
        templates: Templates | None = None,
        observer: Observer | None = None,
    ) -> Tools:
        """The tools that the settings ask for; without `templates`, the shipped ones.

        Raises `InvalidValue` for what the settings name and cannot be used: certificates, a proxy,
        signing secrets.
        """
        try:
            keys_of(settings.signing_secrets)
        except InvalidValue as error:
            name = "delivery.signing_secrets"
            raise InvalidValue(f"{name}: {error}", field=name) from error
        words = templates or Templates(log=log)
        sender, identity = HttpSender(settings), Identity(settings)
        return cls(settings, clock, log, words, sender, identity, observer or Observer())


class HttpTarget(ABC):
    """A target that sends a request and judges the answer.

    Its schema is an `HttpSchema`. `timeout_seconds` is how long an attempt may take as a whole
    where the option `timeout` does not say.
    """

    schema: ClassVar[type[Schema]]
    timeout_seconds: ClassVar[float] = inf
    heeds_guard: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._options, self._tools = options, tools
        self._way = way_of(self.schema, options, self.timeout_seconds)

    @abstractmethod
    def request(self, delivery: Delivery) -> Request:
        """What to send. Raises `InvalidValue` where the options do not allow for this one."""

    def judge(self, answer: Answer) -> Outcome:
        """What the answer means."""
        return judge(answer, self._tools.clock())

    def deliver(self, delivery: Delivery) -> Outcome:
        """Send the request once."""
        try:
            request = self.request(delivery)
        except InvalidValue as error:
            return Refused(hidden(str(error), self._way.secrets), asked=False)
        return self.send(request, self.judge, delivery)

    def send(
        self,
        request: Request,
        judge: Callable[[Answer], Outcome],
        delivery: Delivery,
        by: float = inf,
    ) -> Outcome:
        """Send one request of a delivery, by the target's way; see `HttpSender.send`."""
        return self._tools.http.send(request, judge, by, self._way, delivery.guarded)

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Nothing of its own to let go of."""
