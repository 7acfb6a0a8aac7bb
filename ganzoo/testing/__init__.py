"""The promises of every plugin component, as plain functions: a registered component is tested.

    from ganzoo.testing import contracts

    for contract in contracts("acme"):
        contract()  # AssertionError where a promise is broken, with what was found

``pytest --ganzoo acme``, or ``ganzoo_plugins = ["acme"]`` under ``[tool.pytest.ini_options]``, runs
them as tests; ``ganzoo plugins check acme`` as a command.  The promises of each kind of component
are in ``networks.py``, ``losses.py``, ``datasets.py`` and so on beside this file: the first line of
a function's docstring is the promise.
"""

from ganzoo.testing.contract import Contract, Unavailable, contracts

__all__ = ["Contract", "Unavailable", "contracts"]
