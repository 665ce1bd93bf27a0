"""Gotify: the token stands in two headers."""

from targets.contract import SECRET, HttpContract

CONTRACT = HttpContract(
    options=lambda url: {"server": url, "token": SECRET},
    actions=(f"gotify://push.example.org:8080/base/{SECRET}", f"gotifys://push.example/{SECRET}"),
)
