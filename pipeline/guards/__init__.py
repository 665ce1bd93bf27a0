"""Guards: how receivers are spared that fail, or that are to be told less (delivery 8, 11, 12).

    breaker.py    who fails is left alone, tried now and then, and disabled in the end
    pace.py       how much a target is given in which time, and when it is combined
    digest.py     what tells of many notifications together

Pure: values in, values out. The state is kept in the store, so that all notifiers agree
(`pipeline.store.sql.breakers`, `pipeline.store.sql.paced`); the notifier carries out.
"""

from pipeline.guards.breaker import Breaker, BreakerRules, Heard, Tally, Verdict
from pipeline.guards.pace import Pace, PaceRules

__all__ = ["Breaker", "BreakerRules", "Heard", "Pace", "PaceRules", "Tally", "Verdict"]
