"""Jenkins: a notification starts a job, with parameters out of the event.

    target     what its options are; trigger, then look until the build has ended
    address    jenkins://user:token@host/folder/job?PARAM={{ template }} → options
    server     one Jenkins: credentials, crumb, and what its refusals mean
    replies    what Jenkins says in JSON → values
    fit        whether the job takes these parameters
    look       what has become of a job that was triggered
    verdict    what was found out → an outcome

Why neither python-jenkins nor api4jenkins: both raise exceptions with the URL in them, follow
redirects (Jenkins answers 303 when an equal build is queued already), read answers of any length,
and bound each read but no request as a whole; neither passes the outbound guard or the connections
that every other target shares. What is needed of Jenkins is four requests, and the one sender
does the rest. The tests hold the server that they use to python-jenkins.

Delivery is at least once: a notifier that dies after Jenkins took the request and before that was
recorded triggers the job again.
"""

from pipeline.targets.jenkins.target import JenkinsTarget

__all__ = ["JenkinsTarget"]
