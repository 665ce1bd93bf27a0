"""The fields of which targets' options are made, for their schemas (marshmallow).

class GotifySchema(TargetSchema):
    server = url(required=True)
    token = secret(required=True)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Range

from pipeline.errors import InvalidValue
from pipeline.strict_schema import StrictSchema
from pipeline.targets.signing import keys_of
from pipeline.templates import check_template

DIRECT: Final = "direct"
"""In place of a proxy's URL: none, whatever the settings say."""

_NEEDED = {"client_key": "client_certificate", "proxy_credentials": "proxy"}


class TargetSchema(StrictSchema):
    """The options of a type of target. Proxmox's spelling is as good: `from-address`."""

    def spelled(self, key: Any) -> Any:
        """With underscores."""
        return key.replace("-", "_") if isinstance(key, str) else key


def text(**settings: Any) -> fields.String:
    """A text that anybody may see."""
    return fields.String(**_mandatory(settings))


def secret(**settings: Any) -> fields.String:
    """A text that is kept encrypted and never shown."""
    return fields.String(metadata={"secret": True}, **_mandatory(settings))


def url(**settings: Any) -> fields.String:
    """An http or https URL that names a host."""
    return fields.String(validate=check_url, **_mandatory(settings))


def template(**settings: Any) -> fields.String:
    """A template over a notification (`Templates.expand`)."""
    return fields.String(validate=_check_template, **_mandatory(settings))


def templates() -> NamedTemplates:
    """Templates by name; none, if not given."""
    return NamedTemplates("=", load_default=dict)


def is_secret(field: Any) -> bool:
    """Whether what a schema's field holds is a secret."""
    return bool(field.metadata.get("secret"))


def _mandatory(settings: dict[str, Any]) -> dict[str, Any]:
    return {"error_messages": {"required": "Mandatory field missing."}, **settings}


def _check_signing(value: str) -> None:
    try:
        keys_of([value])
    except InvalidValue as error:
        raise ValidationError(str(error)) from error


def check_url(value: str) -> None:
    """Raise `ValidationError` for what is no http or https URL; it is not repeated."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValidationError("Not an http or https URL that names a host.")


def _check_template(source: str) -> None:
    try:
        check_template(source)
    except InvalidValue as error:
        raise ValidationError(str(error)) from error


def _check_proxy(value: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if value != DIRECT and not usable:
        raise ValidationError(f"Not a proxy: write http://host:port, or {DIRECT} for none.")
    if value != DIRECT and "@" in parts.netloc:
        raise ValidationError("Everybody sees it: give user:password as proxy_credentials.")


class HttpSchema(TargetSchema):
    """The options that every target over HTTP has, beside those of its type."""

    verify = fields.Boolean()
    ca_bundle = text()
    client_certificate = text()
    client_key = text()
    proxy = text(validate=_check_proxy)
    proxy_credentials = secret()
    timeout = fields.Float(
        validate=Range(min=0, min_inclusive=False, error="Give more than 0 seconds.")
    )

    @validates_schema
    def _pairs(self, data: Mapping[str, Any], **_: Any) -> None:
        for name, needed in _NEEDED.items():
            if data.get(name) and not data.get(needed):
                raise ValidationError(f"{name} needs {needed} beside it.", name)


class SignedSchema(HttpSchema):
    """Those of a target that signs what it sends (`pipeline.targets.signing`)."""

    signing_secret = secret(validate=_check_signing)


class Pairs(fields.Dict):
    """Texts by name, in each of the ways in which people write them: a mapping, a list of
    `{name: …, value: …}`, a list of texts with `separator` between name and value, or one such
    text."""

    def __init__(self, separator: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._separator = separator

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> dict[Any, Any]:
        if isinstance(value, Mapping):
            items = list(value.items())
        else:
            items = [self._pair(item) for item in (value if isinstance(value, list) else [value])]
        if not all(isinstance(text, str) and text for item in items for text in item[:1]):
            raise ValidationError(self._expected)
        if not all(isinstance(text, str) for _, text in items):
            raise ValidationError(self._expected)
        found = dict(items)
        if len(found) < len(items):
            raise ValidationError("One name stands there twice.")
        return found

    def _pair(self, item: Any) -> tuple[Any, Any]:
        match item:
            case {"name": name, "value": value}:
                return name, value
            case str() if self._separator in item:
                name, _, value = item.partition(self._separator)
                return name.strip(), value.strip()
        raise ValidationError(self._expected)

    @property
    def _expected(self) -> str:
        return f"Give a name and a value, both texts, for each: name{self._separator} value."


class NamedTemplates(Pairs):
    """Templates by name."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **given: Any) -> dict[Any, Any]:
        found = super()._deserialize(value, attr, data, **given)
        problems: dict[str, list[str]] = {}
        for name, source in found.items():
            try:
                _check_template(source)
            except ValidationError as error:
                problems[name] = [str(message) for message in error.messages]
        if problems:
            raise ValidationError(problems)
        return found
