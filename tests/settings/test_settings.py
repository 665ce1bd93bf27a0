"""The settings as a whole: which file, what goes before what, and how they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import settings
from pipeline.errors import ConfigError
from pipeline.settings import Row


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file of this machine's user is found, and relative paths are in tmp_path."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def a_file(path: Path, text: str = "log: {level: debug}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_database_is_a_file_in_the_users_state_directory(
    tmp_path: Path,
) -> None:
    loaded = settings.load(None, {})

    assert loaded.settings.database.url == f"sqlite:///{tmp_path}/state/tocsin/tocsin.sqlite"
    assert loaded.origins["database.url"] == "default"
    assert not (tmp_path / "state").exists()


def test_the_file_in_this_folder_is_found_before_the_users(tmp_path: Path) -> None:
    users = a_file(tmp_path / "config" / "tocsin" / "tocsin.yaml", "log: {level: error}")
    assert settings.load(None, {}).file == users

    a_file(tmp_path / "tocsin.yaml")
    loaded = settings.load(None, {})

    assert loaded.settings.log.level == "debug"
    assert loaded.origins["log.level"] == "tocsin.yaml:1"


def test_a_named_file_goes_before_those_that_are_found(tmp_path: Path) -> None:
    a_file(tmp_path / "tocsin.yaml")
    by_option = a_file(tmp_path / "a.yaml", "log: {level: error}")
    by_variable = a_file(tmp_path / "b.yaml", "log: {level: warning}")
    environ = {"TOCSIN_CONFIG": str(by_variable)}

    assert settings.load(None, environ).settings.log.level == "warning"
    assert settings.load(by_option, environ).settings.log.level == "error"


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.load(tmp_path / "none.yaml", {})

    assert str(caught.value) == (
        f"{tmp_path}/none.yaml: cannot be read: No such file or directory. "
        "Check the path and its permissions."
    )


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    a_file(tmp_path / "tocsin.yaml")

    loaded = settings.load(None, {"TOCSIN_LOG_LEVEL": "error"})

    assert loaded.settings.log.level == "error"
    assert loaded.origins["log.level"] == "environment TOCSIN_LOG_LEVEL"


def test_problems_of_the_file_and_the_environment_come_together(tmp_path: Path) -> None:
    a_file(
        tmp_path / "tocsin.yaml", "rabbitmq:\n  prefetch: none\n  toppics: []\n  urls: [http://h]"
    )

    with pytest.raises(ConfigError) as caught:
        settings.load(None, {"TOCSIN_DATABASE_URL": "mysql://u:s3cret@h/d"})

    places = [str(problem).split(": ")[0] for problem in caught.value.problems]
    assert places == [
        "tocsin.yaml:2:13 rabbitmq.prefetch",
        "tocsin.yaml:3:3 rabbitmq.toppics",
        "tocsin.yaml:4:10 rabbitmq.urls[0]",
        "environment TOCSIN_DATABASE_URL",
    ]
    assert "Did you mean 'topics'?" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_variable_that_is_no_setting_is_a_warning() -> None:
    environ = {
        "TOCSIN_RABITMQ_URLS": "amqp://h/",
        "TOCSIN_QWXZQWXZQWXZ": "1",
        "TOCSIN_TEST_AMQP_URL": "amqp://h/",
        "TOCSIN_CONFIG": "",
        "PATH": "/bin",
    }

    assert settings.load(None, environ).warnings == (
        "environment TOCSIN_QWXZQWXZQWXZ: no setting has this name.",
        "environment TOCSIN_RABITMQ_URLS: no setting has this name. "
        "Did you mean 'TOCSIN_RABBITMQ_URLS'?",
    )


def test_show_masks_every_secret_and_says_where_each_value_came_from() -> None:
    environ = {
        "TOCSIN_HTTP_TOKEN": "s3cret",
        "TOCSIN_DATABASE_URL": "postgresql://tocsin:s3cret@db/tocsin",
        "TOCSIN_RABBITMQ_URLS": "amqp://u:s3cret@a/,amqp://u:s3cret@b/",
        "TOCSIN_RABBITMQ_QUEUE_ARGUMENTS": "{x-delivery-limit: 5}",
    }

    rows = {row.key: row for row in settings.show(settings.load(None, environ))}

    assert "s3cret" not in str(rows)
    assert rows["http.token"] == Row("http.token", "***", "environment TOCSIN_HTTP_TOKEN")
    assert rows["database.url"].value == "postgresql://tocsin:***@db/tocsin"
    assert rows["rabbitmq.urls"].value == '["amqp://u:***@a/", "amqp://u:***@b/"]'
    assert rows["rabbitmq.queue_arguments"].value == '{"x-delivery-limit": 5}'
    assert rows["log.level"] == Row("log.level", "info", "default")
    assert rows["normalise.text_limit"].value == "null"


def test_show_has_a_row_for_every_setting_in_order() -> None:
    loaded = settings.load(None, {})

    assert [row.key for row in settings.show(loaded)] == list(loaded.origins)


def test_the_password_of_an_unset_token_shows_as_empty() -> None:
    rows = {row.key: row.value for row in settings.show(settings.load(None, {}))}

    assert rows["http.token"] == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("guard_allow: [10.1.0.0/16, 10.1.2.3/16]", "guard_allow[1]: '10.1.2.3/16' is no network"),
        ("proxy: https://u:hunter22@proxy:1", "proxy: https://proxy:1 cannot be used as a proxy"),
        ("signing_secrets: [hunter22]", "signing_secrets[0]: A signing secret is whsec_"),
        ("guard: everybody", "guard: unknown value 'everybody'. Use one of non-admins, all, none"),
    ],
)
def test_how_receivers_are_called_is_checked_where_it_stands(
    tmp_path: Path, line: str, why: str
) -> None:
    a_file(tmp_path / "tocsin.yaml", f"delivery:\n  {line}\n")

    with pytest.raises(ConfigError) as refusal:
        settings.load(None, {})
    assert f"delivery.{why}" in str(refusal.value)
    assert "hunter22" not in str(refusal.value)
