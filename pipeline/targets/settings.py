"""The settings of delivery: TLS and time-outs of the sender, pace and patience of the notifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pipeline.guards import BreakerRules
from pipeline.options import option
from pipeline.retry import DEFAULT_DELAYS

GUARD_NON_ADMINS, GUARD_ALL, GUARD_NONE = "non-admins", "all", "none"


@dataclass(frozen=True)
class DeliverySettings:
    """Section `delivery` of the settings."""

    verify: bool = option(
        True,
        "Check the certificates of https receivers;"
        " `?aodh-alarm-ssl-verify=0` or `=1` in an action's URL goes before it.",
    )
    ca_bundle: str | None = option(
        None,
        "PEM file, or directory of hashed certificates, of the authorities to trust"
        " instead of the public ones.",
        path=True,
    )
    client_certificate: str | None = option(
        None, "PEM file of the certificate to show to https receivers that ask for one.", path=True
    )
    client_key: str | None = option(
        None, "PEM file of its private key, where it is not in the same file.", path=True
    )
    proxy: str | None = option(
        None,
        "HTTP proxy through which receivers are called: `http://user:password@host:port`.",
    )
    no_proxy: tuple[str, ...] = option(
        (),
        "Names, addresses and networks that are called without `proxy`; a name stands for all"
        " below it too, `*` for everything.",
    )
    proxy_from_environment: bool = option(
        False,
        "Whether HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY count where `proxy` is not set.",
    )
    guard: str = option(
        GUARD_NON_ADMINS,
        "Which deliveries may go to public addresses only: those of actions that somebody else"
        " than an admin set, all, or none.",
        choices=(GUARD_NON_ADMINS, GUARD_ALL, GUARD_NONE),
    )
    guard_allow: tuple[str, ...] = option(
        (),
        "Networks and names that may be called all the same: `10.1.0.0/16`, `hooks.example.org`,"
        " `*.example.org`.",
    )
    exec: tuple[str, ...] = option(
        (),
        "Programs, and folders with programs, that targets of type exec may start; exec is off"
        " while there are none.",
    )
    file_folders: tuple[str, ...] = option(
        (),
        "Folders in which actions that somebody else than an admin set may append to files.",
    )
    keystone_url: str = option(
        "",
        "Keystone, for the actions trust+http(s), trust+zaqar and zaqar: `https://host:5000/v3`.",
    )
    keystone_username: str = option("", "The service user to whom trusts leave rights.")
    keystone_password: str = option("", "The service user's password.", secret=True)
    keystone_user_domain: str = option("Default", "The domain of the service user.")
    keystone_project: str = option("service", "The service user's project.")
    keystone_project_domain: str = option("Default", "The domain of that project.")
    keystone_region: str = option("", "The region in whose catalogue services are looked up.")
    keystone_interface: str = option(
        "public",
        "Which of a service's endpoints to use.",
        choices=("public", "internal", "admin"),
    )
    zaqar_url: str = option("", "Zaqar, where Keystone's catalogue is not to be asked for it.")
    signing_secrets: tuple[str, ...] = option(
        (),
        "Secrets (`whsec_…`) that callbacks to http and https actions are signed with, as Standard"
        " Webhooks asks for; two while they are changed.",
        secret=True,
    )
    connect_timeout_seconds: float = option(
        5.0, "Longest wait for a connection, for TLS, and for a request to be taken.", minimum=0.1
    )
    read_timeout_seconds: float = option(
        15.0, "Longest wait for a whole answer, however slowly it trickles in.", minimum=0.1
    )
    threads: int = option(16, "How many attempts a notifier makes at the same time.", minimum=1)
    per_target_concurrency: int = option(
        4, "How many of them may be to one receiver (scheme, host and port).", minimum=1
    )
    lease_seconds: float = option(
        120.0,
        "How long a notifier holds what it has claimed; after a crash it is delivered again"
        " that much later. Must be longer than one attempt can take.",
        minimum=1,
    )
    retry_delays_seconds: tuple[float, ...] = option(
        tuple(delay.total_seconds() for delay in DEFAULT_DELAYS),
        "The delays after the first failure, the second, and so on; then a dead letter.",
        minimum=0,
    )
    breaker_failures: float = option(
        0.7,
        "From this share of failures on, a receiver is left alone and only tried now and then;"
        " above 1: never.",
        minimum=0.01,
    )
    breaker_attempts: int = option(
        10, "Of how many attempts at least, within the time that follows.", minimum=1
    )
    breaker_window_seconds: float = option(
        300.0, "Over which time failures and attempts are counted.", minimum=1
    )
    breaker_pause_seconds: float = option(
        30.0,
        "How long a receiver is left alone before one delivery tries whether it takes anything.",
        minimum=0.1,
    )
    disable_after_days: float = option(
        5.0,
        "A receiver that only failed for so long is disabled: what is for it becomes a dead letter"
        " at once, until `tocsin dead-letter replay` or `tocsin target enable`. 0: never.",
        minimum=0,
    )
    fallback: str = option(
        "",
        "The target that takes what another could not deliver and that has no fallback of its own:"
        " its name, or an action.",
    )
    storm: str = option(
        "20/60s",
        "From how many notifications in which time on a target that tells people gets them as one"
        " digest for each such time; `off`: never. A target's own `guards` go before it.",
    )
    storm_types: tuple[str, ...] = option(
        ("apprise", "gotify", "sendmail", "slack", "smtp"),
        "The types of targets that tell people, for which `storm` holds.",
    )
    poll_seconds: float = option(
        1.0,
        "How often to look for what is due when nothing wakes the notifier, which what is written"
        " to the database does at once.",
        minimum=0.01,
    )
    mail_server: str = option(
        "",
        "The mail server for mailto: actions: smtp://user:password@host:25, smtp+starttls://host"
        " or smtps://host. Without one the machine's sendmail is used.",
    )
    mail_from: str = option(
        "",
        "The address that sends mail where a target names none; empty for root of this machine.",
    )
    mail_author: str = option("Tocsin", "The name beside that address.")
    mail_users: Mapping[str, Any] = option(
        {}, "The mail addresses of users that targets name (mailto-user), by name."
    )
    sendmail: str = option(
        "/usr/sbin/sendmail", "The program that takes mail for the machine.", path=True
    )

    @property
    def retry_delays(self) -> tuple[timedelta, ...]:
        """The delays as time spans."""
        return tuple(timedelta(seconds=seconds) for seconds in self.retry_delays_seconds)

    @property
    def breaker_rules(self) -> BreakerRules:
        """When a receiver is left alone, and when it is given up."""
        days = self.disable_after_days
        return BreakerRules(
            share=self.breaker_failures,
            attempts=self.breaker_attempts,
            window=timedelta(seconds=self.breaker_window_seconds),
            pause=timedelta(seconds=self.breaker_pause_seconds),
            disable_after=timedelta(days=days) if days else None,
        )

    @property
    def longest_attempt_seconds(self) -> float:
        """The longest that one attempt can take: connect, TLS and send, then the answer.

        Looking up a name is the system's and not counted; its resolver has bounds of its own.
        """
        return 3 * self.connect_timeout_seconds + self.read_timeout_seconds
