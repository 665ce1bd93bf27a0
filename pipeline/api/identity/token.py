"""API tokens: `Authorization: Bearer tocsin_…`, or `X-Auth-Token`, as Aodh's clients send it.

The token's row is read at each request, so that one that is revoked opens nothing from then on,
in any process. When it was used is written at most once a minute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pipeline.access import Caller
from pipeline.access.tokens import Token, TokenState, is_secret_of, parsed
from pipeline.api.identity.shown import bearer_or_x_auth_token
from pipeline.errors import IdentityUnavailable, StoreUnavailable, Unauthenticated
from pipeline.store.access import StoredToken, Tokens

_USE_IS_NOTED = timedelta(minutes=1)


class TokenIdentity:
    """Who shows a token. Safe from many threads."""

    def __init__(
        self, store: Callable[[], Tokens], clock: Callable[[], datetime], log: Any
    ) -> None:
        self._store, self._clock, self._log = store, clock, log
        self._noted: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def __call__(self, headers: Mapping[str, str]) -> Caller:
        """The caller that the token is of. Raises `Unauthenticated`."""
        spelled = parsed(bearer_or_x_auth_token(headers))
        stored = self._stored(spelled.token_id) if spelled else None
        if spelled is None or stored is None:
            raise Unauthenticated("there is no such token. Make one: tocsin token create.")
        if not is_secret_of(spelled.secret, stored.secret_hash):
            raise Unauthenticated("there is no such token. Make one: tocsin token create.")
        now, token = self._clock(), stored.token
        if (state := token.state(now)) is not TokenState.ACTIVE:
            ended = "was revoked" if state is TokenState.REVOKED else "has expired"
            raise Unauthenticated(f"the token {token.name} {ended}. Ask for a new one.")
        self._note_use(token, now)
        return token.caller()

    def _stored(self, token_id: str) -> StoredToken | None:
        try:
            return self._store().token_of_id(token_id)
        except StoreUnavailable as error:
            # Where the database is, is nothing for whoever has not shown who they are.
            self._log.warning("api.tokens_unavailable", error=str(error))
            raise IdentityUnavailable(
                "tokens cannot be checked now: the database does not answer. Try again in a while."
            ) from error

    def _note_use(self, token: Token, now: datetime) -> None:
        known = token.last_used_at
        if known is not None and known <= now < known + _USE_IS_NOTED:
            return
        with self._lock:
            noted = self._noted.get(token.token_id)
            if noted is not None and noted <= now < noted + _USE_IS_NOTED:
                return
            self._noted[token.token_id] = now
        try:
            self._store().token_used(token.token_id, now)
        except StoreUnavailable as error:
            # A request that only reads is answered all the same.
            self._log.warning("api.token_use_not_noted", token=token.name, error=str(error))
