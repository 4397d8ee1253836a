"""The demo as a whole, with a shortened scene; the real one is `switchgear demo`."""

from __future__ import annotations

import json
import socket

import pytest

from cli.demo import run
from cli.demo.play import SABOTAGES, _allowances
from cli.demo.scene import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE
from cli.demo.workload import TENANTS
from policies.files import load

POLICIES = "policies.yaml"
# Of the time in which tasks arrive: enough of them for the account's limit and a ceiling to be passed.
SCALE = 0.15


def packaged():
    from importlib.resources import as_file, files

    with as_file(files("cli.demo") / POLICIES) as file:
        return load(file)


def test_the_policies_declare_the_limits_that_the_provider_enforces():
    (capacity,) = packaged().capacity
    assert capacity.requests_per_minute == REQUESTS_PER_MINUTE
    assert capacity.tokens_per_minute == TOKENS_PER_MINUTE


def test_every_tenant_has_a_ceiling_of_its_own():
    assert set(_allowances(packaged())) == set(TENANTS)


def test_what_cannot_be_broken_is_misuse(capsys):
    assert run(seed=7, serve=False, sabotage="nothing", as_json=False) == 2
    assert "ceiling, count, price" in capsys.readouterr().err


def test_the_scene_passes_its_own_checks(capsys):
    code = run(seed=7, serve=False, sabotage=None, as_json=True, scale=SCALE)
    result = json.loads(capsys.readouterr().out)
    assert [check["passed"] for check in result["checks"]] == [True] * 3, result["checks"]
    assert code == 0
    assert result["without"]["brightline"]["limited"] > 0
    assert float(result["without"]["northwind"]["over"]) > 0


def test_a_taken_dashboard_port_is_found_before_the_scene_plays(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.demo.play._DASHBOARD_PORT", taken.getsockname()[1])
        assert run(seed=7, serve=True, sabotage=None, as_json=False) == 1
    assert "is taken; free it, or play with --no-serve" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("sabotage", "failing"), [("ceiling", 0), ("count", 2), ("price", 2)])
def test_a_broken_run_fails_the_check_that_it_breaks(sabotage, failing, capsys):
    assert sabotage in SABOTAGES
    assert run(seed=7, serve=False, sabotage=sabotage, as_json=True, scale=SCALE) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert checks[failing]["passed"] is False
