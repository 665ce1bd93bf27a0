"""Whatever is sent, as the description says or not, is answered as the description says.

Schemathesis makes the requests of our own OpenAPI document: of every operation some that fit, and
some that do not. Nothing may end in a 5xx, in a status or a form that is not described, or in an
answer that breaks its own schema. `TOCSIN_TEST_SEED` makes others, `TOCSIN_TEST_EXAMPLES` more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pipeline.api import v1
from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.routing import Create
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import NOON, an_alarm, an_event, an_occurrence
from cli.application import TestApplication

SEED = int(os.environ.get("TOCSIN_TEST_SEED") or 20260301)
EXAMPLES = int(os.environ.get("TOCSIN_TEST_EXAMPLES") or 15)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
THERE = {"kind": "backup", "type": "gotify", "alarm": "alarm-1"}
ENTRIES = {"targets": "quiet", "groups": "admins", "filters": "urgent", "matchers": "nights"}


def described() -> list[tuple[str, dict[str, Any]]]:
    """Every operation of the document, by its id."""
    app = Flask("described")
    v1.register(app)
    document: dict[str, Any] = app.test_client().get("/openapi.json").json
    return [
        (each["operationId"], each)
        for item in document["paths"].values()
        for each in item.values()
    ]


OPERATIONS = described()


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with something of everything in it."""
    sealer = KeyFileSealer(KeyFile(tmp_path / "secrets.key"))
    made = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(made, clock=lambda: NOON, sealer=sealer) as store:
        store.create(an_alarm(alarm_id="alarm-1", name="there", all_projects=True))
        store.change_entries(
            [
                Create(FilterEntry("urgent", "error")),
                Create(TargetEntry("quiet", "log", filter="urgent")),
                Create(GroupEntry("admins", ("quiet",))),
                Create(MatcherEntry("nights", ("admins",), match_field=("exact:host=a",))),
            ]
        )
        store.keep_events([an_event(message_id="event-1", host="a")])
        with store.begin() as transaction:
            transaction.save_notification(an_occurrence(text="told"), ["target:quiet"])
        yield store


def answers_are_as_described(app: Any, name: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    schema.config.update(headers={"Authorization": "Bearer of-nobody"})
    operation = schema.find_operation_by_id(name)

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def holds(case: Case, there: bool) -> None:
        if there:
            matter = case.path.split("/")[2]
            known = {**THERE, "name": ENTRIES.get(matter, "quiet")}
            case.path_parameters = {
                key: known.get(key, value) for key, value in (case.path_parameters or {}).items()
            }
        case.call_and_validate(checks=CHECKS)

    print(f"TOCSIN_TEST_SEED={SEED} TOCSIN_TEST_EXAMPLES={EXAMPLES}")
    holds()


@pytest.mark.parametrize("name", [name for name, _ in OPERATIONS])
def test_what_fits_the_description_is_answered_as_described(store: SqlStore, name: str) -> None:
    app = Api(TestApplication(store)).app
    answers_are_as_described(app, name, GenerationMode.POSITIVE)


def can_be_unfit(operation: dict[str, Any]) -> bool:
    """Any text is a path, and fits."""
    places = [each["in"] for each in operation.get("parameters", ())]
    return "requestBody" in operation or "query" in places


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS if can_be_unfit(each)])
def test_what_does_not_fit_is_answered_as_described(store: SqlStore, name: str) -> None:
    app = Api(TestApplication(store)).app
    answers_are_as_described(app, name, GenerationMode.NEGATIVE)
