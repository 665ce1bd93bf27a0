"""Zaqar: messages in a queue of OpenStack's messaging service, with Aodh's body.

As in Aodh an action is one of

    trust+zaqar://TRUST-ID:delete@?queue_name=NAME            to a user's queue, by a trust
    zaqar://?queue_name=NAME&project_id=&paths=&methods=&expires=&signature=    by a signed URL
    zaqar://?topic=NAME&subscriber=mailto%3Aa%40b&ttl=3600    to the service's `ALARM-ID-NAME`

the last of which also has Zaqar tell the subscribers. Where Zaqar is says the catalogue, or
`delivery.zaqar_url`: an admin, so that the outbound guard has no say in it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Range

from pipeline.notification import Delivered, Delivery, Outcome
from pipeline.targets import options
from pipeline.targets.answer import Answer
from pipeline.targets.aodh import body, headers
from pipeline.targets.base import HttpTarget, Tools
from pipeline.targets.http import Request
from pipeline.targets.identity import NoToken, check_installed
from pipeline.targets.options import HttpSchema
from pipeline.targets.trust import without_trust

_UNAUTHORIZED: Final = 401
_CONFLICT: Final = 409
_SERVICE: Final = "messaging"
_SIGNED: Final = {"signature", "expires", "methods", "paths", "project_id"}


class ZaqarSchema(HttpSchema):
    """The options of a queue."""

    url = options.url()
    queue_name = options.text(load_default="")
    topic = options.text(load_default="")
    subscriber = fields.List(fields.String(), load_default=list)
    ttl = fields.Integer(load_default=3_600, validate=Range(min=60))
    trust_id = options.text(load_default="")
    project_id = options.text(load_default="")
    paths = options.text(load_default="")
    methods = options.text(load_default="")
    expires = options.text(load_default="")
    signature = options.secret(load_default="")

    @validates_schema
    def _check(self, data: Mapping[str, Any], **_: Any) -> None:
        if bool(data["queue_name"]) == bool(data["topic"]):
            raise ValidationError("Name a queue, or a topic in its place.", "queue_name")
        if data["queue_name"] and not (data["trust_id"] or data["signature"]):
            raise ValidationError("A queue needs a trust, or a signed URL's parts.", "signature")
        missing = sorted(name for name in _SIGNED if not data[name])
        if data["signature"] and missing:
            raise ValidationError("Mandatory beside a signature.", missing[0])


class ZaqarTarget(HttpTarget):
    """Posts notifications to a queue of Zaqar, with Aodh's body."""

    schema = ZaqarSchema

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        self._client_id = str(uuid.uuid4())

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The URL's query, and the trust of a `trust+zaqar` one. Raises `InvalidValue` where
        `tocsin[openstack]` is not installed."""
        check_installed()
        plain, trust_id = without_trust(action)
        query = parse_qs(urlsplit(plain).query)
        found: dict[str, Any] = {name: values[-1] for name, values in query.items()}
        if "subscriber" in query:
            found["subscriber"] = query["subscriber"]
        return {**found, **({"trust_id": trust_id} if trust_id else {})}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Post it, once more with a new token if the one that was kept is not good any more."""
        if not self._options.get("url"):
            delivery = replace(delivery, guarded=False)  # an admin said where it goes
        by = monotonic() + self._tools.settings.longest_attempt_seconds
        outcome = self._post(delivery, by)
        if outcome.status == _UNAUTHORIZED and not self._options["signature"]:
            self._tools.identity.forget(self._options["trust_id"])
            outcome = self._post(delivery, by)
        return outcome

    def request(self, delivery: Delivery) -> Request:
        """The message. Raises `InvalidValue` where the options do not allow for this one, and
        `NoToken`."""
        written = json.dumps({"messages": [{"body": json.loads(body(delivery.notification))}]})
        return self._request(delivery, "messages", written)

    def _post(self, delivery: Delivery, by: float) -> Outcome:
        try:
            for subscriber in self._options["subscriber"]:
                outcome = self._subscribed(delivery, subscriber, by)
                if not isinstance(outcome, Delivered):
                    return outcome
            return self.send(self.request(delivery), self.judge, delivery, by)
        except NoToken as error:
            return error.outcome

    def _subscribed(self, delivery: Delivery, subscriber: str, by: float) -> Outcome:
        written = json.dumps({"subscriber": subscriber, "ttl": self._options["ttl"]})
        request = self._request(delivery, "subscriptions", written)
        return self.send(request, self._judge_subscription, delivery, by)

    def _judge_subscription(self, answer: Answer) -> Outcome:
        """One that is there already is as good as a new one."""
        if answer.status == _CONFLICT:
            return Delivered(answer.status, answer.head)
        return self.judge(answer)

    def _request(self, delivery: Delivery, what: str, written: str) -> Request:
        access, secrets = self._access()
        where = f"{self._where()}/v2/queues/{quote(self._queue(delivery), safe='')}/{what}"
        sent = {**headers(delivery), "Client-ID": self._client_id, **access}
        return Request(where, written.encode("ascii"), sent, secrets=secrets)

    def _queue(self, delivery: Delivery) -> str:
        given = self._options
        if given["queue_name"]:
            return str(given["queue_name"])
        told = delivery.notification
        return f"{told.alarm_id or told.kind}-{given['topic']}"

    def _where(self) -> str:
        given, settings = self._options.get("url"), self._tools.settings
        found = given or settings.zaqar_url or self._tools.identity.endpoint(_SERVICE)
        return found.rstrip("/").removesuffix("/v2")

    def _access(self) -> tuple[Mapping[str, str], tuple[str, ...]]:
        """The headers that let us in, and which of their values are secrets."""
        given = self._options
        if given["signature"]:
            signed = {
                "URL-Signature": given["signature"],
                "URL-Expires": given["expires"],
                "URL-Methods": given["methods"],
                "URL-Paths": given["paths"],
                "X-Project-Id": given["project_id"],
            }
            return signed, ()
        token = self._tools.identity.token(given["trust_id"])
        return {"X-Auth-Token": token}, (token,)
