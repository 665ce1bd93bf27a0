"""Who asks: the headers of a request → a caller.

    noauth.py   headers that anybody can send, as Aodh's noauth takes them (alarms 24)

Each module has a function or class that takes headers, by name in lower case, and gives a caller,
or raises `Unauthenticated`, saying what to send.
"""

from pipeline.api.identity.noauth import noauth_caller

__all__ = ["noauth_caller"]
