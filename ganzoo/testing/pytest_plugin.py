"""Contracts as pytest tests, registered wherever ganzoo is installed.

``pytest --ganzoo NAME`` tests the plugin NAME; so does the option ``ganzoo_plugins = ["NAME"]`` of
``[tool.pytest.ini_options]``, unless single files or tests are requested.  A component that needs
arguments which cannot be made up gets them in ``conftest.py``::

    def pytest_ganzoo_arguments():
        return {"dataset acme": {"path": "tests/examples"}}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ganzoo.testing.contract import Contract, Unavailable, contracts

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr


class Hooks:
    """Hooks for a ``conftest.py``."""

    @pytest.hookspec(firstresult=True)
    def pytest_ganzoo_arguments(self) -> Any:
        """Return constructor arguments by component, as ``contracts`` takes them."""


class Plugin(pytest.Collector):
    """The contracts of one plugin."""

    def __init__(self, *, contracts: list[Contract], **kwargs: Any):
        super().__init__(**kwargs)
        self.contracts = contracts

    def collect(self) -> Iterator[Promise]:
        """Yield an item for each."""
        for contract in self.contracts:
            item: Promise = Promise.from_parent(self, name=contract.id, contract=contract)
            yield item


class Promise(pytest.Item):
    """One contract."""

    def __init__(self, *, contract: Contract, **kwargs: Any):
        super().__init__(**kwargs)
        self.contract = contract

    def runtest(self) -> None:
        """Call it; skip what is not available."""
        try:
            self.contract()
        except Unavailable as reason:
            pytest.skip(str(reason))

    def repr_failure(
        self, excinfo: ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        """Return only the message, as it says what is wrong and where."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the heading of a failure."""
        return self.path, None, str(self.contract)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let ``conftest.py`` provide arguments."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the plugins to test."""
    about = "ganzoo plugin whose components are tested against their contracts"
    parser.addini("ganzoo_plugins", f"{about}; several are a list", type="args", default=[])
    parser.getgroup("ganzoo").addoption(
        "--ganzoo", action="append", default=[], metavar="NAME", help=f"{about}; may be repeated"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the contracts before others select among the items.

    Raises UsageError if the plugin does not exist or is broken.
    """
    names = list(config.getoption("--ganzoo"))
    if all("::" not in argument and Path(argument).is_dir() for argument in config.args):
        names += config.getini("ganzoo_plugins")
    for name in dict.fromkeys(names):
        promises = _contracts(name, config)
        plugin = Plugin.from_parent(session, name=name, nodeid=f"plugin {name}", contracts=promises)
        items += session.genitems(plugin)


def _contracts(name: str, config: pytest.Config) -> list[Contract]:
    from ganzoo.errors import GanzooError

    try:
        return contracts(name, arguments=config.hook.pytest_ganzoo_arguments())
    except GanzooError as error:
        raise pytest.UsageError(str(error)) from error
