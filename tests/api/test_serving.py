"""How the API is served as it is set: in this process, and as `tocsin api` beside others."""

from __future__ import annotations

import json
import signal
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from structlog.testing import CapturingLogger

from pipeline.access.settings import ApiSettings, OidcSettings
from pipeline.errors import InvalidValue
from pipeline.serving import api_server
from pipeline.settings import Settings
from pipeline.store.sql import SqlStore
from pipeline.targets.settings import DeliverySettings

from api.identity_provider import Provider
from cli.application import TestApplication
from processes import TocsinProcess, tocsin
from targets.keystone_server import KeystoneServer
from waiting import eventually


def made(store: SqlStore, settings: Settings | None = None, **api: Any) -> CapturingLogger:
    """What is said when an API is made that is set so."""
    log = CapturingLogger()
    settings = replace(settings or Settings(), api=ApiSettings(port=0, **api))
    api_server(TestApplication(store), settings, log).stop()
    return log


def events(log: CapturingLogger) -> list[str]:
    return [call.args[0] for call in log.calls]


class TestWhatIsSaid:
    def test_on_an_empty_database_how_to_begin(self, store: SqlStore) -> None:
        (call,) = made(store).calls
        assert call.args == ("api.no_token",)
        assert "tocsin token create NAME --role admin" in call.kwargs["mend"]

    def test_nothing_once_there_is_a_token(self, store: SqlStore) -> None:
        TestApplication(store).desk.tokens.create({"name": "ops", "role": "admin"})
        assert events(made(store)) == []

    def test_that_tokens_go_in_clear(self, store: SqlStore, tmp_path: Path) -> None:
        TestApplication(store).desk.tokens.create({"name": "ops", "role": "admin"})
        assert events(made(store, host="0.0.0.0")) == ["api.no_tls"]
        pem = tmp_path / "cert.pem"
        trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
        assert events(made(store, host="0.0.0.0", certificate=str(pem))) == []

    def test_that_anybody_is_admin(self, store: SqlStore) -> None:
        assert events(made(store, auth="noauth", host="::1")) == ["api.noauth"]
        forced = made(store, auth="noauth", host="0.0.0.0", noauth_anywhere=True)
        assert events(forced) == ["api.noauth"]


@pytest.mark.parametrize(
    ("settings", "api", "said"),
    [
        ({}, {"auth": "noauth", "host": "0.0.0.0"}, "api.noauth_anywhere to true"),
        ({}, {"auth": "noauth", "host": "db.example"}, "is for more than this machine"),
        ({}, {"auth": "oidc"}, "set oidc.issuer"),
        ({"oidc": OidcSettings(issuer="https://a.example")}, {"auth": "oidc"}, "oidc.audience"),
        ({}, {"auth": "keystone"}, "set delivery.keystone_url"),
        (
            {"delivery": DeliverySettings(keystone_url="https://k.example/v3")},
            {"auth": "keystone"},
            "delivery.keystone_username",
        ),
        ({}, {"key": "key.pem"}, "api.key goes with a certificate"),
        ({}, {"client_ca": "ca.pem"}, "api.client_ca goes with a certificate"),
    ],
)
def test_what_cannot_be_served_is_refused(
    store: SqlStore, settings: dict[str, Any], api: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidValue, match=said):
        made(store, replace(Settings(), **settings), **api)


# --- processes -------------------------------------------------------------------------------


class Serving:
    """`tocsin api` on a database of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.environment = {
            "TOCSIN_DATABASE_URL": f"sqlite:///{folder}/tocsin.sqlite",
            "TOCSIN_LOG_FORMAT": "json",
            "TOCSIN_METRICS_ENABLED": "false",
            **settings,
        }
        self.process = TocsinProcess("api", environment=self.environment, log_path=folder / "log")
        self.port = self.process.wait_for_log("api.listening")["port"]

    def tocsin(self, *words: str) -> Any:
        return json.loads(tocsin(*words, "-f", "json", environment=self.environment))

    def get(self, path: str = "/v1/alarms", **headers: str) -> requests.Response:
        url = f"http://127.0.0.1:{self.port}{path}"
        return requests.get(url, headers=headers, timeout=30)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    started = Serving(tmp_path)
    with started.process:
        yield started


def test_a_token_opens_the_api_until_another_process_revokes_it(serving: Serving) -> None:
    assert serving.process.wait_for_log("api.no_token")["level"] == "warning"
    assert serving.get().status_code == 401
    token = serving.tocsin("token", "create", "ops", "--role", "audit")["token"]
    assert serving.get(Authorization=f"Bearer {token}").status_code == 200
    assert serving.get(**{"X-Auth-Token": token}).status_code == 200
    assert serving.tocsin("token", "show", "ops")["last_used_at"]

    url = f"http://127.0.0.1:{serving.port}"
    client = {"TOCSIN_SERVER": url, "TOCSIN_TOKEN": token}
    assert json.loads(tocsin("alarm", "list", "-f", "json", environment=client)) == []

    serving.tocsin("token", "revoke", "ops")
    assert serving.get(Authorization=f"Bearer {token}").status_code == 401
    assert token.rsplit("_", 1)[1] not in json.dumps(serving.process.log())
    users = {line["user"] for line in serving.process.log() if line["event"] == "api.request"}
    assert users == {"", "token:ops"}


def test_a_certificate_that_is_renewed_is_taken_up(tmp_path: Path) -> None:
    authority, pem, ca = trustme.CA(), tmp_path / "cert.pem", tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)

    def renew() -> None:
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)

    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", serving.port), ca_certs=str(ca))

    renew()
    serving = Serving(tmp_path, TOCSIN_API_CERTIFICATE=str(pem))
    with serving.process:
        first = shown()
        renew()
        eventually(lambda: shown() != first, "the renewed certificate is shown")
        second = shown()
        pem.write_text("half a")
        serving.process.wait_for_log("api.certificate_refused")
        serving.process.signal(signal.SIGHUP)
        assert shown() == second
        url = f"https://127.0.0.1:{serving.port}/healthz"
        assert requests.get(url, verify=str(ca), timeout=30).json() == {"status": "ok"}


def test_tokens_of_a_provider_open_the_api(tmp_path: Path) -> None:
    provider = Provider()
    serving = Serving(
        tmp_path,
        TOCSIN_API_AUTH="oidc",
        TOCSIN_OIDC_ISSUER=provider.issuer,
        TOCSIN_OIDC_AUDIENCE="tocsin",
        TOCSIN_OIDC_ROLES="{ops: manage}",
    )
    with serving.process:
        token = provider.token(exp=4_102_444_800, roles=["ops"])
        assert serving.get(Authorization=f"Bearer {token}").status_code == 200
        other = provider.token(exp=4_102_444_800, roles=["tocsin-admin"])
        assert serving.get(Authorization=f"Bearer {other}").status_code == 403
        assert serving.get(Authorization=f"Bearer {provider.token()}").status_code == 401
    provider.close()


def test_tokens_of_keystone_open_the_api(tmp_path: Path) -> None:
    keystone = KeystoneServer()
    keystone.admit("gAAAA-anna", "anna", "p-1", "member")
    settings = {
        f"TOCSIN_DELIVERY_{name.upper()}": value for name, value in keystone.settings.items()
    }
    serving = Serving(tmp_path, TOCSIN_API_AUTH="keystone", **settings)
    with serving.process:
        assert serving.get(**{"X-Auth-Token": "gAAAA-anna"}).status_code == 200
        assert serving.get(**{"X-Auth-Token": "gAAAA-otto"}).status_code == 401
        assert serving.get("/v1/tokens", **{"X-Auth-Token": "gAAAA-anna"}).status_code == 403
        keystone.is_ill = True
        away = serving.get(**{"X-Auth-Token": "gAAAA-otto"})
    keystone.close()
    assert (away.status_code, "Keystone" in away.json()["detail"]) == (503, True)
