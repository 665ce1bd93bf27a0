"""The REST API: what people ask of Tocsin over HTTP.

    server.py     owns the socket and the server's threads; a part of a process
    connection.py its connections: handshakes, and requests whose size is not plain
    tls.py        the certificate, read again when it is renewed
    bodies.py     bodies that come in chunks, held to their size
    app.py        the WSGI application: who asks, what they are answered, in which form
    problems.py   errors → problem documents (RFC 9457), or Aodh's form for its own API
    rates.py      how much each caller may ask
    cors.py       which pages of other origins may ask
    identity/     headers → callers: one module for each way to show who one is
    v1/           our own API: the desk, document by document, with its OpenAPI description
    v2/           Aodh's API

Every answer comes from the desk (`pipeline.desk`), which says who may ask for what. Made by the
composition root, for `tocsin api` and `tocsin run`.
"""

from pipeline.api.app import make_app
from pipeline.api.server import ApiServer

__all__ = ["ApiServer", "make_app"]
