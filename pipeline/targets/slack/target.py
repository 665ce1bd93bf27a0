"""The target: post the message to an incoming webhook, or to a channel as a bot.

slack://hooks.slack.com/services/T…/B…/…      an incoming webhook, as Slack shows it behind https
slack://xoxb-…@slack.com/CHANNEL              a bot's token, and the channel's id or name
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import orjson
from marshmallow import ValidationError, validates_schema

from pipeline.errors import InvalidValue
from pipeline.notification import Delivery, Notification, Outcome
from pipeline.targets import options
from pipeline.targets.answer import Answer
from pipeline.targets.base import HttpTarget
from pipeline.targets.http import Request
from pipeline.targets.options import HttpSchema
from pipeline.targets.slack import answers
from pipeline.targets.slack.message import as_markup, message
from pipeline.tracing import trace_headers

_API: Final = "https://slack.com/api"
_WRITTEN: Final = "slack://hooks.slack.com/services/… or slack://xoxb-…@slack.com/CHANNEL"


class SlackSchema(HttpSchema):
    """The options of a Slack channel: a webhook's URL, or a token with a channel."""

    webhook_url = options.secret(validate=options.check_url)
    token = options.secret()
    channel = options.text()
    api_url = options.url(load_default=_API)
    message = options.template()
    links = options.templates()

    @validates_schema
    def _one_way(self, data: Mapping[str, Any], **_: Any) -> None:
        if bool(data.get("webhook_url")) == bool(data.get("token")):
            raise ValidationError("Give webhook_url, or token and channel.")
        if bool(data.get("token")) != bool(data.get("channel")):
            raise ValidationError("token and channel go together.")


class SlackTarget(HttpTarget):
    """Shows notifications in a Slack channel."""

    schema = SlackSchema

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """Those that a `slack:` URL stands for; see the module."""
        try:
            parts = urlsplit(action.strip())
            host = f"{parts.hostname}" + (f":{parts.port}" if parts.port is not None else "")
        except ValueError as error:
            raise InvalidValue(f"It is not a URL. Write {_WRITTEN}") from error
        path = parts.path.strip("/")
        if not (parts.hostname and path) or parts.query or parts.fragment or parts.password:
            raise InvalidValue(f"Write {_WRITTEN}")
        if parts.username:
            channel = {"token": unquote(parts.username), "channel": unquote(path)}
            return {**channel, "api_url": f"https://{host}/api"}
        return {"webhook_url": f"https://{host}/{path}"}

    def request(self, delivery: Delivery) -> Request:
        """The message."""
        told = delivery.notification
        headers = {
            "content-type": "application/json; charset=utf-8",
            "webhook-id": delivery.delivery_id,
            **trace_headers(delivery.trace),
        }
        content = self._message(told)
        if webhook := self._options.get("webhook_url"):
            return Request(webhook, orjson.dumps(content), headers)
        token = self._options["token"]
        headers["authorization"] = f"Bearer {_header_safe(token)}"
        body = orjson.dumps({"channel": self._options["channel"], **content})
        url = f"{self._options['api_url'].rstrip('/')}/chat.postMessage"
        return Request(url, body, headers, secrets=(token,))

    def judge(self, answer: Answer) -> Outcome:
        """What Slack's answer means."""
        judge = answers.of_webhook if self._options.get("webhook_url") else answers.of_api
        return judge(answer, self._tools.clock())

    def _message(self, told: Notification) -> Mapping[str, Any]:
        words = self._tools.templates.render(told)
        body = self._body(told)
        text = "" if told.alarm or body is not None else words.text
        return message(told, words.title, text, self._links(told), body)

    def _body(self, told: Notification) -> str | None:
        """People's own body; None where they have none, or it fails, which the log tells."""
        if not (template := self._options.get("message")):
            return None
        try:
            return self._tools.templates.expand(template, as_markup(told), {})
        except InvalidValue as error:
            self._tools.log.warning("slack.template_failed", kind=told.kind, error=str(error))
            return None

    def _links(self, told: Notification) -> Mapping[str, str]:
        """The links; without those for which the notification has not what they need."""
        links = {}
        for name, template in self._options["links"].items():
            with suppress(InvalidValue):
                links[name] = self._tools.templates.expand(template, told, {}, strict=True)
        return links


def _header_safe(token: str) -> str:
    """A token as it can stand in a header: Slack's can as they are."""
    return quote(token, safe="-_.~+/=:")
