"""The REST API: what people ask of Tocsin over HTTP.

    server.py     owns the socket, TLS and the server's threads; a part of a process
    app.py        the WSGI application: who asks, what they are answered, in which form
    problems.py   errors → problem documents (RFC 9457), or Aodh's form for its own API
    identity/     headers → callers: one module for each way to show who one is
    v1/           our own API: the desk, document by document, with its OpenAPI description
    v2/           Aodh's API

Every answer comes from the desk (`pipeline.desk`), which says who may ask for what. Made by the
composition root, for `tocsin api` and `tocsin run`.
"""

from pipeline.api.app import make_app
from pipeline.api.server import ApiServer

__all__ = ["ApiServer", "make_app"]
