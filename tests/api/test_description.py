"""/openapi.json and /docs: nothing is served that is not described, and the description holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from pipeline.access import Permission
from pipeline.api.v1.examples import ANSWERS, BODIES
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import types

from api.asking import Api
from builders import NOON

UNDESCRIBED = {"/readyz", "/", "/healthcheck", "/healthz", "/openapi.json", "/docs"}
"""What tells of the server itself."""


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    sealer = KeyFileSealer(KeyFile(tmp_path / "secrets.key"))
    settings = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(settings, clock=lambda: NOON, sealer=sealer) as store:
        yield store


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def test_the_document_is_one_of_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["servers"]
    assert document["info"]["description"]
    assert document["components"]["securitySchemes"]


def test_no_route_is_served_that_is_not_described(api: Api, document: dict[str, Any]) -> None:
    described = {
        (method.upper(), re.sub(r"{(\w+)}", "<>", path))
        for method, path, _ in operations(document)
    }
    served = {
        (method, re.sub(r"<[^>]*>", "<>", rule.rule))
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule not in UNDESCRIBED and not rule.rule.startswith(("/v2", "/static"))
    }
    assert served == described


def test_every_operation_says_all_that_one_has_to_know(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert sorted(names) == sorted(set(names))
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"]), where
        assert operation["summary"], where
        assert not operation["summary"].endswith("."), where
        assert all(tags[tag] for tag in operation["tags"]), where
        assert operation["x-permission"] in list(Permission), where
        assert operation["security"], where
        assert {"400", "401", "403", "503"} <= operation["responses"].keys(), where
        parameters = {each["name"] for each in operation.get("parameters", ())}
        assert parameters >= set(re.findall(r"{(\w+)}", path)), where
        assert all(each["description"] for each in operation.get("parameters", ())), where
        assert ("If-Match" in parameters) == ("412" in operation["responses"]), where
        if method == "get":
            assert operation["x-permission"] == Permission.AUDIT, where


def test_every_schema_says_what_it_is_and_names_are_for_people(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name, each in schemas.items() if not each.get("description")] == []
    assert [name for name in schemas if not name[:1].isupper()] == []


def test_the_fields_of_bodies_are_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in (
        "AlarmIn",
        "TargetIn",
        "GroupIn",
        "FilterIn",
        "MatcherIn",
        "ApplyIn",
        "Condition",
    ):
        fields = schemas[name]["properties"]
        undescribed = [
            field for field, each in fields.items() if not ({"description", "$ref"} & each.keys())
        ]
        assert undescribed == [], name


def test_each_type_of_target_has_its_options(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    mapping = schemas["TargetIn"]["discriminator"]["mapping"]
    assert list(mapping) == types()
    gotify = schemas["TargetGotify"]
    assert set(gotify["required"]) == {"type", "server", "token"}
    assert gotify["properties"]["token"]["writeOnly"] is True


def test_a_change_needs_nothing(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if method == "patch":
            content = operation["requestBody"]["content"]["application/json"]
            name = content["schema"]["$ref"].rpartition("/")[2]
            assert "required" not in document["components"]["schemas"][name], path


@pytest.mark.parametrize("name", BODIES)
def test_every_example_can_be_sent_as_it_stands(
    api: Api, document: dict[str, Any], name: str
) -> None:
    """In the order in which they stand: each with what those before it made."""
    found = {each["operationId"]: (m, p, each) for m, p, each in operations(document)}
    words = {"filter": "urgent", "target": "phone", "group": "admins", "matcher": "nights"}
    words |= {"alarm": "user deleted", "state": "user deleted"}
    for each, body in BODIES.items():
        method, path, operation = found[each]
        subject = words.get(each.rpartition("_")[2], "")
        path = re.sub(r"{\w+}", subject, path)
        answer = api.ask(method.upper(), path, json=body)
        assert answer.status_code < 300, (each, answer.json)
        if each == name:
            check(document, operation, str(answer.status_code), answer.json)
            break


@pytest.mark.parametrize("name", BODIES)
def test_every_body_that_is_shown_is_as_described(document: dict[str, Any], name: str) -> None:
    (operation,) = (each for _, _, each in operations(document) if each["operationId"] == name)
    content = operation["requestBody"]["content"]["application/json"]
    assert content["example"] == BODIES[name]
    whole = {**content["schema"], "components": document["components"]}
    Draft202012Validator(whole).validate(BODIES[name])


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_that_is_shown_is_one(document: dict[str, Any], name: str) -> None:
    (operation,) = (each for _, _, each in operations(document) if each["operationId"] == name)
    status = next(code for code in operation["responses"] if code.startswith("2"))
    check(document, operation, status, ANSWERS[name])


def check(document: dict[str, Any], operation: dict[str, Any], status: str, answer: Any) -> None:
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(answer)


# --- the page ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a test looks at: ids, where links lead, and what is fetched or run."""

    VOID = {"meta", "link", "br", "img", "input"}  # noqa: RUF012

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "src" or name.startswith("on"):
                self.loads.append(f"{tag} {name}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(api: Api) -> Page:
    answer = api.get("/docs")
    assert answer.content_type == "text/html; charset=utf-8"
    found = Page(answer.text)
    assert found.open == []
    return found


def test_the_page_has_every_operation(page: Page, document: dict[str, Any]) -> None:
    assert {each["operationId"] for _, _, each in operations(document)} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_runs_nothing_and_asks_no_other_host(page: Page, api: Api) -> None:
    assert page.loads == []
    assert not page.tags & {"script", "link", "img", "iframe", "form", "object", "embed"}
    assert "url(" not in api.get("/docs").text
    assert "@import" not in api.get("/docs").text
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert "script-src" not in api.get("/docs").headers["Content-Security-Policy"]


def test_every_link_within_the_page_leads_somewhere(page: Page) -> None:
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_the_type_of_a_problem_leads_to_the_page(page: Page, api: Api) -> None:
    for answer in (
        api.get("/v1/targets/nobody"),
        api.post("/v1/targets", data="x", content_type="text/plain"),
        api.post("/v1/targets", json={}),
        api.put("/v1/targets"),
        api.post("/v1/filters", json={"comment": "x" * 2_000_000}),
    ):
        path, _, anchor = answer.json["type"].partition("#")
        assert path == "/docs"
        assert anchor in page.ids, HTTPStatus(answer.status_code)
