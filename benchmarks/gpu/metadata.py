"""Write the metadata of an installation of this checkout: ``python metadata.py FOLDER``."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
folder = Path(sys.argv[1]) / f"ganzoo-{project['version']}.dist-info"
folder.mkdir(parents=True, exist_ok=True)
needs = "".join(f"Requires-Dist: {line}\n" for line in project["dependencies"])
(folder / "METADATA").write_text(
    f"Metadata-Version: 2.1\nName: ganzoo\nVersion: {project['version']}\n{needs}",
    encoding="utf-8",
)
groups = {"console_scripts": project["scripts"], **project["entry-points"]}
groups.pop("pytest11")
(folder / "entry_points.txt").write_text(
    "\n".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in groups.items()
    ),
    encoding="utf-8",
)
