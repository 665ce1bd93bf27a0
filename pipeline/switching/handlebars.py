"""Handlebars → Jinja: the templates of Proxmox's webhooks as Tocsin's. Pure.

Carried over are names, the helpers `json`, `escape` and `url-encode`, conditions (`if`, `unless`,
`else`, with `eq`, `ne`, `and`, `or`, `not`), comments, and the cutting of blanks (`~`). Anything
else, such as loops and partials, is refused with its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pipeline.errors import InvalidValue

_TAG = re.compile(r"\{\{!--.*?--\}\}|\{\{\{(?P<raw>.*?)\}\}\}|\{\{(?P<tag>.*?)\}\}", re.DOTALL)
_WORD = re.compile(r"""\(|\)|"[^"]*"|'[^']*'|[^\s()]+""")
_STEP = re.compile(r"\[([^\]]*)\]|[^.\[\]]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_JINJA = re.compile(r"\{[%#]")
_KNOWN: Final = ("title", "message", "severity", "timestamp", "fields", "secrets")
_FILTERS: Final[Mapping[str, str]] = {
    "json": "json",
    "escape": "escape",
    "url-encode": "url_encode",
}
_BETWEEN: Final[Mapping[str, str]] = {"eq": "==", "ne": "!=", "and": "and", "or": "or"}
_BLOCKS: Final = ("if", "unless")


def to_jinja(template: str) -> str:
    """The same template for Jinja. Raises `InvalidValue` for what cannot be carried over."""
    written: list[str] = []
    blocks: list[str] = []
    at = 0
    for found in _TAG.finditer(template):
        written.append(_literal(template[at : found.start()]))
        at = found.end()
        inner = found["raw"] if found["raw"] is not None else found["tag"]
        if inner is not None and not inner.lstrip("~").startswith("!"):
            written.append(_tag(inner, blocks))
    if blocks:
        raise InvalidValue(f"{{{{#{blocks[-1]}}}}} is not closed")
    return "".join([*written, _literal(template[at:])])


def _literal(text: str) -> str:
    """Text that stays as it is, also where it looks like Jinja."""
    return _JINJA.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def _tag(inner: str, blocks: list[str]) -> str:
    left, right = ("-" if inner.startswith("~") else ""), ("-" if inner.endswith("~") else "")
    text = inner.strip("~").strip()
    if text.startswith("&"):
        text = text[1:].strip()
    statement = _statement(text, blocks)
    if statement is not None:
        return f"{{%{left} {statement} {right}%}}"
    return f"{{{{{left} {_expression(text)} {right}}}}}"


def _statement(text: str, blocks: list[str]) -> str | None:
    """A tag that writes nothing; None for one that writes a value."""
    if text.startswith("/"):
        return _closed(text[1:].strip(), blocks)
    if text == "else":
        return "else"
    if text.startswith("else if "):
        return f"elif {_expression(text[8:])}"
    if text.startswith("#"):
        name, _, rest = text[1:].strip().partition(" ")
        if name not in _BLOCKS:
            raise InvalidValue(f"{{{{#{name}}}}} cannot be carried over")
        blocks.append(name)
        condition = _expression(rest)
        return f"if not ({condition})" if name == "unless" else f"if {condition}"
    if text[:1] in (">", "^", "*"):
        raise InvalidValue(f"{{{{{text}}}}} cannot be carried over")
    return None


def _closed(name: str, blocks: list[str]) -> str:
    if not blocks or blocks.pop() != name:
        raise InvalidValue(f"{{{{/{name}}}}} closes what was not opened")
    return "endif"


def _expression(text: str) -> str:
    """A value, or a helper with its arguments."""
    words = _words(text)
    if len(words) > 1 and words[0] != "(":
        return _call(words)
    return _only(words)


def _only(words: Sequence[str]) -> str:
    """One value, or one helper in brackets."""
    found = _arguments(words)
    if len(found) != 1:
        raise InvalidValue(f"{{{{{' '.join(words)}}}}} says nothing that is known")
    return found[0]


def _call(words: Sequence[str]) -> str:
    """A helper with its arguments, each of which may be one in brackets."""
    if not words:
        raise InvalidValue("{{}} says nothing")
    arguments = _arguments(words[1:])
    match words[0], arguments:
        case ("not", [one]):
            return f"not {one}"
        case (("eq" | "ne" | "and" | "or") as name, [one, other]):
            return f"{one} {_BETWEEN[name]} {other}"
        case ("lookup", [one, other]):
            return f"{one}[{other}]"
        case (name, [one]) if name in _FILTERS:
            return f"{one} | {_FILTERS[name]}"
    raise InvalidValue(f"{{{{{' '.join(words)}}}}} cannot be carried over")


def _arguments(words: Sequence[str]) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(words):
        if words[at] != "(":
            found.append(_value(words[at]))
            at += 1
            continue
        end = _closing(words, at)
        found.append(f"({_call(words[at + 1 : end])})")
        at = end + 1
    return found


def _closing(words: Sequence[str], start: int) -> int:
    depth = 0
    steps: Mapping[str, int] = {"(": 1, ")": -1}
    for at in range(start, len(words)):
        depth += steps.get(words[at], 0)
        if depth == 0:
            return at
    raise InvalidValue("a bracket is not closed")


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _value(word: str) -> str:
    """A name or a constant."""
    if word[:1] in ("'", '"'):
        return json.dumps(word[1:-1], ensure_ascii=False)
    if word in ("true", "false", "null"):
        return {"null": "none"}.get(word, word)
    if _NUMBER.fullmatch(word):
        return word
    first, *rest = _steps(word)
    if first not in _KNOWN:
        raise InvalidValue(f"{{{{{word}}}}}: there is no {first}. Known are {', '.join(_KNOWN)}")
    written: Callable[[str], str] = lambda step: (  # noqa: E731
        f".{step}" if _NAME.fullmatch(step) else f"[{json.dumps(step, ensure_ascii=False)}]"
    )
    return first + "".join(map(written, rest))


def _steps(word: str) -> list[str]:
    path = word.removeprefix("this.").removeprefix("./").removeprefix("@root.").replace("/", ".")
    found = [step[1] if step[1] is not None else step[0] for step in _STEP.finditer(path)]
    if not found:
        raise InvalidValue(f"{{{{{word}}}}} cannot be carried over")
    return found
