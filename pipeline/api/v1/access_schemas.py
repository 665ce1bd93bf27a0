"""What documents of /v1/tokens and /v1/history look like (see `schemas.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from pipeline.access import Role
from pipeline.access.tokens import TokenState
from pipeline.api.v1.schemas import about
from pipeline.store.access import Action

_ROLES = validate.OneOf([role.value for role in Role])


def _held(what: str, **more: Any) -> fields.List[str]:
    said = about(f"The {what} that it is held to; null: all.")
    return fields.List(fields.String(), allow_none=True, **more, **said)


class TokenIn(Schema):
    """A token to be made."""

    name = fields.String(required=True)
    role = fields.String(required=True, validate=_ROLES)
    projects = _held("projects")
    names = _held("targets, groups and filters")
    expires_at = fields.DateTime(**about("When it ends; without it, it does not."))


class TokenOut(Schema):
    """A token, without its secret."""

    token_id = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True, validate=_ROLES)
    state = fields.String(
        required=True, validate=validate.OneOf([state.value for state in TokenState])
    )
    projects = _held("projects", required=True)
    names = _held("targets, groups and filters", required=True)
    made_by = fields.String(required=True)
    made_with = fields.String(
        required=True, **about("The id of the token that its maker showed, or ''.")
    )
    created_at = fields.String(required=True)
    expires_at = fields.String(required=True, allow_none=True)
    last_used_at = fields.String(
        required=True, allow_none=True, **about("Written at most once a minute.")
    )
    revoked_at = fields.String(required=True, allow_none=True)


class NewTokenOut(TokenOut):
    """A token that was made, with what is to be sent."""

    token = fields.String(
        required=True, **about("To be sent as `Authorization: Bearer …`. Told this once.")
    )


class ChangeLineOut(Schema):
    """Something that was changed."""

    change_id = fields.String(required=True)
    timestamp = fields.String(required=True)
    user_id = fields.String(required=True, **about("Who changed it."))
    project_id = fields.String(required=True, **about("The project of who changed it."))
    kind = fields.String(required=True)
    name = fields.String(required=True)
    action = fields.String(
        required=True, validate=validate.OneOf([action.value for action in Action])
    )
    changed = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String()),
        required=True,
        **about("For each property that is another now `before` and `after`; secrets as ***."),
    )


COMPONENTS: Mapping[str, type[Schema]] = {"TokenIn": TokenIn}
"""Those that are named by what refers to them."""
