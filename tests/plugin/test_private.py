"""What the plugin uses of pytest and xdist without a promise works with the versions that are installed."""

from __future__ import annotations

import importlib.metadata
import inspect
import re

import pytest

from emoprefer_bench.plugin import private


@pytest.mark.parametrize("distribution", private.SEEN)
def test_a_newer_version_wants_a_look_at_the_private_uses(distribution):
    """Each is checked by hand against the sources of a new minor version; then its number goes into SEEN."""
    installed = tuple(int(part) for part in importlib.metadata.version(distribution).split(".")[:2])
    assert installed <= private.SEEN[distribution], (
        f"{distribution} {installed[0]}.{installed[1]} is newer than what plugin/private.py was seen with: compare"
        " each of its uses with the new sources, run tests/plugin, and raise SEEN"
    )


def test_no_other_file_of_the_plugin_uses_what_is_private(pytestconfig):
    """A leading underscore, a plugin asked for by name, or a module of pytest's own: all in one place."""
    folder = pytestconfig.rootpath / "emoprefer_bench" / "plugin"
    signs = re.compile(r"SLF001|get_plugins?\(|^ *(from|import) xdist|torun|dsession|type\(pytest\.", re.MULTILINE)
    uses = {file.name for file in folder.glob("*.py") if signs.search(file.read_text())}
    assert uses == {"private.py", "scheduling.py"}  # the latter derives from a class that xdist documents


def test_plugins_are_listed_as_they_were_registered(pytester):
    """Those of a configuration, with modules among them."""
    config = pytester.parseconfig()
    first, second = object(), object()
    config.pluginmanager.register(first, "first")
    config.pluginmanager.register(second, "second")
    found = private.plugins(config)
    assert found.index(first) < found.index(second)
    assert any(inspect.ismodule(plugin) for plugin in found)


def test_what_a_fixture_returns_is_had_without_a_run():
    """For a list of what there is."""
    fixture = pytest.fixture(lambda gpus: ("made with", gpus))
    assert private.called(fixture, "none") == ("made with", "none")


def test_plugins_are_configured_without_a_run_and_unconfigured_after(pytester):
    """For a command that only shows something."""
    seen = []

    class Plugin:
        def pytest_configure(self) -> None:
            seen.append("configured")

        def pytest_unconfigure(self) -> None:
            seen.append("unconfigured")

    config = pytester.parseconfig()
    config.pluginmanager.register(Plugin())
    with private.configured(config):
        assert seen == ["configured"]
    assert seen == ["configured", "unconfigured"]


def test_the_terminal_is_as_wide_as_told_and_none_without_it(pytester, monkeypatch):
    """The width is what tables are fitted into."""
    monkeypatch.setenv("COLUMNS", "77")
    config = pytester.parseconfigure()
    reporter = private.terminal(config)
    assert reporter is not None
    assert private.width(reporter) == 77
    assert private.terminal(pytester.parseconfigure("-p", "no:terminal")) is None


def test_without_xdist_there_are_no_workers(pytester):
    """An interrupted run of one process has nobody to wait for."""
    workers = private.Workers(pytester.parseconfigure())
    workers.terminate()
    assert workers.alive == set()


def test_a_report_of_an_unknown_phase_carries_what_it_is_given(pytester):
    """It crosses xdist as any report does: by pytest's own way to write it down and back."""
    item = pytester.getitem("def test_it(): pass", "test_it")
    report = private.report_of(item, "progress", "passed", progress="half of it")
    data = item.config.hook.pytest_report_to_serializable(config=item.config, report=report)
    again = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
    assert (again.when, again.outcome, again.progress) == ("progress", "passed", "half of it")
