"""Who asks: the headers of a request → a caller.

    shown.py       where a token stands in the headers
    token.py       our own API tokens
    oidc.py        tokens of an OpenID provider; oidc_keys.py has the provider's keys
    keystone.py    tokens of OpenStack's Keystone
    noauth.py      headers that anybody can send, as Aodh's noauth takes them (alarms 24)
    openstack.py   what the roles of an OpenStack cloud are here

Each way is a function or class that takes headers, by name in lower case, and gives a caller, or
raises `Unauthenticated`, saying what to send; `IdentityUnavailable` where who knows it does not
answer.
"""

from pipeline.api.identity.noauth import noauth_caller
from pipeline.api.identity.token import TokenIdentity

__all__ = ["TokenIdentity", "noauth_caller"]
