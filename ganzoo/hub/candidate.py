"""What MODEL names, opened to be measured: a folder here, or a model on the Hub."""

from __future__ import annotations

from pathlib import Path

from ganzoo.errors import RunError
from ganzoo.evaluation.image_sources import ImageSource
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.result import Candidate
from ganzoo.evaluation.submission import open_candidate
from ganzoo.hub.locate import locate
from ganzoo.models.hub_id import is_id, parse_id
from ganzoo.plugins.registry import Registry


def candidate_of(
    source: str | Path, protocol: Protocol, registry: Registry, name: str | None = None
) -> tuple[ImageSource, Candidate]:
    """Open MODEL or a folder of images like ``open_candidate``, fetching it from the Hub first.

    Raises RunError or HubError if there is none.
    """
    folder = locate(source, registry).folder
    if not folder.exists():
        raise RunError(f"{source} does not exist. Give a run or model folder, or images.")
    text = str(source)
    if is_id(text) and not Path(text).exists():  # otherwise its name would be a commit
        name = name or str(parse_id(text)).rpartition("/")[2].replace("@", "-")
    return open_candidate(folder, protocol, registry, name)
