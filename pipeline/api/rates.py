"""How much each caller may ask: counted in memory, by each process for itself.

Who fails to show who they are is counted by address, and more strictly; an address that failed
too often is refused before anybody looks at what it shows, so that no database and no provider is
asked for it.
"""

from __future__ import annotations

import time

from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from werkzeug.exceptions import TooManyRequests

from pipeline.access import Caller
from pipeline.access.limits import rates_of
from pipeline.access.settings import ApiSettings

_FAILED = "failed"


class Rates:
    """The limits of one process. Each method raises `TooManyRequests`. Safe from many threads."""

    def __init__(self, settings: ApiSettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._rates = rates_of(settings.rate_limit)
        self._failed_rates = rates_of(settings.failed_rate_limit)

    def check_address(self, address: str) -> None:
        """Refuse an address that failed too often to show who asks."""
        for rate in self._failed_rates:
            if not self._limiter.test(rate, _FAILED, address):
                raise self._too_many(
                    "too many requests from your address did not show who asks",
                    rate,
                    (_FAILED, address),
                )

    def failed(self, address: str) -> None:
        """Count a request that did not show who asks."""
        for rate in self._failed_rates:
            self._limiter.hit(rate, _FAILED, address)

    def count(self, caller: Caller | None, address: str) -> None:
        """Count a request of this caller, or of whoever asks from this address."""
        who = ("caller", caller.user_id, caller.project_id) if caller else ("address", address)
        for rate in self._rates:
            if not self._limiter.hit(rate, *who):
                raise self._too_many("you ask too often", rate, who)

    def _too_many(self, why: str, rate: object, who: tuple[str, ...]) -> TooManyRequests:
        reset = self._limiter.get_window_stats(rate, *who).reset_time  # type: ignore[arg-type]
        seconds = max(1, int(reset - time.time()) + 1)
        return TooManyRequests(
            f"{why}: more than {rate}. Try again in {seconds} s.", retry_after=seconds
        )
