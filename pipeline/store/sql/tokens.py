"""API tokens: kept hashed, found by id at each request, ended with all that were made with them.

A token that ended stays until `retention.history_days` are over, so that people see what it was.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.access import LOCAL, Caller, Role
from pipeline.access.tokens import Token
from pipeline.errors import Conflict, NotFound, Unauthenticated
from pipeline.registry import did_you_mean
from pipeline.store import schema
from pipeline.store.access import Action, Change, StoredToken
from pipeline.store.documents import from_json, to_json
from pipeline.store.sql.changes import difference, record_changes
from pipeline.store.sql.part import Part
from pipeline.times import plain

_token = schema.api_token.c


class SqlTokens(Part):
    """`store.access.Tokens`."""

    def create_token(self, stored: StoredToken, by: Caller = LOCAL) -> None:
        """Keep a new one.

        Raises `Conflict` for a name that is taken, `Unauthenticated` where the token that it is
        made with was revoked meanwhile.
        """
        token = stored.token
        row = {**_row(token), "secret_hash": stored.secret_hash}
        made = Change("token", token.name, Action.CREATE, difference(None, _document(token)))
        try:
            with self._database.write() as connection:
                _hold_maker(connection, token)
                connection.execute(insert(schema.api_token).values(row))
                record_changes(connection, [made], by, token.created_at)
        except IntegrityError as error:
            raise Conflict(
                f"there is already a token named {token.name}. Revoke it first, or take another "
                "name.",
                "name",
            ) from error

    def tokens(self) -> list[Token]:
        """All that are kept, by name, the newest first."""
        statement = select(schema.api_token).order_by(_token.name, _token.created_at.desc())
        with self._database.read() as connection:
            return [_token_from(row) for row in connection.execute(statement)]

    def token(self, id_or_name: str) -> Token:
        """By id, else by name: the one that is not revoked, else the newest. `NotFound`."""
        found = self.tokens()
        by_id = [token for token in found if token.token_id == id_or_name]
        by_name = [token for token in found if token.name == id_or_name]
        by_name.sort(key=lambda token: token.revoked_at is not None)
        for token in (*by_id, *by_name):
            return token
        hint = did_you_mean(id_or_name, {token.name for token in found})
        raise NotFound(f"Token {id_or_name} not found.{hint}")

    def token_of_id(self, token_id: str) -> StoredToken | None:
        """The token with its hash, as it is now."""
        statement = select(schema.api_token).where(_token.token_id == token_id)
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        return StoredToken(_token_from(row), row.secret_hash) if row else None

    def token_used(self, token_id: str, at: datetime) -> None:
        """It was shown at that time."""
        statement = update(schema.api_token).where(_token.token_id == token_id)
        with self._database.write() as connection:
            connection.execute(statement.values(last_used_at=at))

    def revoke_token(self, token_id: str, at: datetime, by: Caller = LOCAL) -> list[Token]:
        """End a token and all that were made with it; those that this ended. `NotFound`."""
        with self._database.write() as connection:
            family = _family(connection, token_id)
            if not family:
                raise NotFound(f"Token {token_id} not found.")
            ended = [token for token in family if token.revoked_at is None]
            ids = [token.token_id for token in ended]
            these = update(schema.api_token).where(_token.token_id.in_(ids))
            connection.execute(these.values(revoked_at=at))
            revoked = {"revoked-at": (None, plain(at))}
            changes = [Change("token", each.name, Action.DELETE, revoked) for each in ended]
            record_changes(connection, changes, by, at)
        return ended


def _hold_maker(connection: Connection, token: Token) -> None:
    """Hold the token that this one is made with, so that it ends with it."""
    if token.made_with:
        own = select(_token.revoked_at).where(_token.token_id == token.made_with)
        row = connection.execute(own.with_for_update()).first()
        if row is None or row.revoked_at is not None:
            raise Unauthenticated("the token that you showed was revoked. Ask for a new one.")


def _family(connection: Connection, token_id: str) -> list[Token]:
    """The token, held, and all that were made with it, and with these, and so on."""
    family: dict[str, Token] = {}
    wanted: Collection[str] = [token_id]
    while wanted:
        which = or_(_token.token_id.in_(wanted), _token.made_with.in_(wanted))
        rows = connection.execute(select(schema.api_token).where(which).with_for_update())
        new = {row.token_id: _token_from(row) for row in rows if row.token_id not in family}
        family |= new
        wanted = list(new)
    return list(family.values()) if token_id in family else []


def _row(token: Token) -> dict[str, Any]:
    return {
        "token_id": token.token_id,
        "name": token.name,
        "role": token.role.value,
        "projects": _listed(token.projects),
        "names": _listed(token.names),
        "made_by": token.made_by,
        "made_with": token.made_with,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


def _document(token: Token) -> dict[str, Any]:
    """What the history says of a new one."""
    held = {"projects": token.projects, "names": token.names}
    return {
        "role": token.role.value,
        **{key: sorted(value) for key, value in held.items() if value is not None},
        **({"expires-at": plain(token.expires_at)} if token.expires_at else {}),
    }


def _token_from(row: Any) -> Token:
    return Token(
        token_id=row.token_id,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        projects=_set(row.projects),
        names=_set(row.names),
        made_by=row.made_by,
        made_with=row.made_with,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _listed(values: frozenset[str] | None) -> str | None:
    return None if values is None else to_json(sorted(values))


def _set(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(from_json(text))
