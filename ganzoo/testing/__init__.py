"""What every component of a plugin has to keep, as plain functions: registering gets it tested.

    from ganzoo.testing import contracts

    for contract in contracts("acme"):
        contract()  # AssertionError where a promise is broken, with what was found

``pytest --ganzoo acme``, or ``ganzoo_plugins = ["acme"]`` under ``[tool.pytest.ini_options]``,
runs the same as tests; ``ganzoo plugins check acme`` as a command.  What each kind of component
promises is written in ``networks.py``, ``losses.py``, ``datasets.py`` and so on beside this file:
the first line of a function's docstring is the promise.
"""

from ganzoo.testing.contract import Contract, Unavailable, contracts

__all__ = ["Contract", "Unavailable", "contracts"]
