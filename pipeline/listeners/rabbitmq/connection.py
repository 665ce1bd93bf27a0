"""A broker's URL and the settings → an open connection, and its name without secrets.

Raises `InvalidValue` for a URL or TLS file that cannot be used, `BrokerError` where the broker
refuses us and only a person can mend it; what may pass (no answer, a lost connection) comes out
as pika's `AMQPError`, for the listener to try again. Called by the listener.
"""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

import pika
import pika.exceptions

from pipeline.errors import BrokerError, InvalidValue
from pipeline.listeners.rabbitmq.settings import RabbitmqSettings
from pipeline.masking import mask_url

_DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}


def connection_parameters(url: str, settings: RabbitmqSettings) -> pika.URLParameters:
    """All that pika needs to connect. Raises `InvalidValue`; its text never shows the password."""
    _check(url)
    try:
        parameters = pika.URLParameters(url)
    except (ValueError, TypeError):
        # Not `from error`: pika's text may hold the password.
        raise _unusable(url, "is not amqp://user:password@host:port/vhost") from None
    if urlsplit(url).scheme == "amqps":
        parameters.ssl_options = pika.SSLOptions(_tls_context(settings), parameters.host)
    parameters.heartbeat = settings.heartbeat_seconds
    parameters.socket_timeout = settings.connect_timeout_seconds
    parameters.stack_timeout = settings.handshake_timeout_seconds
    parameters.connection_attempts = 1
    parameters.client_properties = {"connection_name": "tocsin listener", "product": "Tocsin"}
    return parameters


def broker_name(parameters: pika.URLParameters) -> str:
    """Host and virtual host, for people: `localhost/`, `rabbit-1:5673/nova`. Never a secret."""
    default = _DEFAULT_PORTS["amqps" if parameters.ssl_options else "amqp"]
    port = "" if parameters.port == default else f":{parameters.port}"
    return f"{parameters.host}{port}/{parameters.virtual_host.removeprefix('/')}"


def connect(parameters: pika.URLParameters) -> Any:
    """An open `pika.BlockingConnection`. Raises `BrokerError` for what a person has to mend.

    Raises pika's `AMQPError` for what may pass: no answer, an unknown host, a broker starting.
    """
    try:
        return pika.BlockingConnection(parameters)
    except pika.exceptions.ProbableAuthenticationError as error:
        if "(403)" not in str(error):
            raise
        user = parameters.credentials.username
        raise BrokerError(
            f"The broker refuses the login of user {user!r}. Correct user and password in "
            f"rabbitmq.urls, or add the user at the broker (rabbitmqctl add_user)."
        ) from error
    except pika.exceptions.ProbableAccessDeniedError as error:
        if "(530)" not in str(error):
            raise
        raise BrokerError(_no_access(parameters, str(error))) from error
    except ssl.SSLCertVerificationError as error:
        raise BrokerError(
            f"The broker's certificate is not trusted: {error.verify_message}. Set "
            f"rabbitmq.tls_ca_file to the CA that signed it, and use in rabbitmq.urls a host name "
            f"that the certificate holds."
        ) from error
    except ssl.SSLError as error:
        raise BrokerError(
            f"TLS with the broker failed: {error.reason or error}. Check in rabbitmq.urls that "
            f"the port is its TLS port (5671 mostly), and rabbitmq.tls_cert_file if it asks for "
            f"client certificates."
        ) from error
    except OSError as error:
        raise pika.exceptions.AMQPConnectionError(error) from error


def cause(error: BaseException) -> str:
    """The reason at the bottom of pika's wrappings: `Connection refused`. Never a secret."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    inner = getattr(error, "exception", None)
    if isinstance(inner, BaseException):
        return cause(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS:
        hint = " (oslo.messaging's rabbit:// is amqp:// here)" if parts.scheme == "rabbit" else ""
        raise _unusable(url, f"does not begin with amqp:// or amqps://{hint}")
    if not parts.hostname:
        raise _unusable(url, "names no host")
    if parts.query:
        raise _unusable(
            url,
            "has options after `?`, which are not read. Use rabbitmq.heartbeat_seconds, "
            "rabbitmq.connect_timeout_seconds, rabbitmq.tls_ca_file and their neighbours",
        )


def _unusable(url: str, what: str) -> InvalidValue:
    return InvalidValue(f"The broker URL {mask_url(url)} {what}.", "rabbitmq.urls")


def _tls_context(settings: RabbitmqSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    except OSError as error:
        raise InvalidValue(
            f"{settings.tls_ca_file} cannot be read as CA certificates (PEM): {cause(error)}.",
            "rabbitmq.tls_ca_file",
        ) from error
    if settings.tls_cert_file:
        try:
            context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password="")
        except (OSError, ValueError) as error:
            raise InvalidValue(
                f"{settings.tls_cert_file} and its key cannot be used as a client certificate "
                f"(PEM, key without a passphrase): {cause(error)}.",
                "rabbitmq.tls_cert_file",
            ) from error
    return context


def _no_access(parameters: pika.URLParameters, refusal: str) -> str:
    vhost, user = parameters.virtual_host, parameters.credentials.username
    if "not found" in refusal:
        return (
            f"The broker has no virtual host {vhost!r}. Correct the path in rabbitmq.urls, or add "
            f"it at the broker (rabbitmqctl add_vhost)."
        )
    return (
        f"The broker gives user {user!r} no access to virtual host {vhost!r}. Grant it "
        f"(rabbitmqctl set_permissions -p), or correct rabbitmq.urls."
    )
