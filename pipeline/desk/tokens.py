"""API tokens at the desk: who may make and end them, and with how much (notifications 14).

They belong to no project: whoever is held to projects deals with none. Whoever is held to names
deals with tokens that reach no further.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from pipeline.access import Caller, Permission, Role
from pipeline.access.tokens import ID_BYTES, SECRET_BYTES, Spelled, Token, granted, hashed
from pipeline.alarms.schema import flat
from pipeline.desk.base import Document, Parts
from pipeline.dispatch.entry_schema import check_name
from pipeline.errors import InvalidValue, NotFound
from pipeline.registry import one_of
from pipeline.store.access import StoredToken
from pipeline.strict_schema import StrictSchema
from pipeline.times import plain, utc

_MISSING: dict[str, Any] = {"required": "Mandatory field missing."}


class LocalTokens:
    """`desk.base.Tokens`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def create(self, document: Mapping[str, Any]) -> Document:
        """Make one; the document has its secret besides."""
        self._caller.require_all(Permission.MODIFY)
        now = self._parts.clock()
        wanted = _wanted(document, now)
        spelled = Spelled(secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES))
        token = Token(
            token_id=spelled.token_id,
            created_at=now,
            made_by=self._caller.user_id,
            made_with=self._caller.token_id,
            **wanted,
        )
        token = granted(token, self._caller, self._own())
        self._parts.store.create_token(StoredToken(token, hashed(spelled.secret)), self._caller)
        return {**token_document(token, now), "token": str(spelled)}

    def listed(self) -> list[Document]:
        """All that are kept and reach no further than the caller, by name."""
        self._caller.require_all(Permission.AUDIT)
        now, tokens = self._parts.clock(), self._parts.store.tokens()
        return [token_document(token, now) for token in tokens if self._is_theirs(token)]

    def found(self, id_or_name: str) -> Document:
        """By id, else by name."""
        return token_document(self._found(id_or_name), self._parts.clock())

    def revoke(self, id_or_name: str) -> list[Document]:
        """End a token, and all that were made with it."""
        self._caller.require_all(Permission.MODIFY)
        now, token = self._parts.clock(), self._found(id_or_name)
        ended = self._parts.store.revoke_token(token.token_id, now, self._caller)
        return [token_document(replace(each, revoked_at=now), now) for each in ended]

    def _found(self, id_or_name: str) -> Token:
        self._caller.require_all(Permission.AUDIT)
        token = self._parts.store.token(id_or_name)
        if not self._is_theirs(token):
            raise NotFound(f"Token {id_or_name} not found.")
        return token

    def _is_theirs(self, token: Token) -> bool:
        own = self._caller.names
        return own is None or (token.names is not None and token.names <= own)

    def _own(self) -> Token | None:
        """The token that the caller showed."""
        if not self._caller.token_id:
            return None
        return self._parts.store.token(self._caller.token_id)


def token_document(token: Token, now: datetime) -> Document:
    """A token as the desk tells of it."""
    return {
        "token_id": token.token_id,
        "name": token.name,
        "role": token.role.value,
        "state": token.state(now).value,
        "projects": _listed(token.projects),
        "names": _listed(token.names),
        "made_by": token.made_by,
        "made_with": token.made_with,
        "created_at": plain(token.created_at),
        "expires_at": plain(token.expires_at),
        "last_used_at": plain(token.last_used_at),
        "revoked_at": plain(token.revoked_at),
    }


class _Held(fields.List[str]):
    """What a token is held to. An empty list holds it to nothing at all."""

    def __init__(self) -> None:
        text = fields.String(validate=validate.Length(min=1, max=255))
        super().__init__(text, load_default=None)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return frozenset(super()._deserialize(value, attr, data, **kwargs))


def _check_role(value: str) -> None:
    if value not in list(Role):
        raise ValidationError(f"unknown role {value!r}. {one_of(value, Role)}")


class _TokenSchema(StrictSchema):
    name = fields.String(required=True, validate=check_name, error_messages=_MISSING)
    role = fields.String(required=True, validate=_check_role, error_messages=_MISSING)
    projects = _Held()
    names = _Held()
    expires_at = fields.AwareDateTime("iso", default_timezone=UTC, load_default=None)


def _wanted(document: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The fields of a new token. Raises `InvalidValue` with all that is wrong."""
    try:
        loaded: dict[str, Any] = _TokenSchema().load(document)
    except ValidationError as error:
        said = "; ".join(f"{name}: {text}" for name, text in flat(error.messages_dict))
        raise InvalidValue(f"token: {said}", None, error.messages_dict) from error
    ends = loaded["expires_at"]
    if ends is not None and (ends := utc(ends, "expires_at")) <= now:
        raise InvalidValue("expires_at: this is over. Give a time that is to come.", "expires_at")
    return {**loaded, "expires_at": ends, "role": Role(loaded["role"])}


def _listed(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)
