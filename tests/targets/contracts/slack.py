"""Slack's incoming webhook, whose whole path is the secret. A bot's token is tried in
`tests/delivery/test_slack.py`."""

from pipeline.receiver import Reply

from targets.contract import SECRET, HttpContract

CONTRACT = HttpContract(
    options=lambda url: {
        "webhook_url": f"{url}/services/T0/B0/{SECRET}",
        "links": {"Dashboard": "https://dash.example/{{ traits.resource_id }}"},
    },
    answer=lambda callback: Reply(200, body=b"ok"),
    actions=(
        f"slack://hooks.slack.com/services/T0/B0/{SECRET}",
        f"slack://{SECRET}@slack.com/alerts",
    ),
    elsewhere={"token": "tests/delivery/test_slack.py"},
)
