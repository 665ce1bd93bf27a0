"""Keystone tokens, asked of a server that answers as the Identity API v3 is documented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.access import Caller, Role
from pipeline.api.identity.keystone import KeystoneIdentity
from pipeline.errors import Forbidden, IdentityUnavailable, Unauthenticated
from pipeline.targets.identity import Identity
from pipeline.targets.settings import DeliverySettings

from targets.keystone_server import KeystoneServer


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def keystone() -> Iterator[KeystoneServer]:
    server = KeystoneServer()
    yield server
    server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identity(keystone: KeystoneServer, clock: Clock) -> KeystoneIdentity:
    return KeystoneIdentity(Identity(DeliverySettings(**keystone.settings)), 60.0, clock)


def ask(identity: KeystoneIdentity, token: str) -> Caller:
    return identity({"x-auth-token": token})


@pytest.mark.parametrize(
    ("project", "roles", "caller"),
    [
        ("p-1", ("admin", "member"), Caller("anna", Role.ADMIN, "p-1")),
        (
            "p-1",
            ("Member",),
            Caller(*("anna", Role.ADMIN, "p-1"), projects=frozenset({"p-1"}), names=frozenset()),
        ),
        (
            "p-1",
            ("reader",),
            Caller(*("anna", Role.AUDIT, "p-1"), projects=frozenset({"p-1"}), names=frozenset()),
        ),
    ],
)
def test_roles_in_a_project_say_who_the_caller_is(
    keystone: KeystoneServer,
    identity: KeystoneIdentity,
    project: str | None,
    roles: tuple[str, ...],
    caller: Caller,
) -> None:
    keystone.admit("gAAAA-anna", "anna", project, *roles)
    assert ask(identity, "gAAAA-anna") == caller


def test_who_has_no_role_may_do_nothing(
    keystone: KeystoneServer, identity: KeystoneIdentity
) -> None:
    keystone.admit("gAAAA-anna", "anna", None)
    with pytest.raises(Forbidden, match="who has no role may do nothing here"):
        ask(identity, "gAAAA-anna")


def test_a_token_that_is_not_known_or_has_ended_is_refused(
    keystone: KeystoneServer, identity: KeystoneIdentity, clock: Clock
) -> None:
    keystone.admit("ended", "anna", "p-1", "admin", ends=clock.now)
    for token in ("ended", "unknown"):
        with pytest.raises(Unauthenticated, match="is not good, or not any more"):
            ask(identity, token)
    with pytest.raises(Unauthenticated, match="send X-Auth-Token"):
        identity({"authorization": "Bearer unknown"})
    assert keystone.validated == ["ended", "unknown"]


def test_a_good_token_is_asked_for_once_a_minute(
    keystone: KeystoneServer, identity: KeystoneIdentity, clock: Clock
) -> None:
    keystone.admit("good", "anna", "p-1", "admin")
    for _ in range(3):
        ask(identity, "good")
    assert keystone.validated == ["good"]
    keystone.revoke("good")
    clock.now += timedelta(seconds=59)
    assert ask(identity, "good").user_id == "anna"
    clock.now += timedelta(seconds=1)
    with pytest.raises(Unauthenticated):
        ask(identity, "good")
    assert keystone.validated == ["good", "good"]


def test_a_token_is_not_taken_beyond_its_end(
    keystone: KeystoneServer, identity: KeystoneIdentity, clock: Clock
) -> None:
    keystone.admit("short", "anna", "p-1", "admin", ends=clock.now + timedelta(seconds=5))
    ask(identity, "short")
    clock.now += timedelta(seconds=5)
    with pytest.raises(Unauthenticated):
        ask(identity, "short")


def test_our_own_token_that_was_revoked_is_had_anew(
    keystone: KeystoneServer, identity: KeystoneIdentity
) -> None:
    keystone.admit("one", "anna", "p-1", "admin")
    keystone.admit("two", "otto", "p-1", "admin")
    ask(identity, "one")
    keystone.asked.clear()  # it knows none of the tokens that it gave
    assert ask(identity, "two").user_id == "otto"


def test_a_keystone_that_is_ill_is_no_fault_of_the_token(
    keystone: KeystoneServer, identity: KeystoneIdentity
) -> None:
    keystone.admit("good", "anna", "p-1", "admin")
    keystone.is_ill = True
    with pytest.raises(IdentityUnavailable, match="Keystone cannot be asked whose it is"):
        ask(identity, "good")
    keystone.is_ill, keystone.password = False, "another"
    with pytest.raises(IdentityUnavailable) as unavailable:
        ask(identity, "good")
    assert keystone.settings["keystone_password"] not in str(unavailable.value)


def test_a_keystone_that_is_away_is_no_fault_of_the_token(clock: Clock) -> None:
    settings = DeliverySettings(keystone_url="http://127.0.0.1:9/v3", keystone_username="tocsin")
    identity = KeystoneIdentity(Identity(settings), 60.0, clock)
    with pytest.raises(IdentityUnavailable, match=r"127\.0\.0\.1:9"):
        ask(identity, "good")
