"""Everything that the plugin uses of pytest and pytest-xdist and that they do not promise to keep, in one place.

Each use says what it is for. A test (tests/plugin/test_private.py) runs them all and names the versions that they were
seen with: a newer one asks for a look at this file.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.terminal import TerminalReporter

# The versions (major, minor) whose sources were read for this file.
SEEN = {"pytest": (9, 2), "pytest-xdist": (3, 8)}

FIXTURE = type(pytest.fixture(lambda: None))  # what pytest makes of a decorated function; it has no public name


def plugins(config: pytest.Config) -> list[object]:
    """All plugins, conftest.py files among them; pytest's list is of a set, this one in the order of registration."""
    return [plugin for _, plugin in config.pluginmanager.list_name_plugin() if plugin is not None]


def called(fixture: object, *arguments: object) -> Any:  # noqa: ANN401  # whatever a fixture returns
    """What a fixture's function returns for these arguments, outside of a run."""
    function: Any = fixture
    return function._get_wrapped_function()(*arguments)  # noqa: SLF001


@contextlib.contextmanager
def configured(config: pytest.Config) -> Iterator[None]:
    """Within, all plugins are configured, although no tests are collected: for a command that only shows something."""
    config._do_configure()  # noqa: SLF001
    try:
        yield
    finally:
        config._ensure_unconfigure()  # noqa: SLF001


def fixture_of(node: pytest.Item | pytest.Collector, name: str) -> Callable[..., Any] | None:
    """The function of the fixture that a name stands for in a test, or None."""
    definitions = node.session._fixturemanager.getfixturedefs(name, node)  # noqa: SLF001
    return definitions[-1].func if definitions else None


def reaches(metafunc: pytest.Metafunc, name: str, function: Callable[..., Any]) -> bool:
    """Whether a test's argument is the fixture of that function, be it through fixtures that override it and take it.

    It isn't where the name was parametrized, directly or not.
    """
    if any(name in call.params for call in metafunc._calls):  # noqa: SLF001
        return False
    for definition in reversed(metafunc._arg2fixturedefs.get(name, ())):  # noqa: SLF001
        if definition.func is function:
            return True
        if name not in definition.argnames:
            return False
    return False


def refuse(session: pytest.Session, message: str) -> None:
    """End a run before its first test, with one sentence and exit status 4. Raises UsageError, but for a worker.

    A worker of xdist that raised would leave the process that started it without one: it gives up its tests and sends
    what a module that can't be collected sends, marked by `emoprefer_refused`.
    """
    if not hasattr(session.config, "workerinput"):
        raise pytest.UsageError(message)
    session.items.clear()
    kind: Any = pytest.CollectReport
    report: pytest.CollectReport = kind("emoprefer_bench", "failed", message, [], emoprefer_refused=True)
    session.config.hook.pytest_collectreport(report=report)


def terminal(config: pytest.Config) -> TerminalReporter | None:
    """What writes to the terminal: None under `-p no:terminal`."""
    return cast("TerminalReporter | None", config.pluginmanager.get_plugin("terminalreporter"))


def width(reporter: TerminalReporter) -> int:
    """The terminal's width, in columns."""
    return reporter._tw.fullwidth  # noqa: SLF001


def replace_line(reporter: TerminalReporter, line: str) -> None:
    """Write a line over the last one, at once."""
    reporter.rewrite(line, erase=True)
    reporter._tw.flush()  # noqa: SLF001


@contextlib.contextmanager
def uncaptured(config: pytest.Config) -> Iterator[None]:
    """Within, what is written reaches the terminal, although a test is running."""
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        yield


def report_of(item: pytest.Item, phase: str, outcome: str, **carried: object) -> pytest.TestReport:
    """A report of a phase that pytest doesn't know; it crosses xdist with all it carries, and counts as no result."""
    kind: Any = pytest.TestReport
    made: pytest.TestReport = kind(item.nodeid, item.location, {}, outcome, None, phase, **carried)
    return made


def given(session: pytest.Session) -> list[pytest.Item]:
    """The tests that this worker was given and has not finished: the one it is on, the next, and what waits."""
    # xdist runs its worker's module under another name, so that the class is another than xdist.remote's.
    plugins = session.config.pluginmanager.get_plugins()
    (worker,) = (cast("Any", plugin) for plugin in plugins if type(plugin).__name__ == "WorkerInteractor")
    with worker.torun.lock() as waiting:
        numbers = [worker.item_index, worker.nextitem_index, *waiting]
    return [session.items[number] for number in numbers if isinstance(number, int)]


class Workers:
    """The workers of xdist, as the process that started them sees them."""

    def __init__(self, config: pytest.Config) -> None:
        self._session: Any = config.pluginmanager.get_plugin("dsession")
        self.alive: set[Any] = set(self._session._active_nodes) if self._session else set()  # noqa: SLF001

    def terminate(self) -> None:
        """Send SIGTERM to every worker on this machine."""
        for node in self.alive:
            with contextlib.suppress(AttributeError, ProcessLookupError):  # on another machine, or gone
                os.kill(node.gateway._io.popen.pid, signal.SIGTERM)  # noqa: SLF001

    def take(self, seconds: float) -> None:
        """Wait for the next message of a worker, and pass on the report that it holds. Raises queue.Empty."""
        event, arguments = self._session.queue.get(timeout=max(0.0, seconds))
        if event == "testreport":
            self._session.worker_testreport(**arguments)
        elif event in ("workerfinished", "errordown"):
            self.alive.discard(arguments["node"])
