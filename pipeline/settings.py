"""Settings: the defaults, a file and the environment → one frozen `Settings`.

The only place that reads a settings file or the environment. Each section is the dataclass of the
part that it configures; a setting `a.b` is the key `b` under `a` in tocsin.yaml and the variable
`TOCSIN_A_B`, which goes before the file. An empty variable counts as not set. Called by the
composition root and by `tocsin config show`; creates nothing.

The file is the one named by --config, else by TOCSIN_CONFIG, else the first that exists of
./tocsin.yaml, the user's (~/.config/tocsin/tocsin.yaml) and /etc/tocsin/tocsin.yaml. A relative
path in a file is meant from that file's folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from platformdirs import user_config_path, user_state_path

from pipeline import yaml_source
from pipeline.access import Role
from pipeline.access.limits import check_origin, rates_of
from pipeline.access.settings import ApiSettings, ClientSettings, OidcSettings
from pipeline.alarms.schedule import zone
from pipeline.dispatch.settings import NotificationsSettings
from pipeline.errors import InvalidValue
from pipeline.feed import AlarmsSettings
from pipeline.health import MetricsSettings
from pipeline.kinds import KindsSettings
from pipeline.listeners.bus import connection as bus
from pipeline.listeners.bus.settings import BusSettings
from pipeline.listeners.http import HttpSettings
from pipeline.listeners.rabbitmq.connection import connection_parameters
from pipeline.listeners.rabbitmq.settings import RabbitmqSettings
from pipeline.logs import LogSettings
from pipeline.masking import MASK, mask_url, masked
from pipeline.normalise.settings import NormaliseSettings
from pipeline.option_schema import options_of
from pipeline.option_sources import fill, variable
from pipeline.outbound import AllowList
from pipeline.process import ProcessSettings
from pipeline.pruner import RetentionSettings
from pipeline.publishers import from_url
from pipeline.publishers.alarms import AlarmsPublisher
from pipeline.publishers.base import Broker, Tools
from pipeline.publishers.settings import PublishingSettings
from pipeline.registry import did_you_mean, one_of
from pipeline.routing import RoutingSettings
from pipeline.secrets import SecretsSettings
from pipeline.self_notification import SelfNotificationSettings
from pipeline.store.settings import DatabaseSettings, parse_url
from pipeline.targets.mailto import server_options
from pipeline.targets.proxies import proxy_of
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.signing import keys_of
from pipeline.templates import TemplatesSettings
from pipeline.tracing import TracingSettings

PREFIX = "TOCSIN_"
FILE_VARIABLE = "TOCSIN_CONFIG"
_OF_THE_COMMAND = (FILE_VARIABLE, "TOCSIN_SERVER", "TOCSIN_TOKEN")
FILE_NAME = "tocsin.yaml"
_TEST_PREFIX = "TOCSIN_TEST_"
_KEY_FILE = "secrets.key"


def told_to(url: str) -> None:
    """Raise `InvalidValue` for a URL of no publisher, or of one that would do nothing."""
    if isinstance(from_url(url), AlarmsPublisher):
        raise InvalidValue(
            "alarms:// takes events from the bus only. Use oslo://, and listen to the exchange "
            "aodh, where alarms are to be about alarms."
        )


def check_roles(given: Mapping[str, Any]) -> None:
    """Raise `InvalidValue` for a value of a claim that is to give what is no role."""
    for value, role in given.items():
        if role not in list(Role):
            raise InvalidValue(f"{value}: unknown role {role!r}. {one_of(str(role), Role)}")


# What a value, or each of a list, must be beyond its type; each raises InvalidValue.
_CHECKS: Mapping[str, Callable[[Any], object]] = {
    "api.cors_origins": check_origin,
    "api.failed_rate_limit": rates_of,
    "api.rate_limit": rates_of,
    "database.url": parse_url,
    "bus.urls": bus.check,
    "notifications.timezone": zone,
    "oidc.roles": check_roles,
    "rabbitmq.urls": lambda url: connection_parameters(url, RabbitmqSettings()),
    "delivery.guard_allow": lambda entry: AllowList.of([entry]),
    "delivery.mail_server": server_options,
    "delivery.proxy": proxy_of,
    "delivery.signing_secrets": lambda secret: keys_of([secret]),
    "self_notifications.publishers": told_to,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, a section for each part."""

    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    rabbitmq: RabbitmqSettings = field(default_factory=RabbitmqSettings)
    bus: BusSettings = field(default_factory=BusSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    normalise: NormaliseSettings = field(default_factory=NormaliseSettings)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    publishing: PublishingSettings = field(default_factory=PublishingSettings)
    self_notifications: SelfNotificationSettings = field(default_factory=SelfNotificationSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    kinds: KindsSettings = field(default_factory=KindsSettings)
    templates: TemplatesSettings = field(default_factory=TemplatesSettings)
    notifications: NotificationsSettings = field(default_factory=NotificationsSettings)
    alarms: AlarmsSettings = field(default_factory=AlarmsSettings)
    secrets: SecretsSettings = field(default_factory=SecretsSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    process: ProcessSettings = field(default_factory=ProcessSettings)
    log: LogSettings = field(default_factory=LogSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    client: ClientSettings = field(default_factory=ClientSettings)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The effective settings: where each `a.b` came from, from which file, what to be told.

    An origin is `default`, `tocsin.yaml:3` or `environment TOCSIN_A_B`. `file` is None where
    there is no settings file. A warning names a variable that looks like a setting and is none.
    """

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None = None
    warnings: tuple[str, ...] = ()


class Row(NamedTuple):
    """One line of `tocsin config show`, fit to be seen by anybody."""

    key: str
    value: str
    origin: str


def load(config_path: str | Path | None, environ: Mapping[str, str]) -> LoadedSettings:
    """Read the settings. Raises `ConfigError` with all problems of file and environment."""
    file = _file(config_path, environ)
    document = yaml_source.load_file(file) if file else None
    filled = fill(sections(), document, environ, PREFIX, _CHECKS)
    settings = Settings(**filled.sections)
    if not settings.database.url:
        settings = replace(settings, database=replace(settings.database, url=_default_url()))
    if not settings.secrets.key_file:
        key_file = str(_default_key_file(settings.database.url))
        settings = replace(settings, secrets=replace(settings.secrets, key_file=key_file))
    return LoadedSettings(settings, filled.origins, file, tuple(_warnings(environ)))


def sections() -> dict[str, type]:
    """Every section's dataclass, by name."""
    return get_type_hints(Settings)


def publisher_tools(settings: Settings) -> Tools:
    """What publishers need of the settings: enough to check their URLs."""
    rabbitmq = settings.rabbitmq
    broker = Broker(
        rabbitmq.urls,
        *rabbitmq.queue_flags(),
        rabbitmq.tls_ca_file,
        rabbitmq.tls_cert_file,
        rabbitmq.tls_key_file,
    )
    return Tools(settings=settings.publishing, broker=broker)


def show(loaded: LoadedSettings) -> list[Row]:
    """Every setting with its value and origin, secrets masked."""
    return [
        Row(key, _shown(value, secret=secret), loaded.origins[key])
        for key, value, secret in _values(loaded.settings)
    ]


def default_files() -> list[Path]:
    """Where a settings file is looked for when none is named, in this order."""
    return [
        Path(FILE_NAME),
        user_config_path("tocsin") / FILE_NAME,
        Path("/etc/tocsin") / FILE_NAME,
    ]


def _file(config_path: str | Path | None, environ: Mapping[str, str]) -> Path | None:
    if named := config_path or environ.get(FILE_VARIABLE):
        return Path(named)
    return next((path for path in default_files() if path.is_file()), None)


def _default_url() -> str:
    return f"sqlite:///{user_state_path('tocsin') / 'tocsin.sqlite'}"


def _default_key_file(database_url: str) -> Path:
    """Beside the SQLite file; where there is none, in the user's state directory."""
    url = parse_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).absolute().parent / _KEY_FILE
    return user_state_path("tocsin") / _KEY_FILE


def _warnings(environ: Mapping[str, str]) -> Iterator[str]:
    names = ((name, option) for name, type in sections().items() for option in options_of(type))
    known = {*_OF_THE_COMMAND, *(variable(PREFIX, name, option) for name, option in names)}
    for name in sorted(environ.keys() - known):
        if name.startswith(PREFIX) and not name.startswith(_TEST_PREFIX):
            hint = did_you_mean(name, sorted(known))
            yield f"environment {name}: no setting has this name.{hint}"


def _values(settings: Settings) -> Iterator[tuple[str, Any, bool]]:
    for name, section in sections().items():
        for option in options_of(section).values():
            value = getattr(getattr(settings, name), option.name)
            yield f"{name}.{option.name}", value, option.secret


def _shown(value: Any, *, secret: bool) -> str:
    """A value as it would be written in the file."""
    if secret and value:
        return MASK
    if isinstance(value, str):
        return mask_url(value)
    return json.dumps(masked(value), ensure_ascii=False)
