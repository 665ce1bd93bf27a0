"""The systemd units and the Kubernetes manifest in deploy/ name what exists."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipeline.cli.main import root
from pipeline.process import ProcessSettings
from pipeline.settings import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFEST = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "tocsin.yaml").read_text()))
DEPLOYMENTS = [each for each in MANIFEST if each["kind"] == "Deployment"]


def parses(arguments: list[str]) -> None:
    """The arguments are a command of ours with options that it has."""
    name, *rest = arguments
    command = root.commands[name]
    command.make_context(name, rest, resilient_parsing=False, parent=click.Context(root))


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_runs_a_command_that_exists_and_waits_for_its_drain(path: Path) -> None:
    service = unit(path)["Service"]
    program, *arguments = shlex.split(service["ExecStart"].replace("${WORKERS}", "2"))
    assert Path(program).name == "tocsin"
    parses(arguments)
    assert f"tocsin-{arguments[0]}" == path.stem
    assert int(service["TimeoutStopSec"]) > ProcessSettings().drain_seconds


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_understands_a_unit(path: Path, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed; nothing of Tocsin's needs it")
    program = shutil.which("true")
    text = path.read_text().replace("/opt/tocsin/bin/tocsin", str(program))
    here = tmp_path / path.name
    here.write_text(text)
    done = subprocess.run([verify, "verify", here], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if path.name in line]
    assert complaints == []


def test_the_units_environment_file_holds_settings() -> None:
    lines = (DEPLOY / "systemd" / "tocsin.env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    loaded = load(ROOT / "tocsin.yaml", environment)
    assert loaded.warnings == ()
    assert loaded.settings.database.url.startswith("postgresql://")


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["metadata"]["name"])
def test_a_pod_runs_a_command_and_settings_that_exist(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    parses(container["args"])
    (secret,) = [each for each in MANIFEST if each["kind"] == "Secret"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    loaded = load(ROOT / "tocsin.yaml", environment | secret["stringData"])
    assert loaded.warnings == ()
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert loaded.settings.metrics.port == ports["metrics"]
    assert pod["terminationGracePeriodSeconds"] > ProcessSettings().drain_seconds


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["metadata"]["name"])
def test_a_pods_files_are_mounted_from_what_there_is(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {each["name"] for each in pod["volumes"]}
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert set(mounted) == volumes
    for variable in container["env"]:
        if variable["value"].startswith("/"):
            path = Path(variable["value"])
            (config,) = [each for each in MANIFEST if each["kind"] == "ConfigMap"]
            assert path.name in config["data"]
            assert str(path.parent) == mounted["configuration"]


def test_the_manifests_pipelines_load(tmp_path: Path) -> None:
    from pipeline.publishers import from_url
    from pipeline.routing import load_routes
    from pipeline.yaml_source import load_file

    (config,) = [each for each in MANIFEST if each["kind"] == "ConfigMap"]
    for name, text in config["data"].items():
        (tmp_path / name).write_text(text)
    routes = load_routes(load_file(tmp_path / "pipelines.yaml"), from_url)
    assert routes.route("identity.user.deleted").alarms
