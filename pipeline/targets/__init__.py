"""… DELIVERED: each target turns a notification into what its receiver understands."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

from marshmallow import Schema, ValidationError, fields

from pipeline import registry
from pipeline.dispatch import TargetEntry, named, scheme
from pipeline.dispatch.secret_values import by_name, has_kept, kept_where_empty
from pipeline.errors import InvalidValue, NotFound
from pipeline.hiding import hidden, spellings
from pipeline.lookups import Lookup, filled, has_lookup, mistyped
from pipeline.masking import holds_secret, mask_url
from pipeline.targets.base import Target, TargetType, Tools
from pipeline.targets.discreet import DiscreetTarget
from pipeline.targets.options import is_secret

TYPES, ACTIONS = "tocsin.targets", "tocsin.actions"
OTHER_ACTIONS = "tocsin.other_actions"
"""Types that say by themselves which schemes they take (`takes`), of those that no type has."""

NAMED_ACTIONS = ("group", "target")
"""The schemes of actions that lead to what people gave a name: `target:mail`, `group:admins`."""

_KEPT = 4_096
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


class Entries(Protocol):
    """What is needed of the targets that people named."""

    def target(self, name: str) -> TargetEntry:
        """The target of this name as it now is, secrets in clear. Raises `NotFound`."""


class NoEntries:
    """No target has a name."""

    def target(self, name: str) -> TargetEntry:
        """Raises `NotFound`."""
        raise NotFound(f"Target {name} not found")


def no_lookups(lookup: Lookup) -> str:
    """Looks nothing up: raises `InvalidValue`."""
    raise InvalidValue(f"{lookup}: nothing is looked up here")


class _Wanted(NamedTuple):
    """A named target's entry with all that it looks up, and what that was."""

    entry: TargetEntry
    looked_up: tuple[str, ...] = ()


class Targets:
    """A target for each action, made when it is first asked for. Safe from many threads.

    `look_up` gives what `${env:NAME}` and `${file:PATH}` in a named target's options stand for. A
    target is made anew when its entry has changed, or what it looks up.
    """

    def __init__(
        self,
        tools: Tools,
        entries: Entries | None = None,
        look_up: Callable[[Lookup], str] = no_lookups,
    ) -> None:
        self._tools, self._entries, self._look_up = tools, entries or NoEntries(), look_up
        self._made: OrderedDict[str, tuple[_Wanted | None, Target]] = OrderedDict()
        self._lock = threading.Lock()

    def for_action(self, action: str) -> Target:
        """The target that an action leads to. Raises `InvalidValue` when it leads to none."""
        wanted = self._wanted(action)
        with self._lock:
            made = self._made.get(action)
            if made is None or made[0] != wanted:
                self._drop(action)
                made = self._made[action] = (wanted, self._make(action, wanted))
                while len(self._made) > _KEPT:
                    self._drop(next(iter(self._made)))
            return made[1]

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            while self._made:
                self._drop(next(iter(self._made)))
        self._tools.http.close()

    def _wanted(self, action: str) -> _Wanted | None:
        if (name := named(action, "target")) is None:
            return None
        try:
            entry = self._entries.target(name)
        except NotFound as error:
            raise InvalidValue(str(error)) from error
        if entry.disable:
            raise InvalidValue(
                f"target {name} is disabled. `tocsin target update {name} --enable` enables it,"
                " `tocsin dead-letter replay` tries again"
            )
        if not (has_lookup(entry.options) or has_lookup(entry.secrets)):
            return _Wanted(entry)
        return self._looked_up(entry)

    def _looked_up(self, entry: TargetEntry) -> _Wanted:
        found: list[str] = []

        def look_up(lookup: Lookup) -> str:
            found.append(self._look_up(lookup))
            return found[-1]

        try:
            options, secrets = filled(entry.options, look_up), filled(entry.secrets, look_up)
        except InvalidValue as error:
            raise InvalidValue(f"target {entry.name}: {error}") from error
        return _Wanted(replace(entry, options=options, secrets=secrets), tuple(found))

    def _make(self, action: str, wanted: _Wanted | None) -> Target:
        if wanted is None:
            return from_action(action, self._tools)
        entry, looked_up = wanted
        try:
            target = from_options(entry.type, {**entry.options, **entry.secrets}, self._tools)
        except InvalidValue as error:
            if not looked_up:
                raise
            said = hidden(str(error), spellings(looked_up))
            raise InvalidValue(f"target {entry.name}: {said}", error.field) from None
        return DiscreetTarget(target, looked_up) if looked_up else target

    def _drop(self, action: str) -> None:
        if made := self._made.pop(action, None):
            made[1].close()


def types() -> list[str]:
    """The types that a target may have, sorted."""
    return registry.names(TYPES)


def of_type(type: str) -> TargetType:
    """The type of this name. Raises `InvalidValue` for an unknown one."""
    found: TargetType = registry.find(TYPES, type)
    return found


def from_options(type: str, options: Mapping[str, Any], tools: Tools) -> Target:
    """A target of this type. Raises `InvalidValue` for an unknown type or unfit options."""
    found = of_type(type)
    return found(loaded(found, options), tools)


def from_action(action: str, tools: Tools) -> Target:
    """The target that an action's URL stands for. Raises `InvalidValue` if there is none."""
    found = _type_of(action)
    return found(loaded(found, found.options_of(action)), tools)


def check_action(action: str) -> None:
    """Raise `InvalidValue` for an action that nothing can carry out. No secret of it is shown.

    Whether there is a target or group of this name is not looked at here.
    """
    shown = mask_url(action)
    if (kind := scheme(action)) in NAMED_ACTIONS:
        if (name := named(action, kind)) and action.endswith(f":{name}"):
            return
        if name:
            raise InvalidValue(f"Unable to parse action {shown}. Write {kind}:{name}, no blanks.")
        raise InvalidValue(
            f"Unsupported action {shown}. No name stands behind it: write {kind}:NAME."
        )
    try:
        found = _type_of(action)
    except InvalidValue as error:
        raise InvalidValue(f"Unsupported action {shown}. {error}") from error
    try:
        loaded(found, found.options_of(action))
    except InvalidValue as error:
        raise InvalidValue(f"Unable to parse action {shown}. {error}") from error


def loaded(type: TargetType, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options as the type's schema loads them. Raises `InvalidValue` with all problems."""
    try:
        values: Mapping[str, Any] = _schema(type.schema).load(dict(options))
    except ValidationError as error:
        raise InvalidValue(_said(error.messages_dict)) from error
    return values


def checked_options(
    type: str, options: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A target's options as people wrote them: those that anybody may see, and the secrets.

    An option that has a secret in it, such as a URL with a password, is a secret as well.
    A name may have hyphens where the type's own has underscores: `from-address`.
    Of a secret that is `***`, or that is named without a value, the secret has `***`: it stays as
    it is kept (notifications 6). An empty one is unfit: nothing is ever sent with it. Whether what
    `${env:NAME}` and `${file:PATH}` stand for is fit is seen when it is looked up; what is nearly
    a lookup, `${envv:NAME}`, is unfit. Raises `InvalidValue` for an unknown type or unfit options,
    with all problems.
    """
    schema = _schema(of_type(type).schema)
    options = {_own_name(schema, key): value for key, value in options.items()}
    secret = {f.data_key or name: f for name, f in schema.fields.items() if is_secret(f)}
    kept_apart = {
        key for key, value in options.items() if key in secret or has_kept(value) or _tells(value)
    }
    public = {key: value for key, value in options.items() if key not in kept_apart}
    secrets = {
        key: _given(value, secret.get(key)) for key, value in options.items() if key in kept_apart
    }
    problems = schema.validate({**public, **secrets})
    # What is kept was checked when it came; what is looked up is checked when it is.
    said = {
        name: texts
        for name, texts in problems.items()
        if not (has_kept(secrets.get(name)) or has_lookup(options.get(name)))
    }
    said |= {name: [told] for name, value in options.items() if (told := mistyped(value))}
    said = _without_anything({name: secrets.get(name) for name in secret}) | said
    if said:
        raise InvalidValue(_said(said), None, said)
    return public, secrets


def _without_anything(secrets: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of secrets that are empty: as of an empty file, or a variable of a shell's
    that is not set. Several by their names, as marshmallow has it."""
    said: dict[str, Any] = {}
    for name, secret in secrets.items():
        if isinstance(secret, Mapping):
            said[name] = _without_anything(secret)
        elif isinstance(secret, str) and not secret.strip():
            said[name] = ["The secret is empty. Give it a value, or leave it out."]
    return {name: texts for name, texts in said.items() if texts}


def _tells(value: Any) -> bool:
    """Whether an option that anybody may see has a secret in it: a URL with a password, a header
    with a token. It is then kept as one."""
    if isinstance(value, Mapping):
        return any(map(_tells, value.values())) or any(
            isinstance(inner, str) and holds_secret(inner, str(name))
            for name, inner in value.items()
        )
    if isinstance(value, (list, tuple)):
        return any(map(_tells, value))
    if not isinstance(value, str):
        return False
    name, _, rest = value.partition(":")  # a header, as one text
    return holds_secret(value) or (
        _HEADER_NAME.fullmatch(name) is not None and holds_secret(rest, name)
    )


def _given(secret: Any, field: Any) -> Any:
    """A secret as it is kept: several by their names, however they were written."""
    return kept_where_empty(by_name(secret) if isinstance(field, fields.Mapping) else secret)


def fields_of(type: str) -> Mapping[str, Any]:
    """The fields of a type's options, by the names that people write, sorted.

    Raises `InvalidValue` for an unknown type.
    """
    named = {f.data_key or name: f for name, f in _schema(of_type(type).schema).fields.items()}
    return dict(sorted(named.items()))


def _own_name(schema: Schema, written: str) -> str:
    """The option's name as the type has it."""
    known = {field.data_key or name for name, field in schema.fields.items()}
    spellings = (written, written.replace("-", "_"), written.replace("_", "-"))
    return next((spelling for spelling in spellings if spelling in known), written)


def _type_of(action: str) -> TargetType:
    kind = scheme(action)
    known = registry.names(ACTIONS)
    if kind not in known:
        for name in registry.names(OTHER_ACTIONS) if kind else ():
            other: Any = registry.find(OTHER_ACTIONS, name)
            if other.takes(kind):
                return cast(TargetType, other)
        every = sorted((*known, *NAMED_ACTIONS))
        raise InvalidValue(f"unknown action {kind!r}. {registry.one_of(kind, every)}")
    found: TargetType = registry.find(ACTIONS, kind)
    return found


@lru_cache
def _schema(make: type[Schema]) -> Schema:
    return make()


def _said(messages: Mapping[str, Any]) -> str:
    return " ".join(_told(messages, ()))


def _told(messages: Any, at: tuple[str, ...]) -> Iterator[str]:
    """Each problem behind the name of its option: `parameters.USER_ID: …`."""
    if isinstance(messages, Mapping):
        for name, below in messages.items():
            # What marshmallow says of a mapping's items stands under these.
            is_of_item = len(at) > 1 and name in ("key", "value")
            part = () if is_of_item or name == "_schema" else (str(name),)
            yield from _told(below, at + part)
        return
    for text in messages if isinstance(messages, list) else [messages]:
        yield f"{'.'.join(at)}: {text}" if at else str(text)
