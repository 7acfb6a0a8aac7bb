"""The built-in plugins keep what ``ganzoo.testing`` asks of a stranger's, and a little more."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import Registration
from ganzoo.plugins.signature import read_signature
from ganzoo.testing import Contract, Unavailable, contracts

YEAR = re.compile(r"\b(19|20)\d\d\b")
#: what makes datasets show all that they can
ARGUMENTS: dict[str, dict[str, dict[str, Any]]] = {
    "avatars": {"dataset avatars": {"label": ["hair", "skin"]}},
    "npr": {
        "generator opie": {"finder": "frame"},
        "generator portrait-abstraction": {"finder": "frame"},
    },
    "figurines": {"dataset figurines": {"smooth": "edges", "paired": False}},
    "heads": {"dataset heads": {"label": ["hair", "glasses"], "paired": False}},
    "pix2pix": {"generator pix2pix-unet": {"width": 8, "levels": 5}},  # its own are for 256 px
}

BUILT_IN = [p for p in installed().plugins if p.origin.distribution == "ganzoo" and not p.error]
CONTRACTS = [
    contract
    for plugin in BUILT_IN
    for contract in contracts(plugin.origin.plugin, arguments=ARGUMENTS.get(plugin.origin.plugin))
]
ENTRIES = [entry for plugin in BUILT_IN for entry in plugin.entries]
LOSSES = [entry for entry in ENTRIES if entry.kind == "loss"]


def test_no_plugin_is_broken() -> None:
    assert [plugin.report() for plugin in installed().broken] == []


def test_registering_a_component_is_what_gets_it_tested() -> None:
    tested = {contract.component for contract in CONTRACTS}
    assert tested == {f"{entry.kind} {entry.name}" for entry in ENTRIES}
    assert len({contract.id for contract in CONTRACTS}) == len(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.id)
def test_it_is_kept(contract: Contract) -> None:
    try:
        contract()
    except Unavailable as error:
        reason = str(error)
        assert len(reason) > 60, "what is missing, from where, and where to put it?"
        pytest.skip(reason)


@pytest.mark.parametrize("entry", LOSSES, ids=lambda entry: entry.name)
def test_a_loss_cites_its_paper(entry: Registration) -> None:
    module = importlib.import_module(entry.load().__module__)
    doc = f"{module.__doc__} {read_signature(entry.target).doc}"
    assert YEAR.search(doc), "no year: where is it from?"
