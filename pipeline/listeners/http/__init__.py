"""The HTTP listener: events that are posted to us, answered when they are committed.

    listener.py      owns the socket, the server's threads and the thread that commits; drains
    app.py           the WSGI application: what a request means, what it is answered with
    posted.py        body and headers → messages
    group_commit.py  what many requests bring at once → one batch, one transaction

The composition root makes one `HttpListener`, run in its own thread.
"""

from pipeline.listeners.http.listener import HttpListener, HttpSettings

__all__ = ["HttpListener", "HttpSettings"]
