"""What a question is about, as a part of a request's body (`pipeline.api.v1.references`)."""

from __future__ import annotations

from typing import Any

from pipeline.past import Content, Reference


def sent(of: Reference | None) -> dict[str, Any]:
    """The part of the body that says it; empty for None. A file goes along as its text."""
    match of:
        case None:
            return {}
        case Content(name, text):
            return {"file": {"name": name, "text": text}}
    return {"event": of}
