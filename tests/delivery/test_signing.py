"""What is signed is taken by the library that Standard Webhooks gives receivers (delivery 7)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Delivery
from pipeline.receiver import Callback, Receiver
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.signing import keys_of, signature_headers

from builders import a_delivery
from delivery.receivers import PATIENCE


def _a_secret(first: int, length: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(first, first + length))).decode()


OLD, NEW, OTHER = _a_secret(1, 32), _a_secret(2, 24), _a_secret(3, 64)


class Tooled:
    """Tools whose clock can be set."""

    def __init__(self, **settings: Any) -> None:
        self.now = datetime.now(UTC)
        chosen = DeliverySettings(**{**PATIENCE, **settings})
        self.tools = Tools.by(chosen, lambda: self.now, CapturingLogger())

    def deliver(self, type: str, delivery: Delivery | None = None, **options: Any) -> None:
        target = targets.from_options(type, options, self.tools)
        assert target.deliver(delivery or a_delivery("target:it")) == Delivered(200)


@pytest.fixture
def tooled() -> Iterator[Tooled]:
    tooled = Tooled()
    yield tooled
    tooled.tools.http.close()


def _verified(secret: str, callback: Callback) -> Any:
    return Webhook(secret).verify(callback.body, dict(callback.headers))


@pytest.mark.parametrize("type", ["aodh", "webhook"])
@pytest.mark.parametrize(
    "secrets", [OLD, f"{OLD} {NEW}", f"{NEW}\n{OLD}"], ids=["one", "two", "lines"]
)
def test_a_signature_proves_who_sent_it(
    tooled: Tooled, receiver: Receiver, type: str, secrets: str
) -> None:
    body = {"body": '{"ünï": "✓"}'} if type == "webhook" else {}
    tooled.deliver(type, url=receiver.url, signing_secret=secrets, **body)

    (callback,) = receiver.callbacks
    for secret in secrets.split():
        assert _verified(secret, callback) == json.loads(callback.body)
    with pytest.raises(WebhookVerificationError):
        _verified(OTHER, callback)


def test_another_body_id_or_time_is_not_what_was_signed(
    tooled: Tooled, receiver: Receiver
) -> None:
    tooled.deliver("aodh", url=receiver.url, signing_secret=OLD)

    (callback,) = receiver.callbacks
    later = str(int(callback.headers["webhook-timestamp"]) + 1)
    for body, headers in (
        (callback.body + b" ", {}),
        (callback.body, {"webhook-id": "another"}),
        (callback.body, {"webhook-timestamp": later}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(body, {**callback.headers, **headers})


def test_every_attempt_has_the_same_id_and_a_time_of_its_own(
    tooled: Tooled, receiver: Receiver
) -> None:
    """delivery 3; what was recorded long ago is not taken by the library."""
    delivery = a_delivery("target:it")
    for _ in range(2):
        tooled.deliver("aodh", delivery, url=receiver.url, signing_secret=OLD)
        tooled.now -= timedelta(hours=1)

    first, second = receiver.callbacks
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery.delivery_id
    assert _verified(OLD, first)
    with pytest.raises(WebhookVerificationError, match="too old"):
        _verified(OLD, second)


@pytest.mark.parametrize(("own", "by"), [({}, NEW), ({"signing_secret": OLD}, OLD)])
def test_plain_actions_are_signed_by_the_settings_secrets(
    receiver: Receiver, own: Mapping[str, str], by: str
) -> None:
    tooled = Tooled(signing_secrets=(NEW,))
    tooled.deliver("aodh", url=receiver.url, **own)

    (callback,) = receiver.callbacks
    assert _verified(by, callback)
    with pytest.raises(WebhookVerificationError):
        _verified(OLD if by == NEW else NEW, callback)


def test_without_a_secret_nothing_is_signed(tooled: Tooled, receiver: Receiver) -> None:
    tooled.deliver("aodh", url=receiver.url)

    (callback,) = receiver.callbacks
    assert not {"webhook-signature", "webhook-timestamp"} & callback.headers.keys()


@given(body=st.binary(max_size=500), key=st.binary(min_size=24, max_size=64), id=st.uuids())
def test_any_body_is_signed_as_the_library_signs_it(body: bytes, key: bytes, id: Any) -> None:
    at = datetime(2026, 1, 2, 12, 0, 0, 999_999, tzinfo=UTC)
    text = body.decode("utf-8", "replace")
    secret = "whsec_" + base64.b64encode(key).decode()

    headers = signature_headers(keys_of([secret]), str(id), at, text.encode())

    assert headers["webhook-signature"] == Webhook(secret).sign(str(id), at, text)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        " \n",
        "s3cr3t",
        "whsec_",
        "whsec_s3cr3t",
        "whsec_" + base64.b64encode(b"short").decode(),
    ],
)
def test_what_is_no_signing_secret_is_refused_without_showing_it(secret: str) -> None:
    """An empty one too: nothing that was to be signed goes out unsigned."""
    with pytest.raises(InvalidValue, match="openssl rand -base64 32") as refusal:
        keys_of([secret])
    assert "s3cr3t" not in str(refusal.value)


def test_more_than_two_secrets_are_refused() -> None:
    with pytest.raises(InvalidValue, match="More than two"):
        keys_of([OLD, f"{NEW} {OTHER}"])


def test_a_secret_of_the_settings_that_is_none_is_said_at_the_start() -> None:
    with pytest.raises(InvalidValue, match=r"delivery\.signing_secrets: A signing secret is"):
        Tooled(signing_secrets=("nonsense",))
