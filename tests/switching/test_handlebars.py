"""Templates of Proxmox's webhooks write the same here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidValue
from pipeline.notification import Notification, Occurrence
from pipeline.switching.handlebars import to_jinja
from pipeline.templates import Templates

from builders import NOON

FIELDS = {"hello": "hello world", "test": 'es"caped\nstring', "job-id": "7"}
TOLD = Notification("n1", "info", NOON, Occurrence("test", FIELDS))
TEMPLATES = Templates()


def written(template: str) -> str:
    secrets = {"token": "geheim", "api-key": "schlüssel"}
    return TEMPLATES.expand(to_jinja(template), TOLD, secrets)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ fields.hello }}", "hello world"),
        ("{{fields.hello}}{{{ fields.hello }}}{{& fields.hello}}", "hello world" * 3),
        ("{{ escape fields.test }}", 'es\\"caped\\nstring'),
        ("{{ json fields.hello }}", '"hello world"'),
        ("{{ url-encode fields.hello }}", "hello%20world"),
        ("{{ json severity }}", '"info"'),
        ("{{ fields.job-id }} {{ fields.[job-id] }} {{ lookup fields 'job-id' }}", "7 7 7"),
        ("Bearer {{ secrets.token }}/{{ secrets.api-key }}", "Bearer geheim/schlüssel"),
        ("{{ timestamp }}", str(int(NOON.timestamp()))),
        ("a{{! nothing }}b{{!-- {{ nothing }} --}}c", "abc"),
        ("a {{~ severity ~}} b", "ainfob"),
        ("{{#if fields.nope}}a{{else}}b{{/if}}", "b"),
        ("{{#unless fields.nope}}a{{/unless}}", "a"),
        ('{{#if (eq severity "info")}}a{{else if (ne severity "x")}}b{{/if}}', "a"),
        ('{{#if (and (not (eq severity "error")) fields.hello)}}a{{/if}}', "a"),
        ("{% raw %} {# no comment #} {", "{% raw %} {# no comment #} {"),
        ('{"text": "{{ escape fields.hello }}"}', '{"text": "hello world"}'),
    ],
)
def test_template_writes_what_proxmox_writes(template: str, expected: str) -> None:
    assert written(template) == expected


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{#each fields}}{{this}}{{/each}}", "#each"),
        ("{{> partial}}", "> partial"),
        ("{{ host }}", "there is no host"),
        ("{{ upper severity }}", "upper severity"),
        ("{{#if severity}}a", "not closed"),
        ("{{/if}}", "closes what was not opened"),
        ("{{}}", "says nothing that is known"),
        ("{{ eq (severity }}", "bracket"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_with_its_reason(template: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        to_jinja(template)


@given(st.text().filter(lambda text: "{{" not in text and "\r" not in text))
def test_text_stays_as_it_is(text: str) -> None:
    assert written(text) == text


@given(st.text(alphabet='{}#/~!&()"abif eqfields.severity', max_size=40))
def test_any_text_is_carried_over_or_refused(text: str) -> None:
    found: Any
    try:
        found = to_jinja(text)
    except InvalidValue:
        return
    assert isinstance(found, str)
