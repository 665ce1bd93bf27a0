"""StrictSchema: a marshmallow schema that names each key it does not know.

The base of what people write: alarms, targets, matchers. A null is as good as no value, as in
Aodh. Used by whoever takes in such documents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, pre_load, validates_schema

from pipeline.registry import did_you_mean


class StrictSchema(Schema):
    """Names all keys that it does not know, each with what was perhaps meant.

    `ignored` are keys that somebody else reads.
    """

    class Meta:
        unknown = EXCLUDE

    ignored: Collection[str] = frozenset()
    error_messages = {"type": "An object with named fields is needed here."}  # noqa: RUF012

    @pre_load
    def _without_nulls(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {self.spelled(key): value for key, value in data.items() if value is not None}

    def spelled(self, key: Any) -> Any:
        """The key that is meant by this one."""
        return key

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _known_keys(self, _: Any, original: Any, **__: Any) -> None:
        if isinstance(original, Mapping):
            known = {*self._names(), *self.ignored}
            unknown = [key for key in original if self.spelled(key) not in known]
            if unknown:
                raise ValidationError({str(k): [self._unknown(str(k))] for k in unknown})

    def _unknown(self, key: str) -> str:
        return f"Unknown attribute: {key}.{did_you_mean(key, self._names())}"

    def _names(self) -> list[str]:
        """The keys as people write them, which may be other than the fields' own names."""
        return [field.data_key or name for name, field in self.fields.items()]
