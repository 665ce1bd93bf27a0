"""Fit: whether a job can be triggered with the parameters that there are, before it is.

Jenkins drops a parameter that the job does not know, and starts it without. It answers 500 where a
job takes no parameters, or where a value is none of the choices. Here people are told instead.

Pure. Used by `pipeline.targets.jenkins.target` alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.notification import Failed, Outcome, Refused
from pipeline.registry import did_you_mean
from pipeline.targets.jenkins.replies import Job

_WHERE = "in the job's configuration, “This project is parameterized”"
_LONGEST_SHOWN = 200


def unfit(name: str, job: Job, given: Mapping[str, str]) -> Outcome | None:
    """Why the job of this name cannot be triggered with these parameters, and how to mend it."""
    if not job.buildable:
        return Failed(f"the job {name!r} is disabled. Enable it in Jenkins")
    if job.parameters is None:
        return _not_parameterised(name, given) if given else None
    for parameter, value in given.items():
        if parameter not in job.parameters:
            return _unknown(name, parameter, job.parameters)
        choices = job.parameters[parameter]
        if choices is not None and value not in choices:
            return Refused(
                f"parameter {parameter} of the job {name!r} cannot be"
                f" {value[:_LONGEST_SHOWN]!r}: one of {', '.join(choices)[:_LONGEST_SHOWN]}"
            )
    return None


def _not_parameterised(name: str, given: Mapping[str, str]) -> Outcome:
    return Refused(
        f"the job {name!r} is not parameterised, but {', '.join(given)} would be given. Add them"
        f" {_WHERE} (a Pipeline that declares them itself must have run once), or take them out"
        " here"
    )


def _unknown(name: str, parameter: str, known: Mapping[str, object]) -> Outcome:
    return Refused(
        f"the job {name!r} has no parameter {parameter}, and Jenkins would drop it. It has"
        f" {', '.join(known)[:_LONGEST_SHOWN]}.{did_you_mean(parameter, known)} Add it {_WHERE},"
        " or correct the name here"
    )
