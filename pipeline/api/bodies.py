"""Bodies that come in chunks: held to the same size as those whose length is said.

WSGI knows only their end, and Flask would cut a long one off and read what is left as if it were
all. Here such a body is read when it is first asked for, no more than may be, and refused (413)
where there is more.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

from cheroot.errors import MaxSizeExceeded
from werkzeug.exceptions import RequestEntityTooLarge

_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
_TOO_LARGE = "Request Entity Too Large"


def bounded(app: _Wsgi, most: int) -> _Wsgi:
    """The application, with bodies of at most so many bytes."""

    def asked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = io.BufferedReader(_Body(environ["wsgi.input"], most))
        return app(environ, start_response)

    return asked


class _Body(io.RawIOBase):
    """Reads all of a body at the first read."""

    def __init__(self, source: Any, most: int) -> None:
        self._source, self._most = source, most
        self._read: io.BytesIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._read is None:
            self._read = io.BytesIO(self._all())
        return self._read.readinto(buffer)

    def _all(self) -> bytes:
        try:
            body: bytes = self._source.read(self._most + 1)
        except MaxSizeExceeded as error:
            raise RequestEntityTooLarge from error
        except OSError as error:
            # cheroot's word for a chunk that is larger than all of the body may be.
            if error.args and error.args[0] == _TOO_LARGE:
                raise RequestEntityTooLarge from error
            raise
        if len(body) > self._most:
            raise RequestEntityTooLarge
        return body
