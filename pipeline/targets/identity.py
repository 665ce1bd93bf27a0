"""Identity: tokens of OpenStack's Keystone, and where its catalogue says a service is.

A token is of the service user whom the settings name (`delivery.keystone_…`): for a trust, with
the rights that somebody left to that user by it, or for the user's own project. Tokens are kept
until shortly before they expire, or until they are forgotten because somebody refused one.
keystoneauth1 does the talking; it is loaded when it is first needed. Used by the targets `trust`
and `zaqar`, and by the API, which asks whose a token is; from many threads.

    NoToken   there is none; `final` where another try would be answered the same
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final

import requests

from pipeline.dispatch import receiver
from pipeline.errors import InvalidValue
from pipeline.hiding import hidden, spellings
from pipeline.notification import Failed, Outcome, Refused
from pipeline.targets.settings import DeliverySettings

_KEPT: Final = 1_000
_UNSCOPED: Final = "no trust and no project"
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_GONE: Final = frozenset({403, 404})
"""What Keystone may say of a trust that is not for us. Of one that is not there it says 401."""


class NoToken(Exception):
    """Keystone gave none; the text says why, without secrets."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final

    @property
    def outcome(self) -> Outcome:
        """What becomes of the delivery."""
        return (Refused if self.final else Failed)(str(self))


def check_installed() -> None:
    """Raise `InvalidValue` where keystoneauth1 is missing."""
    if find_spec("keystoneauth1") is None:
        raise InvalidValue("Keystone cannot be asked. Run pip install 'tocsin[openstack]'")


def _versioned(url: str) -> str:
    """Keystone's URL with the version of its API, which may be left out of the setting."""
    url = url.rstrip("/")
    return url if url.endswith("/v3") else f"{url}/v3"


class Identity:
    """The service user at Keystone. Safe from many threads."""

    def __init__(self, settings: DeliverySettings) -> None:
        self._settings = settings
        self._sessions: OrderedDict[str, Any] = OrderedDict()
        self._secrets = spellings([settings.keystone_password])
        self._lock = threading.Lock()

    def token(self, trust_id: str = "") -> str:
        """A token for a trust, or for the service user's project. Raises `NoToken`."""
        return str(self._asked(trust_id, lambda session: session.get_token()))

    def forget(self, trust_id: str = "") -> None:
        """Let the next token be a new one."""
        self._session(trust_id).invalidate()

    def described(self, token: str) -> Mapping[str, Any] | None:
        """What Keystone says of somebody's token (validate token); None where it is not good.

        Raises `NoToken` where Keystone, or our service user there, is at fault.
        """
        url = f"{_versioned(self._settings.keystone_url)}/auth/tokens"
        headers = {"X-Subject-Token": token, "Accept": "application/json"}
        answer = self._asked(
            "", lambda session: session.get(url, headers=headers, raise_exc=False)
        )
        if answer.status_code == _NOT_FOUND:
            return None
        try:
            found = answer.json()["token"] if answer.ok else None
        except (ValueError, KeyError, TypeError):
            found = None
        if not isinstance(found, Mapping):
            who = receiver(self._settings.keystone_url)
            raise NoToken(
                f"Keystone at {who} answered {answer.status_code} to whose a token is. May the "
                f"user {self._settings.keystone_username} ask that?"
            )
        return found

    def endpoint(self, service_type: str) -> str:
        """The URL of a service, by the catalogue. Raises `NoToken`."""
        settings = self._settings
        found = self._asked(
            "",
            lambda session: session.get_endpoint(
                service_type=service_type,
                interface=settings.keystone_interface,
                region_name=settings.keystone_region or None,
            ),
        )
        if not found:
            raise NoToken(f"Keystone's catalogue has no service of type {service_type}")
        return str(found)

    def _asked(self, trust_id: str, ask: Any) -> Any:
        session = self._session(trust_id)
        from keystoneauth1.exceptions import ClientException

        try:
            return ask(session)
        except ClientException as error:
            why = hidden(str(error).partition("\n")[0], self._secrets)[:300]
            who = receiver(self._settings.keystone_url)
            if self._is_about_trust(trust_id, error):
                raise NoToken(
                    f"Keystone at {who} gave no token for the trust, which may be gone: {why}",
                    final=True,
                ) from None
            raise NoToken(f"Keystone at {who} gave no token: {why}") from None

    def _is_about_trust(self, trust_id: str, error: Any) -> bool:
        """Whether it is the trust that Keystone does not know, and not the service user, of whom
        it says the same."""
        status = getattr(error, "http_status", 0)
        if trust_id in ("", _UNSCOPED) or status not in {_UNAUTHORIZED, *_GONE}:
            return False
        try:
            self.forget(_UNSCOPED)
            self.token(_UNSCOPED)
        except NoToken:
            return False
        return True

    def _session(self, trust_id: str) -> Any:
        with self._lock:
            if trust_id not in self._sessions:
                self._sessions[trust_id] = self._made(trust_id)
            self._sessions.move_to_end(trust_id)
            while len(self._sessions) > _KEPT:
                self._sessions.popitem(last=False)
            return self._sessions[trust_id]

    def _made(self, trust_id: str) -> Any:
        settings = self._settings
        if find_spec("keystoneauth1") is None:
            raise NoToken("Keystone cannot be asked. Run pip install 'tocsin[openstack]'")
        if not (settings.keystone_url and settings.keystone_username):
            raise NoToken(
                "nobody said where Keystone is. Set delivery.keystone_url, keystone_username and"
                " keystone_password"
            )
        from keystoneauth1.identity.generic import Password
        from keystoneauth1.session import Session

        scope: dict[str, Any] = {"trust_id": trust_id}
        if trust_id == _UNSCOPED:
            scope = {}
        elif not trust_id:
            scope = {
                "project_name": settings.keystone_project,
                "project_domain_name": settings.keystone_project_domain,
            }
        auth = Password(
            auth_url=settings.keystone_url,
            username=settings.keystone_username,
            password=settings.keystone_password,
            user_domain_name=settings.keystone_user_domain,
            **scope,
        )
        verify = settings.ca_bundle or True if settings.verify else False
        plain = requests.Session()
        plain.trust_env = False  # neither proxies nor logins that the environment names
        seconds = settings.connect_timeout_seconds
        return Session(auth, plain, verify=verify, timeout=seconds, redirect=0)
