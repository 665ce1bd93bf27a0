"""Publishes as Keystone does: pycadf events through the real oslo.messaging Notifier."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import oslo_messaging
from oslo_config import cfg
from pycadf import cadftaxonomy, eventfactory
from pycadf import host as cadf_host
from pycadf import reason as cadf_reason
from pycadf import resource as cadf_resource


def oslo_url(amqp_url: str) -> str:
    """The AMQP URL as oslo.messaging spells it: `rabbit://user:password@host:port/vhost`."""
    parts = urlsplit(amqp_url)
    vhost = parts.path.removeprefix("/").replace("%2F", "/")
    return f"rabbit://{parts.netloc}/{vhost}"


class Keystone:
    """One publisher on one exchange and topic. `close` when done."""

    def __init__(
        self,
        amqp_url: str,
        exchange: str,
        topic: str,
        driver: str = "messagingv2",
        **rabbit_options: Any,
    ) -> None:
        conf = cfg.ConfigOpts()
        oslo_messaging.set_transport_defaults(exchange)
        self._transport = oslo_messaging.get_notification_transport(conf, url=oslo_url(amqp_url))
        for name, value in rabbit_options.items():
            conf.set_override(name, value, group="oslo_messaging_rabbit")
        self._notifier = oslo_messaging.Notifier(
            self._transport, publisher_id="identity.keystone-1", driver=driver, topics=[topic]
        )

    def user_deleted(
        self, user_id: str, project_id: str = "p-1", outcome: str = "success"
    ) -> dict[str, Any]:
        """Publish `identity.user.deleted` in Keystone's CADF format; returns the payload."""
        payload = cadf_payload("deleted.user", user_id, project_id, outcome)
        self.publish("identity.user.deleted", payload)
        return payload

    def publish(self, event_type: str, payload: Any, priority: str = "info") -> None:
        getattr(self._notifier, priority)({}, event_type, payload)

    def close(self) -> None:
        self._transport.cleanup()


def cadf_payload(action: str, resource: str, project_id: str, outcome: str) -> dict[str, Any]:
    """The CADF payload of one Keystone event, made by pycadf."""
    initiator = cadf_resource.Resource(
        id=uuid.uuid4().hex,
        typeURI=cadftaxonomy.ACCOUNT_USER,
        host=cadf_host.Host(address="192.0.2.7", agent="openstacksdk"),
    )
    # Keystone's own resource class adds these two to pycadf's.
    initiator.project_id, initiator.user_id = project_id, uuid.uuid4().hex
    event = eventfactory.EventFactory().new_event(
        eventType="activity",
        outcome=outcome,
        action=action,
        initiator=initiator,
        target=cadf_resource.Resource(id=resource, typeURI="data/security/account/user"),
        observer=cadf_resource.Resource(id=uuid.uuid4().hex, typeURI="service/security"),
        reason=cadf_reason.Reason(reasonType="HTTP", reasonCode="204"),
    )
    return {**event.as_dict(), "resource_info": resource}
