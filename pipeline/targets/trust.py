"""Trust: `trust+http(s)://TRUST-ID:delete@host/path` actions get Aodh's callback with a token.

As in Aodh: the user of the URL is the id of a Keystone trust, by which whoever made the alarm left
some rights to the service user, and its password says nothing. The callback goes to the URL
without either, with a token of that trust as `X-Auth-Token`. A receiver that answers 401 gets a
new token, once: the one that was kept may have been revoked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from pipeline.errors import InvalidValue
from pipeline.hiding import hidden
from pipeline.notification import Delivery, Outcome, Refused
from pipeline.targets import options
from pipeline.targets.aodh import AodhSchema, AodhTarget
from pipeline.targets.identity import NoToken, check_installed

_UNAUTHORIZED: Final = 401
_PREFIX: Final = "trust+"


class TrustSchema(AodhSchema):
    """The options of a receiver that asks for a token."""

    trust_id = options.text(required=True)


class TrustTarget(AodhTarget):
    """Posts notifications as Aodh does, with a token of a Keystone trust."""

    schema = TrustSchema

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The URL without its user, and the trust whose id that is. Raises `InvalidValue` where
        `tocsin[openstack]` is not installed."""
        check_installed()
        plain, trust_id = without_trust(action)
        return {"url": plain, **({"trust_id": trust_id} if trust_id else {})}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Send the request, once more if the token is not good any more."""
        by = monotonic() + self._tools.settings.longest_attempt_seconds
        outcome = self._with_token(delivery, by)
        if outcome.status == _UNAUTHORIZED:
            self._tools.identity.forget(self._options["trust_id"])
            outcome = self._with_token(delivery, by)
        return outcome

    def _with_token(self, delivery: Delivery, by: float) -> Outcome:
        try:
            token = self._tools.identity.token(self._options["trust_id"])
            request = self.request(delivery)
        except NoToken as error:
            return error.outcome
        except InvalidValue as error:
            return Refused(hidden(str(error), self._way.secrets), asked=False)
        headers = {**request.headers, "X-Auth-Token": token}
        request = replace(request, headers=headers, secrets=(*request.secrets, token))
        return self.send(request, self.judge, delivery, by)


def without_trust(action: str) -> tuple[str, str]:
    """A `trust+…` URL without that and its user info; and the trust's id, `''` for none."""
    parts = urlsplit(action)
    user, _, host = parts.netloc.rpartition("@")
    plain = parts._replace(scheme=parts.scheme.removeprefix(_PREFIX), netloc=host)
    return urlunsplit(plain), unquote(user.partition(":")[0])
