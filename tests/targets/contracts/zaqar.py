"""A queue of Zaqar, by a signed URL."""

from pipeline.receiver import Reply

from targets.contract import SECRET, HttpContract

_SIGNED = (
    f"project_id=p&paths=/v2/queues/told/messages&methods=POST&expires=2030&signature={SECRET}"
)

CONTRACT = HttpContract(
    options=lambda url: {
        "url": url,
        "queue_name": "told",
        "project_id": "p",
        "paths": "/v2/queues/told/messages",
        "methods": "POST",
        "expires": "2030-01-01T00:00:00",
        "signature": SECRET,
    },
    answer=lambda callback: Reply(201, {}, b'{"resources": ["/v2/queues/told/messages/1"]}'),
    actions=(
        f"zaqar://?queue_name=told&{_SIGNED}",
        "zaqar://?topic=told&subscriber=mailto%3Aa%40b.example&ttl=600",
        "trust+zaqar://trust-1:delete@?queue_name=told",
    ),
)
