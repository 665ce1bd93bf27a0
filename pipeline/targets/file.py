"""File: `file:///path?max_bytes=&backup_count=` actions append a line of JSON to a file.

It rotates as the publisher of that name does (`pipeline.line_file`). Actions that somebody else
than an admin set write in the folders of `delivery.file_folders` only: who may write an alarm
could otherwise append to any file that Tocsin may write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from marshmallow import ValidationError, fields
from marshmallow.validate import Range

from pipeline.errors import InvalidValue
from pipeline.line_file import LineFile
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.targets import options
from pipeline.targets.base import Tools
from pipeline.targets.document import document
from pipeline.targets.options import TargetSchema


def _check_path(path: str) -> None:
    if not Path(path).is_absolute() or path.endswith("/") or "\0" in path:
        raise ValidationError("Give the whole path of a file, as /var/log/tocsin/alarms.json.")


class FileSchema(TargetSchema):
    """The options of a file."""

    path = options.text(required=True, validate=_check_path)
    max_bytes = fields.Integer(load_default=0, validate=Range(min=0))
    backup_count = fields.Integer(load_default=0, validate=Range(min=0))


class FileTarget:
    """Appends what is told to a file, a line of JSON each."""

    schema = FileSchema
    heeds_guard = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._templates, self._folders = tools.templates, tools.settings.file_folders
        self._path = Path(options["path"])
        self._file = LineFile(self._path, options["max_bytes"], options["backup_count"])

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The path, and the options behind it. Raises `InvalidValue` where a host is named."""
        parts = urlsplit(action)
        if parts.netloc not in ("", "localhost"):
            raise InvalidValue(
                f"{parts.netloc.rpartition('@')[2]!r} stands where a host would. Write three"
                " slashes, as file:///var/log/tocsin/alarms.json"
            )
        return {**dict(parse_qsl(parts.query)), "path": unquote(parts.path)}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Append it; a file that cannot be written may be mended."""
        if delivery.guarded and not _lies_in(self._path, self._folders):
            return Refused(
                f"{self._path} lies in no folder of delivery.file_folders, and this action was"
                " set by somebody else than an admin. Let an admin add its folder there",
                asked=False,
            )
        try:
            line = document(delivery, self._templates).decode()
            self._file.append([line])
        except InvalidValue as error:
            return Refused(str(error), asked=False)
        except OSError as error:
            return Failed(self._file.reason(error))
        return Delivered()

    def close(self) -> None:
        """Close the file; the next notification opens it again."""
        self._file.close()


def _lies_in(path: Path, folders: Sequence[str]) -> bool:
    """Whether a file lies in one of the folders or below, wherever links lead."""
    real = path.resolve()
    return any(real.is_relative_to(Path(folder).resolve()) for folder in folders)
