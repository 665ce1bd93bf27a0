"""/v1/quotas and /v1/capabilities: how many alarms projects may have, and what can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields

from pipeline.access import Permission
from pipeline.api.quota_documents import QuotasDocument, loaded_quotas
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.schemas import CapabilitiesOut, about
from pipeline.desk import Document


class _ProjectQuery(Schema):
    class Meta:
        unknown = RAISE

    project_id = fields.String(load_default=None, **about("The project; your own, if not given."))


class _GivenProject(Schema):
    class Meta:
        unknown = RAISE

    project_id = fields.String(required=True, **about("The project."))


def blueprints() -> list[Blueprint]:
    """The operations on quotas, and the one that tells of capabilities."""
    quotas = Blueprint("quotas", __name__, description="How many alarms projects may have.")
    _add_quotas(quotas)
    able = Blueprint("capabilities", __name__, description="What Aodh's API can do here.")

    @able.operation("GET", "/v1/capabilities", Permission.AUDIT, gives=CapabilitiesOut)
    def show_capabilities() -> Document:
        """Show what Aodh's API can do here"""
        return desk().capabilities()

    return [quotas, able]


def _add_quotas(quotas: Blueprint) -> None:
    @quotas.operation(
        "GET", "/v1/quotas", Permission.AUDIT, query=_ProjectQuery, gives=QuotasDocument
    )
    def show_quotas(query: Mapping[str, Any]) -> Document:
        """Show a project's quotas; by default what the settings say"""
        return desk().quotas.found(query["project_id"])

    @quotas.operation(
        "PUT", "/v1/quotas", Permission.MODIFY, body="QuotasIn", gives=QuotasDocument
    )
    def set_quotas(body: Mapping[str, Any]) -> Document:
        """Set quotas of a project, and leave its others"""
        project_id, given = loaded_quotas(body)
        return desk().quotas.update(project_id, given)

    @quotas.operation("DELETE", "/v1/quotas", Permission.MODIFY, query=_GivenProject)
    def delete_quotas(query: Mapping[str, Any]) -> None:
        """Let the defaults hold again for a project"""
        desk().quotas.delete(query["project_id"])
