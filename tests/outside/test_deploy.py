"""The dashboard, the alert rules and docs/metrics.md speak of metrics that there are."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "tocsin.json"


@pytest.fixture(scope="module")
def docs() -> Any:
    spec = importlib.util.spec_from_file_location("make_metrics", ROOT / "docs/make_metrics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def known(docs: Any) -> dict[str, set[str]]:
    """Every series that a process may have, with its labels."""
    series: dict[str, set[str]] = {}
    for metric in docs.metrics():
        name, labels = docs.full_name(metric), set(metric._labelnames)
        series[name] = labels
        if metric._type == "histogram":
            series |= {f"{name}_{part}": labels for part in ("sum", "count")}
            series[f"{name}_bucket"] = labels | {"le"}
    return series


def alert_expressions() -> dict[str, str]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def panel_expressions() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def check(expression: str, known: dict[str, set[str]]) -> None:
    found = re.findall(r"\btocsin_\w+", expression)
    for name in found:
        assert name in known, f"{expression}: there is no {name}"
    if found:
        of_prometheus = {"job", "instance", "le"}
        labels = set(re.findall(r"(\w+)\s*[!=]~?\s*\"", expression))
        for by in re.findall(r"by \(([^)]*)\)", expression):
            labels |= {label.strip() for label in by.split(",")}
        allowed = of_prometheus.union(*(known[name] for name in found))
        assert labels <= allowed, f"{expression}: {labels - allowed}"


def test_alerts_ask_for_metrics_that_there_are(known: dict[str, set[str]]) -> None:
    for expression in alert_expressions().values():
        check(expression, known)


def test_dashboard_asks_for_metrics_that_there_are(known: dict[str, set[str]]) -> None:
    for expression in panel_expressions():
        check(expression, known)


def test_every_metric_is_on_the_dashboard_or_alerted_on(docs: Any) -> None:
    asked = " ".join([*panel_expressions(), *alert_expressions().values()])
    for metric in docs.metrics():
        if metric._name != "tocsin_build_info":
            assert re.search(rf"\b{docs.full_name(metric)}(_sum|_bucket)?\b", asked), metric._name


def test_expressions_parse() -> None:
    """By promtool, where Prometheus is installed."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here; the names were checked without it")
    done = subprocess.run(
        [promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_page_on_metrics_is_that_of_the_code(docs: Any) -> None:
    assert docs.PAGE.read_text() == docs.page(), "run `python docs/make_metrics.py`"
