"""Templates in a target's own options are filled in with what is told."""

from __future__ import annotations

import pytest

from pipeline.errors import InvalidValue
from pipeline.templates import Templates

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
