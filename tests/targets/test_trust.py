"""`trust+http(s)` and `zaqar`: tokens of a trust, kept, renewed, and never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Refused
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.targets import identity
from pipeline.targets.aodh import body

from builders import a_delivery
from targets.keystone_server import PASSWORD, KeystoneServer
from targets.making import made, options_of


@pytest.fixture
def keystone() -> Iterator[KeystoneServer]:
    server = KeystoneServer("trust-1", "trust-2")
    yield server
    server.close()


def trusting(receiver: Receiver, keystone: KeystoneServer, trust: str = "trust-1", **more: Any):  # type: ignore[no-untyped-def]
    url = f"{receiver.url}/hook"
    return made("trust", settings=keystone.settings, url=url, trust_id=trust, **more)


def test_the_receiver_gets_aodhs_callback_and_a_token_of_the_trust(
    keystone: KeystoneServer,
) -> None:
    delivery = a_delivery()
    with Receiver() as receiver, trusting(receiver, keystone) as target:
        assert isinstance(target.deliver(delivery), Delivered)
        (callback,) = receiver.callbacks

    assert callback.headers["x-auth-token"] == keystone.token()
    assert callback.body == body(delivery.notification)
    assert keystone.asked[0]["scope"] == {"OS-TRUST:trust": {"id": "trust-1"}}
    assert "authorization" not in callback.headers


def test_a_token_is_kept_for_its_trust(keystone: KeystoneServer) -> None:
    with Receiver() as receiver, trusting(receiver, keystone) as target:
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(target.deliver, [a_delivery() for _ in range(20)]))
        tokens = {callback.headers["x-auth-token"] for callback in receiver.callbacks}

    assert {type(outcome) for outcome in outcomes} == {Delivered}
    assert len(tokens) == len(keystone.asked) == 1


def test_a_token_that_is_about_to_expire_is_not_used(keystone: KeystoneServer) -> None:
    keystone.expires_in = timedelta(seconds=5)
    with Receiver() as receiver, trusting(receiver, keystone) as target:
        target.deliver(a_delivery())
        target.deliver(a_delivery())
        tokens = {callback.headers["x-auth-token"] for callback in receiver.callbacks}

    assert len(tokens) == 2


def test_a_receiver_that_wants_another_token_gets_a_new_one_once(
    keystone: KeystoneServer,
) -> None:
    def wants_second(callback: Callback) -> Reply:
        return Reply(200 if callback.headers["x-auth-token"] == keystone.token(2) else 401)

    with (
        Receiver(answer=wants_second) as receiver,
        trusting(receiver, keystone) as target,
    ):
        assert isinstance(target.deliver(a_delivery()), Delivered)
        assert len(receiver.callbacks) == 2
    with (
        Receiver(answer=lambda callback: Reply(401)) as receiver,
        trusting(receiver, keystone) as target,
    ):
        assert isinstance(target.deliver(a_delivery()), Refused)
        assert len(receiver.callbacks) == 2


def test_a_trust_that_is_gone_is_refused(keystone: KeystoneServer) -> None:
    with Receiver() as receiver, trusting(receiver, keystone, "no-trust") as target:
        outcome = target.deliver(a_delivery())

        assert receiver.callbacks == []
    assert isinstance(outcome, Refused)
    assert "the trust, which may be gone" in outcome.reason


def test_a_password_that_is_wrong_may_be_corrected(keystone: KeystoneServer) -> None:
    keystone.password = "another"
    with Receiver() as receiver, trusting(receiver, keystone) as target:
        outcome = target.deliver(a_delivery())

    assert isinstance(outcome, Failed)
    assert "401" in outcome.reason
    assert PASSWORD not in outcome.reason


def test_a_keystone_that_does_not_answer_has_failed(keystone: KeystoneServer) -> None:
    keystone.close()
    with Receiver() as receiver, trusting(receiver, keystone) as target:
        outcome = target.deliver(a_delivery())

    assert isinstance(outcome, Failed)


def test_proxies_of_the_environment_are_not_asked_for_a_token(
    keystone: KeystoneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with Receiver() as receiver, trusting(receiver, keystone) as target:
        assert isinstance(target.deliver(a_delivery()), Delivered)


def test_without_settings_for_keystone_the_reason_names_them() -> None:
    with made("trust", url="http://127.0.0.1:9/", trust_id="t") as target:
        outcome = target.deliver(a_delivery())

    assert isinstance(outcome, Failed)
    assert "delivery.keystone_url" in outcome.reason


def test_an_action_is_aodhs() -> None:
    action = "trust+https://trust-1:delete@receiver.example:8443/hook?x=1"

    assert options_of("trust", action) == {
        "url": "https://receiver.example:8443/hook?x=1",
        "trust_id": "trust-1",
    }


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("trust+http://receiver.example/", "trust_id: Mandatory"),
        ("trust+heat://trust-1:delete@", "unknown action"),
        ("zaqar://", "Name a queue"),
        ("zaqar://?queue_name=told", "signature: A queue needs"),
        ("zaqar://?queue_name=told&signature=s&paths=p&methods=m&project_id=p", "expires: Mand"),
    ],
)
def test_an_action_that_lacks_something_is_refused(action: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        targets.check_action(action)


@pytest.mark.parametrize("action", ["trust+http://t:delete@h/", "zaqar://?topic=told"])
def test_without_keystoneauth_an_action_is_refused_with_what_to_install(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "find_spec", lambda name: None)

    with pytest.raises(InvalidValue, match=r"pip install 'tocsin\[openstack\]'"):
        targets.check_action(action)


# --- zaqar ---------------------------------------------------------------------------------------


def _created(callback: Callback) -> Reply:
    return Reply(201, {}, b"{}")


def test_a_trust_lets_into_a_users_queue() -> None:
    delivery = a_delivery()
    with Receiver(answer=_created) as zaqar:
        keystone = KeystoneServer("trust-1", messaging=zaqar.url)
        options = options_of("zaqar", "trust+zaqar://trust-1:delete@?queue_name=my%20queue")
        with made("zaqar", settings=keystone.settings, **options) as target:
            outcome = target.deliver(a_delivery(**{**_of(delivery), "guarded": True}))
        (callback,) = zaqar.callbacks
        keystone.close()

    assert isinstance(outcome, Delivered)
    assert callback.path == "/v2/queues/my%20queue/messages"
    assert callback.headers["x-auth-token"].startswith("token-")
    assert callback.headers["client-id"]
    told = json.loads(callback.body)["messages"][0]["body"]
    assert told == json.loads(body(delivery.notification))


def test_a_topic_is_a_queue_of_the_alarm_with_subscribers() -> None:
    delivery = a_delivery()

    def answer(callback: Callback) -> Reply:
        return Reply(409 if "second" in callback.body.decode() else 201)

    with Receiver(answer=answer) as zaqar:
        keystone = KeystoneServer(messaging=f"{zaqar.url}/v2")
        action = "zaqar://?topic=told&subscriber=mailto%3Afirst%40x&subscriber=http%3A//second"
        options = options_of("zaqar", f"{action}&ttl=600")
        with made("zaqar", settings=keystone.settings, **options) as target:
            outcome = target.deliver(delivery)
        queue = f"/v2/queues/{delivery.notification.alarm_id}-told"
        paths = [callback.path for callback in zaqar.callbacks]
        first = json.loads(zaqar.callbacks[0].body)
        keystone.close()

    assert isinstance(outcome, Delivered)
    assert paths == [f"{queue}/subscriptions"] * 2 + [f"{queue}/messages"]
    assert first == {"subscriber": "mailto:first@x", "ttl": 600}


def test_a_signed_url_needs_no_token() -> None:
    signed = "project_id=p&paths=/v2/queues/told/messages&methods=POST&expires=2030&signature=abc"
    with Receiver(answer=_created) as zaqar:
        options = options_of("zaqar", f"zaqar://?queue_name=told&{signed}")
        with made("zaqar", settings={"zaqar_url": zaqar.url}, **options) as target:
            outcome = target.deliver(a_delivery())
        (callback,) = zaqar.callbacks

    assert isinstance(outcome, Delivered)
    assert {name: callback.headers[name] for name in ("url-signature", "x-project-id")} == {
        "url-signature": "abc",
        "x-project-id": "p",
    }
    assert "x-auth-token" not in callback.headers


def _of(delivery: Any) -> dict[str, Any]:
    return {"notification": delivery.notification, "delivery_id": delivery.delivery_id}
