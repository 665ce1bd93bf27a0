"""Jenkins: credentials in a header, a trigger token in the form, a crumb in between."""

import json

from pipeline.notification import InProgress
from pipeline.receiver import Callback, Reply

from targets.contract import SECRET, HttpContract


def _answer(callback: Callback) -> Reply:
    if callback.method == "GET":
        definitions = [{"parameterDefinitions": [{"name": "WHAT"}]}]
        said = {"buildable": True, "property": definitions}
        return Reply(200, {"X-Jenkins": "2.516.3"}, json.dumps(said).encode())
    return Reply(201, {"Location": "https://elsewhere.example/queue/item/7/"})


CONTRACT = HttpContract(
    options=lambda url: {
        "url": f"{url}/ci",
        "job": "ops/tidy",
        "user": "user",
        "api_token": SECRET,
        "trigger_token": SECRET,
        "parameters": {"WHAT": "{{ title }} {{ message }}"},
    },
    answer=_answer,
    outcomes=(InProgress,),
    actions=(
        f"jenkinss://user:{SECRET}@127.0.0.1:9/ops/tidy?token={SECRET}&WHAT={{{{ title }}}}",
    ),
)
