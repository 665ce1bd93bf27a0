"""The desk of another machine: asks a Tocsin API what the local desk would carry out itself.

    connection.py   requests and answers, and errors as they were there
    desk.py         the desk, matter by matter: alarms.py  entries.py  kept.py

Every method is one request, or one for each page. Used by the commands where a server is named
(`--server`, `TOCSIN_SERVER`, `client.server`); so what a command does and shows is the same.
"""

from pipeline.remote.connection import Connection
from pipeline.remote.desk import RemoteDesk

__all__ = ["Connection", "RemoteDesk"]
