"""Templates in a target's own options are filled in with what is told."""

from __future__ import annotations

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidValue
from pipeline.templates import Templates, check_template

from builders import a_notification, an_occurrence


def test_a_template_sees_the_traits_of_the_event() -> None:
    said = Templates().expand("{{ traits.initiator_id }} {{ fields.traits.project_id }}",
                              a_notification(), {})  # fmt: skip

    assert said == "u-1 p-1"


def test_what_is_missing_is_empty_unless_all_must_be_there() -> None:
    templates, told = Templates(), an_occurrence()

    assert templates.expand("<{{ traits.user_id }}>", told, {}) == "<>"
    with pytest.raises(InvalidValue, match="user_id"):
        templates.expand("<{{ traits.user_id }}>", told, {}, strict=True)
    assert templates.expand("{{ traits.user_id | default('-') }}", told, {}, strict=True) == "-"


def test_a_template_sees_the_notification_in_words() -> None:
    said = Templates().expand(
        "{{ title }}|{{ message }}|{{ markdown }}|{{ severity }}|{{ timestamp }}|{{ kind }}"
        "|{{ created_at }}|{{ timestamp(0) }}|{{ '<html' in html }}",
        an_occurrence("message", text="it's *up*", title="Up"),
        {},
    )

    assert said == (
        "Up|it's *up*|it's \\*up\\*|info|1767355200|message|2026-01-02 12:00:00+00:00"
        "|1970-01-01 00:00:00 UTC|true"
    )


def test_filters_make_values_fit_for_json_and_urls() -> None:
    told = an_occurrence("message", text='say "a/b"\n', list=[1, None])

    said = Templates().expand(
        '{"text": "{{ fields.text | escape }}", "all": {{ fields | json }}}\n', told, {}
    )

    assert json.loads(said) == {"text": 'say "a/b"\n', "all": dict(told.fields)}
    assert said.endswith("}\n")
    assert Templates().expand("{{ fields.text | url_encode }}", told, {}) == "say%20%22a%2Fb%22%0A"
    assert Templates().expand("{{ 2048 | human_bytes }} {{ 90 | duration }}", told, {}) == (
        "2 KiB 1m 30s"
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ secrets.token.gone.more }}",
        "{{ fields[secrets.token].more }}",
        "{{ (fields[secrets.token[:5]]).more }}",
        "{{ table([secrets.token], secrets.token) }}",
        "{{ table([{'id': 'a', 'renderer': secrets.token}], []) }}",
        "{{ secrets.token | round }}",
        "{{ secrets.token() }}",
        "{{ [secrets.token]() }}",
        "{{ '%d' % secrets.token }}",
        "{% include secrets.token %}",
        "{{ secrets.token | groupby(secrets.token) | list }}",
        "{{ secrets.token * 99999999 }}",
        "{{ secrets.token.ljust(9) }}",
        "{{ secrets.token.format(secrets).x.y }}",
        "{{ secrets.token['__class__'] }}",
    ],
)
def test_an_error_tells_no_secret(template: str) -> None:
    secret = "hunter2-of-mine"

    with pytest.raises(InvalidValue) as caught:
        Templates().expand(template, an_occurrence(), {"token": secret}, strict=True)

    told = "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith("the template fails: ")
    assert not any(secret[i : i + 5] in told for i in range(len(secret) - 4))


def test_an_error_says_what_is_wrong() -> None:
    def error_of(template: str) -> str:
        with pytest.raises(InvalidValue) as caught:
            Templates().expand(template, an_occurrence(), {"token": "hunter2"}, strict=True)
        return str(caught.value)

    assert error_of("{{ secrets.tokn }}") == (
        "the template fails: 'dict object' has no attribute 'tokn'. "
        "Write `| default('')` behind what may be missing."
    )
    assert error_of("{{ 1 +") == ("the template fails: unexpected 'end of template' (line 1).")
    assert error_of("{{ 1 / 0 }}") == "the template fails: ZeroDivisionError in line 1."


def test_a_target_s_template_is_bounded_too() -> None:
    with pytest.raises(InvalidValue, match="too much"):
        Templates().expand(
            "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
            an_occurrence(),
            {},
        )


@given(st.text(), st.text(min_size=4))
def test_any_template_is_filled_in_or_refused_without_the_secret(text: str, secret: str) -> None:
    try:
        Templates().expand(text, an_occurrence(), {"token": secret})
    except InvalidValue as error:
        assert secret in text or secret not in str(error)  # noqa: PT017 - what it says matters


def test_a_template_can_be_checked_before_it_is_used() -> None:
    check_template("{{ traits.user_id | url_encode }} {{ anything }}")
    with pytest.raises(InvalidValue, match=r"No filter named 'url_encod'. \(line 2\)"):
        check_template("\n{{ 1 | url_encod }}")
    with pytest.raises(InvalidValue, match=r"unexpected 'end of template' \(line 1\)"):
        check_template("{{ 1 +")
    with pytest.raises(InvalidValue, match="RecursionError"):
        check_template("{{ " + "(" * 9_000)
