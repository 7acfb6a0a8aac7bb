"""Build the site: ``python docs/build.py build/docs`` makes ``build/docs/html/index.html``.

First it collects ``build/docs/pages``: hand-written pages (``docs/*.md``, the README, the
changelog, ``benchmarks/``) and pages generated from the source, as files of one folder.  A warning,
such as a broken link, fails the build.
"""

from __future__ import annotations

import re
import shutil
import sys
from importlib.metadata import entry_points
from pathlib import Path

import gallery
import reference
from sphinx.cmd.build import main as sphinx

from ganzoo.plugins.manager import GROUP, Plugins

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
WRITTEN = ("README.md", "CHANGELOG.md", "benchmarks/**/*.md", "docs/*.md")
#: modules that pages quote from
SHOWN = ("plugins/*/*.py", "recipes/gan.yaml", "docs/pictures/**/*.png", "docs/pictures/*.jpg")


def build(out: Path) -> int:
    """Write the pages and the site; return Sphinx's exit code."""
    pages, html = out / "pages", out / "html"
    for folder in (pages, html):
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in (*WRITTEN, *SHOWN):
        for path in sorted(ROOT.glob(pattern)):
            place(path, pages)
    plugins = built_in()
    for name, text in {**reference.pages(plugins), **gallery.pages(plugins.registry)}.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(text, encoding="utf-8")
    options = ["-b", "html", "-c", str(DOCS), "-E", "-n", "-W", "--keep-going", "-q"]
    return sphinx([*options, "-d", str(out / "doctrees"), str(pages), str(html)])


def place(path: Path, pages: Path) -> None:
    """Copy a file; those in ``docs`` move beside the README, and links follow."""
    target = pages / path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".md":
        shutil.copyfile(path, target)
        return
    text = path.read_text(encoding="utf-8")
    moved = r"\1" if path.parent == DOCS else r"\1\2"
    above = r"\.\./" if path.parent == DOCS else r"((?:\.\./)*)docs/"
    text = re.sub(rf"(\]\(|^```{{\w+}} ){above}", moved, text, flags=re.MULTILINE)
    target.write_text(text, encoding="utf-8")


def built_in() -> Plugins:
    """Return the plugins that come with ganzoo, without any others."""
    plugins = Plugins()
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.dist and point.dist.name == "ganzoo":
            plugins.load(point)
    return plugins


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
