"""Access: who asks, and what they may do (notifications 14).

    caller.py     the caller, with a role, and the projects and names that it is held to
    tokens.py     API tokens: how they are spelled, and what their maker may give them
    settings.py   the settings of the API and its clients

Pure. The API makes callers of tokens and headers; the desk asks them.
"""

from pipeline.access.caller import LOCAL, Caller, Permission, Role

__all__ = ["LOCAL", "Caller", "Permission", "Role"]
