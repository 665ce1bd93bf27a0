"""OIDC tokens, really signed, of a provider that really serves its metadata and keys."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from pipeline.access import Caller, Role
from pipeline.access.settings import OidcSettings
from pipeline.api.identity.oidc import OidcIdentity, caller_of_claims
from pipeline.api.identity.oidc_keys import ProviderKeys
from pipeline.errors import Forbidden, IdentityUnavailable, InvalidValue, Unauthenticated

from api.identity_provider import SOON, Provider, a_key, an_ec_key
from builders import NOON

HS256 = b'{"alg":"HS256","kid":"one"}'


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Time:
    """A monotonic clock that stands still until it is moved."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.keys = running.keys[:1]
    running.is_down, running.said_issuer, running.jwks_uri = False, None, None
    return running


class Asked:
    """The identity as tests ask it."""

    def __init__(
        self, provider: Provider, now: datetime = NOON, time: Time | None = None, **changes: Any
    ) -> None:
        settings, self.log = provider.settings(**changes), CapturingLogger()
        keys = ProviderKeys(settings, self.log, time or Time())
        self._identity = OidcIdentity(settings, lambda: now, self.log, keys)

    def __call__(self, token: str) -> Caller:
        return self._identity({"authorization": f"Bearer {token}"})

    def refuses(self, token: str) -> str:
        with pytest.raises(Unauthenticated) as refused:
            self(token)
        return str(refused.value)


def test_a_good_token_is_of_its_caller(provider: Provider) -> None:
    assert Asked(provider)(provider.token()) == Caller("anna", Role.ADMIN)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": int(NOON.timestamp()) - 31}, "it has expired"),
        ({"exp": None}, "exp"),
        ({"nbf": int(NOON.timestamp()) + 31}, "valid"),
        ({"aud": "others"}, "aud"),
        ({"aud": None}, "aud"),
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"sub": None}, "no claim sub"),
        ({"exp": "soon"}, "exp"),
    ],
)
def test_a_token_that_is_not_for_here_and_now_is_refused(
    provider: Provider, claims: dict[str, Any], said: str
) -> None:
    assert said in Asked(provider).refuses(provider.token(**claims))


def test_clocks_may_differ_a_little(provider: Provider) -> None:
    late = provider.token(exp=int(NOON.timestamp()) - 29, nbf=int(NOON.timestamp()) + 29)
    assert Asked(provider)(late).user_id == "anna"
    assert "expired" in Asked(provider, leeway_seconds=0.0).refuses(late)


def test_a_token_without_a_signature_is_refused(provider: Provider) -> None:
    header, payload, _ = provider.token().split(".")
    unsigned = encoded(b'{"alg":"none"}')
    assert "'none', which is not taken" in Asked(provider).refuses(f"{unsigned}.{payload}.")
    assert "bad_signature" in Asked(provider).refuses(f"{header}.{payload}.")


def test_the_public_key_is_no_password_to_sign_with(provider: Provider) -> None:
    """RFC 8725, 2.1: HS256 with the public key as its secret."""
    public = provider.keys[0].as_pem(private=False)  # type: ignore[attr-defined]
    _, payload, _ = provider.token().split(".")
    signed = f"{encoded(HS256)}.{payload}"
    forged = encoded(hmac.digest(public, signed.encode(), "sha256"))
    assert "'HS256', which is not taken" in Asked(provider).refuses(f"{signed}.{forged}")


def test_a_token_of_another_key_with_a_known_name_is_refused(provider: Provider) -> None:
    assert "bad_signature" in Asked(provider).refuses(provider.token(a_key("one")))


def test_a_claim_that_was_changed_is_refused(provider: Provider) -> None:
    header, _, signature = provider.token(roles=["tocsin-audit"]).split(".")
    _, payload, _ = provider.token(a_key("one")).split(".")
    assert "bad_signature" in Asked(provider).refuses(f"{header}.{payload}.{signature}")


@pytest.mark.parametrize("key", [{"use": "enc"}, {"alg": "RS512"}])
def test_a_key_signs_only_what_it_is_for(provider: Provider, key: dict[str, str]) -> None:
    provider.keys = [*provider.keys, a_key("odd", **key)]
    signing = a_key("odd")
    assert "none of the provider's" in Asked(provider).refuses(provider.token(signing))


def test_elliptic_curves_are_taken_and_keys_do_not_cross(provider: Provider) -> None:
    curve = an_ec_key("curve")
    provider.keys = [*provider.keys, curve]
    asked = Asked(provider)
    assert asked(provider.token(curve, alg="ES256")).user_id == "anna"
    assert "PS256" in asked.refuses(provider.token(alg="PS256"))
    assert Asked(provider, algorithms=("PS256",))(provider.token(alg="PS256")).user_id == "anna"


def test_a_token_that_names_no_key_is_of_the_only_one(provider: Provider) -> None:
    only = a_key(None)
    kept, provider.keys = provider.keys, [only]
    try:
        assert Asked(provider)(provider.token()).user_id == "anna"
        provider.keys = [only, a_key(None)]
        assert "its key None" in Asked(provider).refuses(provider.token(only))
    finally:
        provider.keys = kept


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
def test_whatever_is_sent_is_refused_and_breaks_nothing(running: Provider, text: str) -> None:
    asked = Asked(running)
    with pytest.raises(Unauthenticated):
        asked(text)
    head = encoded(json.dumps({"alg": text, "kid": text}).encode())
    with pytest.raises(Unauthenticated):
        asked(f"{head}.e30.AA")


@pytest.mark.parametrize("header", ["[]", '{"alg":["RS256"]}', '{"alg":"RS256","kid":1}', "1"])
def test_odd_headers_are_refused(provider: Provider, header: str) -> None:
    head = encoded(header.encode())
    assert "the token is not taken" in Asked(provider).refuses(f"{head}.e30.AA")


# --- keys ------------------------------------------------------------------------------------


def test_keys_are_had_once_and_anew_for_one_that_is_not_known(provider: Provider) -> None:
    time, before = Time(), len(provider.asked)
    asked = Asked(provider, time=time)
    for _ in range(3):
        asked(provider.token())
    assert len(provider.asked) - before == 2
    new = a_key("two")
    provider.keys = [*provider.keys, new]
    time.now += 31
    assert asked(provider.token(new)).user_id == "anna"
    assert len(provider.asked) - before == 4


def test_names_of_keys_that_do_not_exist_make_nobody_ask_again_and_again(
    provider: Provider,
) -> None:
    time, before = Time(), len(provider.asked)
    asked = Asked(provider, time=time)
    for number in range(5):
        assert "none of the provider's" in asked.refuses(provider.token(a_key(f"no-{number}")))
    time.now += 31
    asked.refuses(provider.token(a_key("no")))
    assert len(provider.asked) - before == 4


def test_keys_that_the_provider_took_back_are_forgotten(provider: Provider) -> None:
    time, gone = Time(), a_key("gone")
    provider.keys = [*provider.keys, gone]
    asked = Asked(provider, time=time)
    asked(provider.token(gone))
    provider.keys = provider.keys[:1]
    time.now += 3_601
    assert "none of the provider's" in asked.refuses(provider.token(gone))


def test_while_the_provider_is_away_known_keys_hold_for_a_day(provider: Provider) -> None:
    time = Time()
    asked = Asked(provider, time=time)
    asked(provider.token())
    provider.is_down = True
    time.now += 86_000
    assert asked(provider.token()).user_id == "anna"
    assert asked.log.calls[0].kwargs["reason"].endswith("answered 500")
    time.now += 500
    with pytest.raises(IdentityUnavailable, match=r"answered 500\. Try again"):
        asked(provider.token())


def test_a_provider_that_cannot_be_asked_is_no_fault_of_the_token(provider: Provider) -> None:
    provider.is_down = True
    time = Time()
    asked = Asked(provider, time=time)
    for _ in range(2):
        with pytest.raises(IdentityUnavailable, match="answered 500"):
            asked(provider.token())
    provider.is_down = False
    time.now += 31
    assert asked(provider.token()).user_id == "anna"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"said_issuer": "https://elsewhere.example"}, "is of the issuer 'https://elsewhere"),
        ({"jwks_uri": "http://127.0.0.1:9/keys"}, "cannot be asked: ConnectionError"),
        ({"jwks_uri": "nowhere"}, "cannot be asked: MissingSchema"),
    ],
)
def test_metadata_that_lead_nowhere_are_told_of(
    provider: Provider, changes: dict[str, str], said: str
) -> None:
    for name, value in changes.items():
        setattr(provider, name, value)
    with pytest.raises(IdentityUnavailable, match=said):
        Asked(provider)(provider.token())


def test_keys_may_come_from_a_file(provider: Provider, tmp_path: Path) -> None:
    file, before = tmp_path / "keys.json", len(provider.asked)
    file.write_bytes(provider.jwks())
    assert Asked(provider, jwks_file=str(file))(provider.token()).user_id == "anna"
    assert len(provider.asked) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": ""}, "set oidc.issuer"),
        ({"audience": ""}, "set oidc.audience"),
        ({"jwks_file": "/no/such"}, "/no/such cannot be read: No such file"),
    ],
)
def test_settings_that_leave_it_open_are_refused(
    provider: Provider, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidValue, match=said):
        Asked(provider, **changes)


# --- claims ----------------------------------------------------------------------------------

OF_PROJECT = OidcSettings(project_claim="projects")


@pytest.mark.parametrize(
    ("claims", "settings", "caller"),
    [
        ({"roles": ["x", "tocsin-audit", "tocsin-manage"]}, OidcSettings(), {"role": Role.MANAGE}),
        ({"roles": "openid tocsin-audit"}, OidcSettings(), {"role": Role.AUDIT}),
        (
            {"realm": {"roles": ["ops"]}},
            OidcSettings(roles_claim="realm.roles", roles={"ops": "admin"}),
            {"role": Role.ADMIN},
        ),
        (
            {"https://a.example/roles": ["tocsin-audit"]},
            OidcSettings(roles_claim="https://a.example/roles"),
            {"role": Role.AUDIT},
        ),
        (
            {"roles": ["tocsin-admin"], "projects": ["p-1"]},
            OF_PROJECT,
            {
                "role": Role.ADMIN,
                "project_id": "p-1",
                "projects": frozenset({"p-1"}),
                "names": frozenset(),
            },
        ),
        (
            {"roles": ["tocsin-admin"]},
            OF_PROJECT,
            {"role": Role.ADMIN, "projects": frozenset(), "names": frozenset()},
        ),
        ({"roles": ["tocsin-admin"], "projects": "*"}, OF_PROJECT, {"role": Role.ADMIN}),
        (
            {"roles": ["tocsin-admin"], "targets": ["mail"]},
            OidcSettings(names_claim="targets"),
            {"role": Role.ADMIN, "names": frozenset({"mail"})},
        ),
    ],
)
def test_claims_say_who_the_caller_is(
    claims: dict[str, Any], settings: OidcSettings, caller: dict[str, Any]
) -> None:
    assert caller_of_claims({"sub": "anna", **claims}, settings) == Caller("anna", **caller)


@pytest.mark.parametrize(
    "roles", [None, [], ["admin"], 7, [["tocsin-admin"]], {"tocsin-admin": 1}]
)
def test_whoever_has_none_of_the_roles_may_nothing(roles: Any) -> None:
    with pytest.raises(Forbidden, match="has none of tocsin-audit, tocsin-manage, tocsin-admin"):
        caller_of_claims({"sub": "anna", "exp": SOON, "roles": roles}, OidcSettings())
