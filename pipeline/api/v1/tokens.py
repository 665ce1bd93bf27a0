"""/v1/tokens: API tokens, made, listed and ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.access import Permission
from pipeline.api.v1.access_schemas import NewTokenOut, TokenOut
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.schemas import page_of
from pipeline.desk import Document, Page

_Tokens = page_of(TokenOut, "Tokens")


def blueprint() -> Blueprint:
    """The operations on tokens."""
    tokens = Blueprint("tokens", __name__, description="API tokens.")
    _add_all(tokens)
    _add_one(tokens)
    return tokens


def _add_all(tokens: Blueprint) -> None:
    @tokens.operation("GET", "/v1/tokens", Permission.AUDIT, gives=_Tokens)
    def list_tokens() -> Page:
        """List all tokens, by name"""
        return Page(desk().tokens.listed())

    @tokens.operation(
        "POST", "/v1/tokens", Permission.MODIFY, body="TokenIn", gives=NewTokenOut, status=201
    )
    def create_token(body: Mapping[str, Any]) -> Document:
        """Make a token; it is told this once"""
        return desk().tokens.create(body)


def _add_one(tokens: Blueprint) -> None:
    @tokens.operation("GET", "/v1/tokens/<token>", Permission.AUDIT, gives=TokenOut)
    def show_token(token: str) -> Document:
        """Show a token, by its id or name"""
        return desk().tokens.found(token)

    @tokens.operation("DELETE", "/v1/tokens/<token>", Permission.MODIFY, gives=_Tokens)
    def revoke_token(token: str) -> Page:
        """End a token, and all that were made with it"""
        return Page(desk().tokens.revoke(token))
