"""API tokens as callers show them: found by id, compared by hash, ended in every process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from pipeline.access import Caller, Role
from pipeline.access.tokens import Token, granted, hashed, is_secret_of, parsed
from pipeline.api.identity import TokenIdentity
from pipeline.errors import Forbidden, IdentityUnavailable, StoreUnavailable, Unauthenticated
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import NOON, a_caller

SECOND = timedelta(seconds=1)


class Clock:
    now = NOON

    def __call__(self) -> Any:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identity(store: SqlStore, clock: Clock) -> TokenIdentity:
    return TokenIdentity(lambda: store, clock, CapturingLogger())


def a_token(api: Api, **wanted: Any) -> str:
    made = api.post("/v1/tokens", json={"name": "ops", "role": "admin", **wanted})
    assert made.status_code == 201, made.json
    token: str = made.json["token"]
    return token


def ask(identity: TokenIdentity, token: str) -> Caller:
    return identity({"authorization": f"Bearer {token}"})


def refused(identity: TokenIdentity, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        ask(identity, token)
    return str(error.value)


def test_a_token_is_of_its_caller(api: Api, identity: TokenIdentity) -> None:
    token = a_token(api, role="manage", projects=["p-1"], names=["mail"])
    caller = Caller(
        "token:ops",
        Role.MANAGE,
        "p-1",
        projects=frozenset({"p-1"}),
        names=frozenset({"mail"}),
        token_id=parsed(token).token_id,  # type: ignore[union-attr]
    )
    assert ask(identity, token) == caller
    assert identity({"authorization": f"bearer  {token} "}) == caller
    assert identity({"x-auth-token": token}) == caller


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "Basic dTpw"},
        {"x-auth-token": ""},
        {"authorization": "Basic dTpw", "x-auth-token": "TOKEN"},
        {"x-tocsin-token": "TOKEN"},
    ],
)
def test_whoever_shows_none_is_told_what_to_send(
    api: Api, identity: TokenIdentity, headers: dict[str, str]
) -> None:
    token = a_token(api)
    shown = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    with pytest.raises(Unauthenticated, match="send Authorization: Bearer TOKEN"):
        identity(shown)


def test_anything_but_the_whole_secret_is_refused(api: Api, identity: TokenIdentity) -> None:
    token = a_token(api)
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    for wrong in (other, token[:-1], token + "0", token.upper(), token.replace("_", "-"), "a b"):
        assert "there is no such token" in refused(identity, wrong)


def test_a_revoked_token_opens_nothing_in_any_process(
    api: Api, store: SqlStore, sqlite_url: str, clock: Clock
) -> None:
    token = a_token(api)
    with SqlStore.open(DatabaseSettings(url=sqlite_url)) as other:
        elsewhere = TokenIdentity(lambda: other, clock, CapturingLogger())
        assert ask(elsewhere, token).user_id == "token:ops"
        assert api.delete("/v1/tokens/ops").status_code == 200
        assert "the token ops was revoked" in refused(elsewhere, token)


def test_a_token_ends_when_its_time_is_over(
    api: Api, identity: TokenIdentity, clock: Clock
) -> None:
    token = a_token(api, expires_at="2026-01-02T12:01:00Z")
    clock.now = NOON + 59 * SECOND
    ask(identity, token)
    clock.now += SECOND
    assert "the token ops has expired" in refused(identity, token)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00%2B12:00"])
def test_times_that_the_calendar_does_not_reach_are_refused(api: Api, moment: str) -> None:
    sent = {"name": "ops", "role": "audit", "expires_at": moment.replace("%2B", "+")}
    for answer in (api.post("/v1/tokens", json=sent), api.get(f"/v1/history?since={moment}")):
        assert answer.status_code == 400
        assert "is beyond the calendar" in answer.json["detail"]


def test_when_it_was_used_is_written_once_a_minute(
    api: Api, store: SqlStore, identity: TokenIdentity, clock: Clock
) -> None:
    token = a_token(api)

    def used_after(seconds: int) -> Any:
        clock.now = NOON + seconds * SECOND
        ask(identity, token)
        return store.token("ops").last_used_at

    assert [used_after(seconds) for seconds in (0, 59, 60, 119, 121)] == [
        *(NOON, NOON, NOON + 60 * SECOND, NOON + 60 * SECOND, NOON + 121 * SECOND)
    ]


def test_a_database_that_is_away_says_so_and_not_where_it_is(
    api: Api, store: SqlStore, identity: TokenIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = a_token(api)

    def away(*_: object) -> None:
        raise StoreUnavailable("postgresql://db.internal does not answer")

    monkeypatch.setattr(store, "token_used", away)
    assert ask(identity, token).user_id == "token:ops"
    monkeypatch.setattr(store, "token_of_id", away)
    with pytest.raises(IdentityUnavailable) as error:
        ask(identity, token)
    assert "internal" not in str(error.value)


@given(st.text())
def test_no_text_is_taken_for_a_token(text: str) -> None:
    found = parsed(text)
    assert found is None or str(found) == text


def test_a_secret_is_compared_with_its_hash() -> None:
    assert is_secret_of("a", hashed("a"))
    assert not is_secret_of("b", hashed("a"))
    assert not is_secret_of("a", "")


def _but_role(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if name != "role"}


class TestGranted:
    """notifications 14: a token never gets more than its maker has."""

    @pytest.mark.parametrize(
        ("maker", "wanted"),
        [
            ({"projects": frozenset({"p-1"})}, {"projects": frozenset({"p-1", "p-2"})}),
            ({"names": frozenset({"mail"})}, {"names": frozenset({"hook"})}),
            ({"names": frozenset()}, {"names": frozenset({"hook"})}),
            ({"role": Role.MANAGE}, {"role": Role.AUDIT}),
        ],
    )
    def test_more_than_the_maker_has_is_refused(
        self, maker: dict[str, Any], wanted: dict[str, Any]
    ) -> None:
        token = Token("aa", "ops", wanted.get("role", Role.ADMIN), NOON, **_but_role(wanted))
        with pytest.raises(Forbidden):
            granted(token, a_caller(**maker), None)

    def test_what_is_not_said_is_as_the_maker_has_it(self) -> None:
        maker = a_caller(projects=frozenset({"p-1"}), names=frozenset({"mail"}))
        made = granted(Token("aa", "ops", Role.ADMIN, NOON), maker, None)
        assert (made.projects, made.names) == (maker.projects, maker.names)

    def test_a_token_ends_with_the_one_that_it_was_made_with(self) -> None:
        with_ = Token("aa", "ops", Role.ADMIN, NOON, expires_at=NOON + SECOND)
        for wanted, ends in ((None, 1), (NOON + 2 * SECOND, 1), (NOON, 0)):
            token = Token("bb", "ci", Role.ADMIN, NOON, expires_at=wanted)
            assert granted(token, a_caller(), with_).expires_at == NOON + ends * SECOND

    @given(
        projects=st.none() | st.frozensets(st.sampled_from("abc")),
        names=st.none() | st.frozensets(st.sampled_from("abc")),
        own_projects=st.none() | st.frozensets(st.sampled_from("abc")),
        own_names=st.none() | st.frozensets(st.sampled_from("abc")),
    )
    def test_what_is_granted_reaches_no_further_than_the_maker(
        self,
        projects: frozenset[str] | None,
        names: frozenset[str] | None,
        own_projects: frozenset[str] | None,
        own_names: frozenset[str] | None,
    ) -> None:
        maker = a_caller(projects=own_projects, names=own_names)
        token = Token("aa", "ops", Role.ADMIN, NOON, projects=projects, names=names)
        try:
            caller = granted(token, maker, None).caller()
        except Forbidden:
            return
        for each in "abc":
            assert maker.sees_project(each) or not caller.sees_project(each)
            assert maker.reaches(each) or not caller.reaches(each)


class TestWhoseTokens:
    """Tokens belong to no project."""

    def test_whoever_is_held_to_projects_deals_with_none(self, api: Api) -> None:
        a_token(api)
        caller = a_caller(projects=frozenset({"p-1"}), names=frozenset())
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/ops"), ("DELETE", "/ops")):
            sent = {"name": "x1", "role": "audit", "projects": ["p-1"]}
            answer = api.ask(method, f"/v1/tokens{path}", by=caller, json=sent)
            assert answer.status_code == 403, (method, path)
        assert api.get("/v1/tokens/ops").json["state"] == "active"

    def test_whoever_is_held_to_names_deals_with_those_that_reach_no_further(
        self, api: Api
    ) -> None:
        a_token(api)
        a_token(api, name="mailer", names=["mail"])
        caller = a_caller(names=frozenset({"mail", "hook"}))
        listed = api.get("/v1/tokens", by=caller).json["items"]
        assert [token["name"] for token in listed] == ["mailer"]
        assert api.delete("/v1/tokens/ops", by=caller).status_code == 404
        wanted = {"name": "x1", "role": "audit"}
        made = api.post("/v1/tokens", by=caller, json=wanted)
        assert made.json["names"] == ["hook", "mail"]

    def test_tokens_made_with_a_token_end_with_it(self, api: Api, identity: TokenIdentity) -> None:
        first = a_token(api)
        made = api.post(
            "/v1/tokens", by=ask(identity, first), json={"name": "second", "role": "audit"}
        )
        assert made.json["made_by"] == "token:ops"
        ended = api.delete("/v1/tokens/ops").json["items"]
        assert {(token["name"], token["state"]) for token in ended} == {
            ("ops", "revoked"),
            ("second", "revoked"),
        }
        assert "was revoked" in refused(identity, made.json["token"])
