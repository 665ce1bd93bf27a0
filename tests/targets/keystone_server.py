"""A Keystone that gives tokens, as the Identity API v3 documents it (v3, OS-TRUST), and no more.

It knows one service user and some trusts; each token is a new one until it is revoked. To that
user it says whose the tokens of others are (`admit`, validate token).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.receiver import Callback, Receiver, Reply

USER, PASSWORD = "tocsin", "kq7-service-password"


class KeystoneServer:
    """Serves at `url` until it is closed. `asked` are the bodies of requests for tokens."""

    def __init__(self, *trusts: str, messaging: str = "") -> None:
        self.trusts, self.messaging = set(trusts), messaging
        self.password, self.expires_in = PASSWORD, timedelta(hours=1)
        self.asked: list[Any] = []
        self.validated: list[str] = []
        self.is_ill = False
        self._admitted: dict[str, Any] = {}
        self._receiver = Receiver(answer=self._answer)
        self._receiver.__enter__()
        self.url = f"{self._receiver.url}/v3"

    @property
    def settings(self) -> dict[str, str]:
        """The settings of section `delivery` that lead here."""
        return {
            "keystone_url": self.url,
            "keystone_username": USER,
            "keystone_password": PASSWORD,
        }

    def admit(
        self, token: str, user: str, project: str | None, *roles: str, ends: datetime | None = None
    ) -> None:
        """Somebody's token, for a project, or for none."""
        of_project = {"id": project, "name": "P", "domain": {"id": "default", "name": "Default"}}
        self._admitted[token] = {
            "methods": ["password"],
            "user": {"id": user, "name": "A", "domain": {"id": "default", "name": "Default"}},
            **({"project": of_project} if project else {}),
            **({"roles": [{"id": name, "name": name} for name in roles]} if roles else {}),
            "issued_at": datetime.now(UTC).isoformat(),
            "expires_at": (ends or datetime.now(UTC) + self.expires_in).isoformat(),
        }

    def revoke(self, token: str) -> None:
        """A token that is good no more."""
        del self._admitted[token]

    def close(self) -> None:
        self._receiver.__exit__(None, None, None)

    def token(self, number: int = -1) -> str:
        """The token that was given as the n-th."""
        return f"token-{len(self.asked) if number < 0 else number}-gAAAAABk"

    def _answer(self, callback: Callback) -> Reply:
        if self.is_ill:
            return _json(503, _error(503, "Service Unavailable"))
        if callback.method == "GET" and callback.path == "/v3/auth/tokens":
            return self._validated(callback)
        if callback.method == "GET":
            links = [{"rel": "self", "href": f"{self.url}/"}]
            version = {"id": "v3.14", "status": "stable", "links": links}
            return _json(200, {"version": version})
        asked = json.loads(callback.body)["auth"]
        who = asked["identity"]["password"]["user"]
        if (who["name"], who["password"]) != (USER, self.password):
            return _json(401, _error(401, "The request you have made requires authentication."))
        scope = asked.get("scope", {})
        trust = scope.get("OS-TRUST:trust", {}).get("id")
        if trust and trust not in self.trusts:
            # As Keystone does: it tells nobody which trusts there are.
            return _json(401, _error(401, "The request you have made requires authentication."))
        self.asked.append(asked)
        return _json(201, {"token": self._described(trust)}, {"X-Subject-Token": self.token()})

    def _validated(self, callback: Callback) -> Reply:
        own = [self.token(number + 1) for number in range(len(self.asked))]
        if callback.headers.get("x-auth-token") not in own:
            return _json(401, _error(401, "The request you have made requires authentication."))
        subject = callback.headers["x-subject-token"]
        self.validated.append(subject)
        if subject not in self._admitted:
            return _json(404, _error(404, f"Could not find token: {subject}."))
        return _json(200, {"token": self._admitted[subject]}, {"X-Subject-Token": subject})

    def _described(self, trust: str | None) -> dict[str, Any]:
        now = datetime.now(UTC)
        endpoint = {"interface": "public", "region_id": "R", "region": "R", "url": self.messaging}
        catalog = [{"type": "messaging", "name": "zaqar", "id": "z", "endpoints": [endpoint]}]
        described = {
            "methods": ["password"],
            "user": {"id": "u", "name": USER, "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p", "name": "service", "domain": {"id": "default", "name": "D"}},
            "roles": [{"id": "r", "name": "member"}],
            "issued_at": now.isoformat(),
            "expires_at": (now + self.expires_in).isoformat(),
            "catalog": catalog if self.messaging else [],
        }
        return described | ({"OS-TRUST:trust": {"id": trust}} if trust else {})


def _error(code: int, message: str) -> Any:
    return {"error": {"code": code, "message": message, "title": "No"}}


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    return Reply(
        status,
        {"Content-Type": "application/json", **(headers or {})},
        json.dumps(body).encode(),
    )
