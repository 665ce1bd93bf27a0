"""Apprise: any of the hundred and more services that the library of that name speaks to.

An action whose scheme no other type has goes here, where `tocsin[apprise]` is installed. The body
is Markdown, HTML or plain text, whichever the service takes, and cut where it takes less. Apprise
says of a service only whether it took the message, and why not in its log alone: that is listened
to, as it is said in the thread of the attempt, and reaches no other log, for it holds tokens.

What a service is reached by is Apprise's, not the one HTTP sender: it cannot be held to public
addresses, so the outbound guard lets nothing through here. An attempt that takes too long is left
to itself; while several do, no other is begun.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import unquote

from marshmallow import ValidationError, fields
from marshmallow.validate import Length, Range

from pipeline.errors import InvalidValue
from pipeline.hiding import hidden, spellings
from pipeline.notification import Delivered, Delivery, Failed, Notification, Outcome, Refused
from pipeline.targets.answer import MAY_WORK_LATER
from pipeline.targets.base import Tools
from pipeline.targets.options import TargetSchema
from pipeline.templates import Rendered

_PAGE: Final = 10_000
"""A service whose messages may be this long takes a whole HTML page: it is mail."""

_HANGING_AT_MOST: Final = 8
_KEPT: Final = 1024
_STATUS: Final = re.compile(r"\berror=([1-5][0-9]{2})\b")
_PIECES: Final = re.compile(r"[/?&=:@,#;\s]+")
_TYPES: Final = {
    "info": "info",
    "notice": "info",
    "low": "info",
    "warning": "warning",
    "moderate": "warning",
    "error": "failure",
    "critical": "failure",
}


def _check_url(url: str) -> None:
    try:
        _library().plugin(url)
    except InvalidValue as error:
        raise ValidationError(str(error)) from error


class AppriseSchema(TargetSchema):
    """The options of services that Apprise speaks to."""

    urls = fields.List(
        fields.String(validate=_check_url),
        required=True,
        validate=Length(min=1),
        metadata={"secret": True},
        error_messages={"required": "Mandatory field missing."},
    )
    timeout = fields.Float(
        validate=Range(min=0, min_inclusive=False, error="Give more than 0 seconds.")
    )


class AppriseTarget:
    """Tells whatever Apprise can tell."""

    schema = AppriseSchema

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._urls: list[str] = options["urls"]
        self._tools = tools
        longest = tools.settings.longest_attempt_seconds
        self._seconds = min(options.get("timeout", longest), longest)
        self._hanging = threading.BoundedSemaphore(_HANGING_AT_MOST)

    @staticmethod
    def takes(scheme: str) -> bool:
        """Whether an action of this scheme is a URL of Apprise's."""
        return find_spec("apprise") is not None and _library().knows(scheme)

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The action is the URL."""
        return {"urls": [action]}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Tell each service that did not take it in an earlier attempt, one after the other."""
        try:
            words = self._tools.templates.render(delivery.notification)
        except InvalidValue as error:
            return Refused(str(error), asked=False)
        told = _told(delivery, len(self._urls))
        problems: list[_Said] = []
        for number, url in enumerate(self._urls):
            if number in told:
                continue
            if problem := self._tell(url, words, delivery.notification):
                problems.append(problem)
            else:
                told.append(number)
        return _judged(problems, told, len(self._urls))

    def close(self) -> None:
        """Nothing is kept between attempts."""

    def _tell(self, url: str, words: Rendered, told: Notification) -> _Said | None:
        """What went wrong, if it did. In a thread of its own, which is left to itself when time
        is up: Apprise bounds each wait for a service, and no message as a whole."""
        if not self._hanging.acquire(blocking=False):
            return _Said(f"{_HANGING_AT_MOST} earlier messages have not come to an end")
        attempt = _Attempt(url, words, told, self._bounds, self._hanging.release)
        attempt.start()
        seconds = self._seconds / len(self._urls)
        attempt.join(seconds)
        if attempt.is_alive():
            return _Said(f"{_service(url)} took longer than {seconds:g} s")
        return attempt.problem

    @property
    def _bounds(self) -> tuple[float, float]:
        """The longest waits to connect and to read."""
        settings = self._tools.settings
        return settings.connect_timeout_seconds, settings.read_timeout_seconds


class _Said:
    """What went wrong, with a service's status where it told one. Holds no secret."""

    def __init__(self, text: str, status: int | None = None) -> None:
        self.text, self.status = text, status

    @property
    def is_final(self) -> bool:
        """Whether another try would be answered the same."""
        return (
            self.status is not None
            and 400 <= self.status < 500
            and self.status not in MAY_WORK_LATER
        )


class _Attempt(threading.Thread):
    """One message to one service. `problem` is what went wrong."""

    def __init__(
        self,
        url: str,
        words: Rendered,
        told: Notification,
        bounds: tuple[float, float],
        ended: Any,
    ) -> None:
        super().__init__(daemon=True, name="apprise")
        self._url, self._words, self._told = url, words, told
        self._bounds, self._ended = bounds, ended
        self.problem: _Said | None = None

    def run(self) -> None:
        """Send it."""
        try:
            with _library().listening() as said:
                taken = self._send()
            if not taken:
                self.problem = _problem(self._url, said)
        except Exception as error:  # noqa: BLE001 - a hundred plugins raise what they like
            self.problem = _Said(f"{_service(self._url)}: {type(error).__name__}")
        finally:
            self._ended()

    def _send(self) -> bool:
        # Made anew each time: plugins are not made for several threads.
        plugin = _library().plugin(self._url)
        connect, read = self._bounds
        plugin.socket_connect_timeout = min(plugin.socket_connect_timeout or connect, connect)
        plugin.socket_read_timeout = min(plugin.socket_read_timeout or read, read)
        body, form = _fitting(plugin, self._words)
        return bool(
            plugin.notify(
                title=self._words.title,
                body=body or self._words.title,
                body_format=form,
                notify_type=_type_of(self._told),
                overflow="truncate" if plugin.overflow_mode == "upstream" else None,
            )
        )


class _Library(logging.Handler):
    """Apprise itself, and what it says while a thread listens."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        import apprise

        self._apprise = apprise
        self._asset = apprise.AppriseAsset(
            app_id="Tocsin",
            app_desc="Tocsin",
            async_mode=False,
            # Neither files in the user's home, nor templates out of any file that a URL names.
            storage_mode="memory",
            allow_templates=False,
        )
        self._asset.http_redirects = False
        self._listening = threading.local()
        logger = logging.getLogger("apprise")
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said for the thread that it is said in."""
        said = getattr(self._listening, "said", None)
        if said is not None:
            said.append(record.getMessage())

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """What Apprise says in this thread meanwhile."""
        said: list[str] = []
        self._listening.said = said
        try:
            yield said
        finally:
            self._listening.said = None

    def knows(self, scheme: str) -> bool:
        """Whether it has a plugin for URLs of this scheme."""
        from apprise.manager_plugins import NotificationManager

        plugins: Any = NotificationManager
        return scheme in plugins()

    def plugin(self, url: str) -> Any:
        """A plugin for the service at a URL. Raises `InvalidValue`, without a word of the URL."""
        if plugin := self._apprise.Apprise.instantiate(url, asset=self._asset):
            return plugin
        raise InvalidValue(
            "Not a URL of Apprise's: there is no such service, or a part that it needs is missing."
            " See https://appriseit.com/services/"
        )


@cache
def _library() -> _Library:
    """Loaded when it is first needed. Raises `InvalidValue` where it is not installed."""
    if find_spec("apprise") is None:
        raise InvalidValue("Apprise is not installed. Run pip install 'tocsin[apprise]'")
    return _Library()


# --- what is sent --------------------------------------------------------------------------------


def _fitting(plugin: Any, words: Rendered) -> tuple[str, str]:
    """The body in the form that suits the service best, and the name of that form."""
    form = plugin.resolve_format(None).value
    if form == "html" and plugin.body_maxlen < _PAGE:
        # A page would be cut in the middle of its style sheet.
        form = plugin.resolve_format("markdown").value
    if form == "html" and plugin.body_maxlen >= _PAGE:
        return words.html, "html"
    return (words.markdown, "markdown") if form == "markdown" else (words.text, "text")


def _type_of(told: Notification) -> str:
    """Apprise's word for how severe it is; an alarm that is over is a success."""
    if told.alarm and told.alarm.current.value == "ok":
        return "success"
    return _TYPES.get(told.severity, "info")


# --- what came of it -----------------------------------------------------------------------------


def _told(delivery: Delivery, count: int) -> list[int]:
    """The positions of the services that took it in an earlier attempt."""
    progress = delivery.progress or {}
    return list(progress.get("told", ())) if progress.get("of") == count else []


def _judged(problems: list[_Said], told: list[int], count: int) -> Outcome:
    if not problems:
        return Delivered(note=f"{count} services" if count > 1 else "")
    reason = "; ".join(problem.text for problem in problems)[:_KEPT]
    progress = {"told": told, "of": count}
    final = all(problem.is_final for problem in problems)
    return (Refused if final else Failed)(reason, problems[0].status, progress=progress)


def _problem(url: str, said: list[str]) -> _Said:
    """What Apprise said of it, without any part of the URL."""
    text = " ".join(said) or "it was not taken"
    status = _STATUS.search(text)
    pieces = _PIECES.split(url.partition("://")[2])
    secrets = spellings({url, *pieces, *map(unquote, pieces)})
    shown = hidden(text, secrets)
    return _Said(f"{_service(url)}: {shown}"[:_KEPT], int(status[1]) if status else None)


def _service(url: str) -> str:
    """What may be shown of a URL of Apprise's: even its host may be a token."""
    return f"{url.partition('://')[0]}://***"
