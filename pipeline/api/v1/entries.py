"""/v1/targets, /v1/groups, /v1/filters, /v1/matchers: whom notifications find, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields

from pipeline.access import Permission
from pipeline.api.v1 import routes, targets
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.schemas import EntryOut, about, page_of
from pipeline.desk import Document, Page
from pipeline.dispatch.edits import KINDS
from pipeline.dispatch.entry_schema import FilterSchema, GroupSchema, MatcherSchema

_Entries = page_of(EntryOut, "Entries")
_MORE = {"target": targets.add_to, "matcher": routes.add_to}
"""What there is beside those operations that all have."""


COMPONENTS = {
    "FilterIn": FilterSchema(),
    "GroupIn": GroupSchema(),
    "MatcherIn": MatcherSchema(),
}
"""Targets have options by type: `target_schemas`."""


class _ChangeQuery(Schema):
    class Meta:
        unknown = RAISE

    unset = fields.List(
        fields.String(),
        load_default=list,
        **about("A property that is to be what it is by default. May be given several times."),
    )


def blueprints() -> list[Blueprint]:
    """The operations on each kind of entry."""
    return [_blueprint(kind) for kind in KINDS]


def _blueprint(kind: str) -> Blueprint:
    entries = Blueprint(f"{kind}s", __name__, description=f"{kind.capitalize()}s, by name.")
    _add_all(entries, kind)
    _add_one(entries, kind)
    if kind in _MORE:
        _MORE[kind](entries)
    return entries


def _add_all(entries: Blueprint, kind: str) -> None:
    given = f"{kind.capitalize()}In"

    @entries.operation("GET", f"/v1/{kind}s", Permission.AUDIT, gives=_Entries, kind=f"{kind}s")
    def list_() -> Page:
        """List all {kind}, by name"""
        return Page(desk().entries.listed(kind))

    @entries.operation(
        "POST",
        f"/v1/{kind}s",
        Permission.MODIFY,
        body=given,
        gives=EntryOut,
        status=201,
        kind=kind,
    )
    def create(body: Mapping[str, Any]) -> Document:
        """Make a {kind}"""
        return desk().entries.create(kind, body)


def _add_one(entries: Blueprint, kind: str) -> None:
    rule = f"/v1/{kind}s/<name>"

    @entries.operation("GET", rule, Permission.AUDIT, gives=EntryOut, kind=kind)
    def show(name: str) -> Document:
        """Show a {kind}; secrets as ***"""
        return desk().entries.found(kind, name)

    @entries.operation(
        "PATCH",
        rule,
        Permission.MODIFY,
        body=f"{kind.capitalize()}In",
        kind=kind,
        query=_ChangeQuery,
        gives=EntryOut,
        digest=True,
    )
    def change(
        name: str, body: Mapping[str, Any], query: Mapping[str, Any], digest: str | None
    ) -> Document:
        """Change what is given of a {kind}; secrets that are not given stay"""
        return desk().entries.update(kind, name, body, query["unset"], digest)

    @entries.operation("DELETE", rule, Permission.MODIFY, digest=True, kind=kind)
    def delete(name: str, digest: str | None) -> None:
        """Delete a {kind} that is not used; a built-in is reset"""
        desk().entries.delete(kind, name, digest)
