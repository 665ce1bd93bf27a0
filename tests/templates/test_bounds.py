"""A template can neither reach the process nor keep it busy."""

from __future__ import annotations

import time
from typing import Any

import pytest
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from pipeline.templates.bounds import LARGEST, BoundedEnvironment, TooMuch

FIELDS = {"items": "of the field", "list": [1, 2], "none": None, "true": True, "text": "a-b"}
CPU_SECONDS = 2.0
"""What no template may take: each of these would take minutes, or all memory."""


def filled(template: str) -> str:
    environment = BoundedEnvironment(autoescape=False)
    with environment.bounded():
        return environment.from_string(template).render(fields=FIELDS)


def repeated(step: str, start: str = "'aaaaaaaaaa'") -> str:
    """A template that does this step 40 times over to `ns.s`."""
    begin = f"{{% set ns = namespace(s={start}, t={start}) %}}"
    return f"{begin}{{% for i in range(40) %}}{step}{{% endfor %}}"


BOMBS = {
    "loops in loops": "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}"
    "{% endfor %}",
    "loops that pass all over": "{% for i in range(9999) %}{% for j in range(9999) if false %}"
    "{% endfor %}{% endfor %}",
    "a long range": "{% for i in range(10**9) %}{% endfor %}",
    "a text, repeated": "{{ 'a' * 10**9 }}",
    "a list, repeated": "{{ ([1] * 10**9) | length }}",
    "a large power": "{{ 10 ** 1000000000 }}",
    "a large product": repeated("{% set ns.s = ns.s * ns.s %}", "10**20"),
    "texts that double": repeated("{% set ns.s = ns.s ~ ns.s %}"),
    "texts that are added": repeated("{% set ns.s = ns.s + ns.s %}"),
    "blocks that double": repeated(
        "{% set s %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = s %}"
    ),
    "lists in lists": repeated("{% set ns.s = [ns.s, ns.s] %}") + "{{ ns.s }}",
    "lists that are joined": repeated("{% set ns.s = [ns.s, ns.s] %}") + "{{ ns.s | join }}",
    "lists that are compared": repeated(
        "{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, ns.t] %}"
    )
    + "{{ ns.s == ns.t }}",
    "tuples that are looked up": repeated("{% set ns.s = (ns.s, ns.s) %}") + "{{ fields[ns.s] }}",
    "tuples that are keys": repeated("{% set ns.s = (ns.s, ns.s) %}") + "{{ {ns.s: 1} }}",
    "macros that call each other": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}"
    "{% endif %}{% endmacro %}{{ m(40) }}",
    "a loop that calls itself": "{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "a width out of a value": "{{ '%*d' % (999999999, 1) }}",
    "a wide filter": "{{ '%999999999d' | format(1) }}",
    "wide braces": "{{ '{:999999999}'.format(1) }}",
    "braces in braces": "{{ '{:{}}'.format(1, 999999999) }}",
    "a text, put in often": "{{ ('%(a)s' * 99999) % {'a': 'b' * 99999} }}",
    "a text, put in often by a filter": "{{ ('%(a)s' * 99999) | format(a='b' * 99999) }}",
    "a text, put in often by braces": "{{ ('{0}' * 99999).format('b' * 99999) }}",
    "a text, put in often by name": "{{ ('{a}' * 99999).format_map({'a': 'b' * 99999}) }}",
    "many wide formats": "{{ ('%(a)9999d' * 99999) % {'a': 1} }}",
    "many wide braces": "{{ ('{0:9999}' * 99999).format(1) }}",
    "replaced by much": "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
    "replaced between": "{{ ('a' * 99999).replace('', 'b' * 99999) }}",
    "joined by much": "{{ ('a' * 99999).join(['b'] * 99999) }}",
    "joined by much, filtered": "{{ (['a'] * 99999) | join('b' * 99999) }}",
    "indented far": "{{ ('\\n' * 99999) | indent(99999) }}",
    "JSON indented far": "{{ (range(9999) | list) | tojson(indent=99999) }}",
    "wrapped with much": "{{ ('a ' * 99999) | wordwrap(1, wrapstring='b' * 99999) }}",
    "lists summed up": "{{ ([[1] * 99] * 9999) | sum(start=[]) }}",
    "slices of nothing": "{{ [1] | slice(10**9) | list }}",
    "filled up": "{{ [1] | batch(10**9, 0) | list }}",
    "rounded far": "{{ 1.5 | round(10**9) }}",
    "long division": "{{ ('f' * 999999) | int(0, 16) // ('f' * 499999) | int(0, 16) }}",
    "tags taken out": "{{ ('<a>' * 300000) | striptags }}",
    "stripped of much": "{{ ('a' * 499999).strip('b' * 499999 ~ 'a') }}",
    "trimmed of much": "{{ ('a' * 499999) | trim('b' * 499999 ~ 'a') }}",
    "sought from behind": "{{ ('a' * 499999).rfind('b' ~ 'a' * 249999) }}",
    "replaced in each of many": "{{ range(9999) | map('replace', '', 'x' * 9999) | join }}",
    "much that stands there": "{% for i in range(9999) %}" + "a" * 9_999 + "{% endfor %}",
}


@pytest.mark.parametrize("template", BOMBS.values(), ids=BOMBS)
def test_what_would_go_on_for_long_is_ended(template: str) -> None:
    before = time.thread_time()

    with pytest.raises((TooMuch, RecursionError, SecurityError)):
        filled(template)

    assert time.thread_time() - before < CPU_SECONDS


@pytest.mark.parametrize(
    "template",
    [
        "{{ ().__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ fields.__class__ }}",
        "{{ fields['__class__'] }}",
        "{{ fields.update({}) }}",
        "{{ fields.list.append(1) }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ self._TemplateReference__context }}",
        "{{ range.__globals__ }}",
        "{{ fields | attr('__class__') }}",
        "{{ 'a'.ljust(9) }}",
        "{{ lipsum() }}",
        "{{ environment }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_nothing_but_the_data_is_within_reach(template: str) -> None:
    with pytest.raises((TemplateError, TypeError)):
        filled(template)


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{{ fields.items }}", "of the field"),
        ("{% for k, v in fields | items %}{{ k }} {% endfor %}", "items list none true text "),
        ("{{ fields.none }}|{{ fields.true }}", "|true"),
        ("{{ fields.list | map('string') | join('-') }}", "1-2"),
        ("{% for x in fields.list %}{{ loop.index }}{{ loop.last }}{% endfor %}", "1false2true"),
        ("{{ fields.gone | default('-') }} {{ fields.gone is defined }}", "- false"),
        ("{{ fields.text.split('-') | first | upper }}", "A"),
        ("{{ '%05.1f' % 2.25 }} {{ '{:>4}'.format(1) }}", "002.2    1"),
        ("{{ 'b' in fields.text and 3 in [1, 2, 3] }}", "true"),
        ("{{ ['a', 'b'].count('a') }} {{ ', '.join(['a', 'b']) }}", "1 a, b"),
        ("{% set ns = namespace(n=0) %}{% for i in range(99) %}{% set ns.n = ns.n + i %}"
         "{% endfor %}{{ ns.n }}", "4851"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(1) }}{{ m(2) }}", "<1><2>"),
        ("{{ 2 ** 10 }} {{ 7 % 4 }} {{ 'ab' * 2 }}", "1024 3 abab"),
        ("{{ ' a '.strip() }}{{ '(b)' | trim('()') }}{{ '<i>c</i>' | striptags }}", "abc"),
        ("{{ 'a/b/c'.rsplit('/', 1) | last }} {{ '0x1f' | int(0, 16) }} {{ 7 // 2 }}", "c 31 3"),
    ],
)  # fmt: skip
def test_what_people_write_works(template: str, written: str) -> None:
    assert filled(template) == written


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TemplateError, match="'tilte' is undefined"):
        filled("{{ tilte }}")


def test_each_rendering_has_a_purse_of_its_own() -> None:
    environment = BoundedEnvironment(autoescape=False)
    template = environment.from_string("{% for i in range(9000) %}.{% endfor %}")

    for _ in range(20):
        with environment.bounded():
            assert len(template.render()) == 9_000


def test_a_text_of_the_largest_size_is_fine_and_a_longer_one_is_not() -> None:
    environment = BoundedEnvironment(autoescape=False)
    template = environment.from_string("{{ text | upper }}")

    def render(text: Any) -> str:
        with environment.bounded():
            return template.render(text=text)

    assert len(render("a" * LARGEST)) == LARGEST
    with pytest.raises(TooMuch):
        render("a" * (LARGEST + 1))
