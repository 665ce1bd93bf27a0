"""CORS: which pages of other origins may ask the API in a browser (the Fetch standard).

None, unless settings name their origins, and these exactly. Cookies play no part: who asks is
shown by a header that the page has to know, so credentials are never allowed.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import Request, Response

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = "Authorization, Content-Type, If-Match, X-Auth-Token, X-Openstack-Request-Id"
_SHOWN_HEADERS = "ETag, Retry-After, X-Openstack-Request-Id"
_KEPT_SECONDS = 600


def is_preflight(request: Request, origins: Collection[str]) -> bool:
    """Whether a browser asks if a page of one of the origins may send a request."""
    return (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
        and request.headers.get("Origin") in origins
    )


def preflight() -> Response:
    """It may. `allow` says to which origin."""
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": str(_KEPT_SECONDS),
    }
    return Response(status=204, headers=headers)


def allow(request: Request, response: Response, origins: Collection[str]) -> None:
    """Let the page that asked read the answer, if it is of one of the origins."""
    if not origins:
        return
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _SHOWN_HEADERS
