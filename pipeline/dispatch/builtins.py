"""The entries that exist without anybody having made them (notifications 10). Pure.

Read by the store, which keeps them only once they are changed, and by the planning of deliveries,
to which the default matcher is the last resort: it takes only what nothing else takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.dispatch.entries import Entry, MatcherEntry, Origin, TargetEntry

DEFAULT_MATCHER = "default-matcher"
MAIL_TO_ROOT = "mail-to-root"

BUILTINS: Mapping[str, Entry] = MappingProxyType(
    {
        DEFAULT_MATCHER: MatcherEntry(
            name=DEFAULT_MATCHER,
            targets=(MAIL_TO_ROOT,),
            match_field=("exact:kind=alarm-transition,alarm-repeat",),
            match_severity=("info", "notice", "warning"),
            invert_match=True,
            comment="Takes what nothing else takes, except alarms below severity error",
            origin=Origin.BUILTIN,
        ),
        MAIL_TO_ROOT: TargetEntry(
            name=MAIL_TO_ROOT,
            type="sendmail",
            options={"mailto_user": ["root@pam"]},
            comment="Mail to root on this machine",
            origin=Origin.BUILTIN,
        ),
    }
)
"""The built-in entries, by name."""
