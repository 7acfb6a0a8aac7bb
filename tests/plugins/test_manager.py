"""Finding plugins, leaving out the broken ones, and the hooks."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typed import Run, typist
from typer.testing import CliRunner

from ganzoo import hookimpl, hookspecs
from ganzoo.cli import completion
from ganzoo.errors import PluginError, RecipeError
from ganzoo.plugins.manager import HOOKS, Plugin, Plugins
from ganzoo.plugins.registry import FILE_KINDS, KINDS, Origin
from ganzoo.plugins.shipped import registered_files, shipped_benchmarks
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.recipe.recipe import find_recipe
from ganzoo.testing import contracts

Install = Callable[..., str]
_numbers = itertools.count()

GOOD = """
    @hookimpl
    def register_losses(register):
        register("nice", "{module}_losses:Nice")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Type a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


@pytest.fixture
def install(site: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a distribution of one module, as pip would leave it; returns the module's name."""

    def installed(plugin: str, source: str, distribution: str = "", version: str = "1.2") -> str:
        module = f"installed_for_a_test_{next(_numbers)}"
        name = distribution or f"dist-{plugin}"
        text = textwrap.dedent(source).format(module=module, site=site)
        (site / f"{module}.py").write_text(f"from ganzoo import hookimpl\n{text}")
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{plugin} = {module}\n")
        monkeypatch.syspath_prepend(str(site))
        return module

    return installed


def load() -> Plugins:
    plugins = Plugins()
    plugins.load_entry_points()
    return plugins


def added(plugins: Plugins, name: str = "mine", distribution: str = "", **hooks: object) -> Plugin:
    """Add a plugin object with these hook implementations."""
    found = ModuleType(name)
    vars(found).update({hook: hookimpl(function) for hook, function in hooks.items()})
    return plugins.add(lambda: found, Origin(name, distribution or f"dist-{name}", "1.2"))


def state(plugins: Plugins) -> dict[str, object]:
    """All that a plugin can leave behind."""
    return {
        "components": {kind: plugins.registry.names(kind) for kind in KINDS},
        "files": {kind: registered_files(kind, plugins.registry) for kind in FILE_KINDS},
        "hooks": {hook: len(getattr(plugins.hook, hook).get_hookimpls()) for hook in HOOKS},
    }


def ganzoo(*arguments: str, site: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "ganzoo", *arguments],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# -- what a good plugin gets ------------------------------------------------------------------


def test_a_component_is_known_by_name_and_origin_without_importing_its_module(
    install: Install,
) -> None:
    module = install("nice", GOOD)
    plugins = load()
    entry = plugins.registry.get("loss", "nice")
    assert str(entry.origin) == "dist-nice 1.2 (plugin 'nice')"
    assert entry.full_name == "nice/nice"
    assert f"{module}_losses" not in sys.modules
    assert not plugins.broken
    with pytest.raises(PluginError, match=rf"dist-nice 1\.2.*ModuleNotFoundError.*{module}_losses"):
        entry.load()


def test_every_kind_has_its_hook(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("recipe: r\n")
    plugins = Plugins()
    plugin = added(
        plugins,
        register_generators=lambda register: register("a", "m:A"),
        register_discriminators=lambda register: register("b", "m:B"),
        register_encoders=lambda register: register("c", "m:C"),
        register_losses=lambda register: register("d", "m:D"),
        register_datasets=lambda register: register("e", "m:E"),
        register_extractors=lambda register: register("f", "m:F"),
        register_evaluators=lambda register: register("g", "m:G"),
        register_transforms=lambda register: register("h", "m:H"),
        register_detectors=lambda register: register("i", "m:I"),
        register_importers=lambda register: register("j", "m:J"),
        register_recipes=lambda register: register("k", file),
        register_benchmarks=lambda register: register("l", file),
    )
    assert plugin.error is None
    kinds = [(entry.kind, entry.name) for entry in plugin.entries]
    assert kinds == list(zip((*KINDS, *FILE_KINDS), "abcdefghijkl", strict=True))


def test_two_plugins_with_one_name_are_both_named_and_the_full_name_chooses() -> None:
    plugins = Plugins()
    for name in ("first", "second"):
        added(plugins, name, register_losses=lambda register: register("r1", "m:R1"))
    with pytest.raises(RecipeError) as caught:
        plugins.registry.get("loss", "r1")
    assert "dist-first 1.2" in str(caught.value)
    assert "dist-second 1.2" in str(caught.value)
    assert "write 'first/r1' or 'second/r1'" in str(caught.value)
    assert plugins.registry.get("loss", "second/r1").origin.distribution == "dist-second"
    assert plugins.registry.names("loss") == ["first/r1", "second/r1"]


def test_a_built_in_component_keeps_its_bare_name_whoever_takes_it() -> None:
    plugins = Plugins()
    added(plugins, "own", "ganzoo", register_losses=lambda register: register("r1", "m:R1"))
    bold = added(plugins, "bold", register_losses=lambda register: register("r1", "m:Bold"))
    assert bold.error is None
    assert plugins.registry.get("loss", "r1").origin.plugin == "own"
    assert plugins.registry.get("loss", "bold/r1").target == "m:Bold"
    assert plugins.registry.names("loss") == ["r1", "bold/r1"]
    (report,) = plugins.reports
    assert re.match(r"plugin 'bold' .*dist-bold 1\.2: .*loss 'r1'", report)
    assert "write 'bold/r1' to use it" in report


# -- what a broken one does not do ------------------------------------------------------------

BROKEN = {
    "raises on import": ("raise RuntimeError('no\\n  good')", "RuntimeError: no good"),
    "exits on import": ("raise SystemExit(3)", "SystemExit: 3"),
    "does not parse": ("def f(:", "SyntaxError"),
    "misses a module": ("import no_such_package", "No module named 'no_such_package'"),
    "has no hook": ("register_nothing = 1", "no function with the decorator @ganzoo.hookimpl"),
    "forgets the decorator": (
        GOOD + "\n    def register_datasets(register): ...",
        "its function register_datasets lacks the decorator @ganzoo.hookimpl",
    ),
    "misspells a hook": (
        "@hookimpl\ndef register_loses(register): ...",
        "there is no hook 'register_loses', did you mean 'register_losses'?",
    ),
    "misspells an argument": (
        "@hookimpl\ndef register_losses(registry): ...",
        "its register_losses takes 'registry', did you mean 'register'? It is given: register",
    ),
    "raises in a hook": (
        GOOD + "\n    @hookimpl\n    def register_datasets(register): 1 / 0",
        "ZeroDivisionError: division by zero",
    ),
    "registers twice": (
        GOOD + '        register("nice", "other:Nice")',
        "it registers loss 'nice' twice",
    ),
    "registers no name": (
        GOOD + '        register("not nice", "m:A")',
        "it registers a loss: expected a name (up to 80",
    ),
    "registers a number": (GOOD + '        register(7, "m:A")', "'-', '_' and '.'), not 7"),
    "registers no class": (
        GOOD + '        register("b", 7)',
        "it registers loss 'b' as 7; give 'module:Class' or a class",
    ),
    "registers no target": (GOOD + '        register("b", "m.B")', "as 'm.B'; give 'module:Class'"),
    "registers no recipe": (
        GOOD
        + '\n    @hookimpl\n    def register_recipes(register): register("b", "{site}/b.yaml")',
        "b.yaml'; give the path of a file",
    ),
    "registers no benchmark": (
        GOOD + '\n    @hookimpl\n    def register_benchmarks(register): register("b", "m:B")',
        "registers benchmark 'b' as 'm:B'; give the path of a file",
    ),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_reported_in_one_line_and_leaves_no_trace(
    source: str, reason: str, install: Install
) -> None:
    before = state(load())
    observer = "\n    @hookimpl\n    def run_started(run): raise SystemExit\n"
    module = install("bad", source if "def f(" in source else observer * (GOOD in source) + source)
    plugins = load()
    assert state(plugins) == before
    (plugin,) = plugins.broken
    report = plugin.report()
    assert "\n" not in report
    assert report.startswith(f"plugin 'bad' ({module}) of dist-bad 1.2 ")
    assert reason in report
    assert "uninstall 'dist-bad'" in report
    assert "Traceback" in plugin.traceback


TOO_NEW = {
    "hooks of the future": (
        GOOD + "\n    ganzoo_hooks = 2",
        "",
        "it is written for version 2 of ganzoo's hooks",
    ),
    "a hook of the future": (
        "ganzoo_hooks = 2\n@hookimpl\ndef register_dreams(register): ...",
        "",
        "it is written for version 2 of ganzoo's hooks",
    ),
    "needs a newer ganzoo": (
        "from ganzoo.interfaces import Dream",
        "ganzoo>=99",
        "It needs ganzoo>=99, and this is ",
    ),
}


@pytest.mark.parametrize(("source", "needs", "said"), TOO_NEW.values(), ids=TOO_NEW)
def test_a_plugin_for_a_newer_ganzoo_says_what_to_update(
    source: str, needs: str, said: str, install: Install, site: Path
) -> None:
    install("dreamer", source)
    if needs:
        with (site / "dist_dreamer-1.2.dist-info" / "METADATA").open("a") as metadata:
            metadata.write(f"Requires-Dist: numpy\nRequires-Dist: {needs}\n")
    (plugin,) = load().broken
    assert said in plugin.report()
    assert re.search(r"pip install -U ganzoo\).* older 'dist-dreamer'", plugin.report())


def test_the_version_of_the_hooks_may_be_stated_and_has_to_be_a_number(install: Install) -> None:
    install("nice", GOOD + "\n    ganzoo_hooks = 1")
    install("vague", GOOD.replace("nice", "vague") + "\n    ganzoo_hooks = '1'")
    plugins = load()
    assert plugins.registry.names("loss").count("nice") == 1
    (plugin,) = plugins.broken
    assert re.search("ganzoo_hooks is '1'; .*number", plugin.report())


@pytest.mark.parametrize("source", ["raise RuntimeError('no')", "import no_such_package"])
def test_strict_plugins_raise(
    source: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("bad", source)
    monkeypatch.setenv("GANZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=r"plugin 'bad'.*dist-bad 1\.2"):
        load()


def test_an_entry_point_that_names_a_class_is_told_to_name_an_instance() -> None:
    class Mine:
        @hookimpl
        def run_started(self, run: object) -> None: ...

    plugins = Plugins()
    plugin = plugins.add(lambda: Mine, Origin("mine", "d", "1"))
    assert plugin.error
    assert "name a module or an instance" in plugin.error
    assert plugins.add(Mine, Origin("mine", "d", "1")).error is None


def test_a_plugin_that_is_registered_twice_stays_registered() -> None:
    found = ModuleType("found")
    vars(found)["run_started"] = hookimpl(lambda run: None)
    plugins = Plugins()
    assert plugins.add(lambda: found, Origin("one", "d", "1")).error is None
    assert plugins.add(lambda: found, Origin("two", "d", "1")).error
    assert len(plugins.hook.run_started.get_hookimpls()) == 1


def test_two_distributions_cannot_have_one_plugin_name(install: Install) -> None:
    install("dcgan", GOOD, distribution="an-imitation")
    (plugin,) = load().broken
    assert plugin.origin.distribution == "an-imitation"
    assert "its name is taken by ganzoo" in plugin.report()


def test_recipes_of_one_name_harm_no_plugin_and_the_full_name_chooses(tmp_path: Path) -> None:
    plugins = Plugins()
    for name in ("first", "second"):
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text(f"recipe: {name}\n")
        added(plugins, name, register_recipes=lambda register, r=recipe: register("r", r))
    assert not plugins.reports
    with pytest.raises(RecipeError, match="write 'first/r' or 'second/r'"):
        find_recipe("r", plugins.registry)
    assert find_recipe("second/r", plugins.registry) == tmp_path / "second.yaml"


def test_a_recipe_with_the_name_of_a_shipped_one_does_not_take_its_place(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("recipe: mine\n")
    plugins = Plugins()
    added(plugins, "mine", register_recipes=lambda register: register("dcgan", recipe))
    assert find_recipe("dcgan", plugins.registry).parent.name == "recipes"
    assert find_recipe("mine/dcgan", plugins.registry) == recipe
    (report,) = plugins.reports
    assert re.search("recipe 'dcgan' .*write 'mine/dcgan'", report)


BENCHMARK = """\
# A benchmark of {plugin}.
benchmark: {name}
version: 1
dataset: {{use: avatars, count: 200, size: 32}}
reference: 100
fakes: 50
primary: color-overlap
evaluators: [{{use: color}}]
"""


@pytest.fixture
def with_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """Three plugins with benchmarks: one alone has its name, two share one, one takes ganzoo's."""
    plugins = Plugins()
    plugins.load_entry_points()
    for plugin, name in (("fern", "ferns-32"), ("moss", "both-32"), ("reed", "both-32")):
        file = tmp_path / f"{plugin}.yaml"
        file.write_text(BENCHMARK.format(plugin=plugin, name=name))
        names = [name, "avatars-32"] if plugin == "reed" else [name]

        def register(register: Callable[..., None], n: list[str] = names, f: Path = file) -> None:
            for one in n:
                register(one, f)

        added(plugins, plugin, register_benchmarks=register)
    for module in ("plugins.manager", "recipe.listing"):
        monkeypatch.setattr(f"ganzoo.{module}.installed", lambda: plugins)
    return plugins


def test_a_benchmark_of_a_plugin_has_a_name(with_benchmarks: Plugins, run: Run) -> None:
    registry = with_benchmarks.registry
    assert load_benchmark("ferns-32", (), registry).name == "ferns-32"
    rows = {
        row["name"]: row for row in json.loads(run("list", "benchmarks", "--json").out)["benchmark"]
    }
    assert rows["ferns-32"] == {
        "name": "ferns-32",
        "plugin": "fern",
        "summary": "A benchmark of fern.",
    }
    assert rows["avatars-32"]["plugin"] == "ganzoo"
    assert "ferns-32, version 1" in run("show", "ferns-32").out
    assert run("show", "benchmark", "moss/both-32").out == run("show", "moss/both-32").out
    assert completion.benchmarks("ferns") == ["ferns-32"]
    assert "--benchmark ferns-32" in run("evaluate", "--references").err


def test_benchmarks_of_one_name_harm_no_plugin_and_the_full_name_chooses(
    with_benchmarks: Plugins, tmp_path: Path
) -> None:
    registry = with_benchmarks.registry
    with pytest.raises(RecipeError, match="write 'moss/both-32' or 'reed/both-32'"):
        load_benchmark("both-32", (), registry)
    for plugin in ("moss", "reed"):
        assert load_benchmark(f"{plugin}/both-32", (), registry).name == "both-32"
    assert load_benchmark("avatars-32", (), registry).fakes > 50
    (report,) = with_benchmarks.reports
    assert re.search("benchmark 'avatars-32' .*write 'reed/avatars-32'", report)
    names = [*shipped_benchmarks(registry)]
    assert {"both-32", "ferns-32", "moss/both-32", "reed/avatars-32"} & {*names} == {
        *("ferns-32", "moss/both-32", "reed/avatars-32")
    }


def test_a_benchmark_is_checked_and_has_the_name_it_is_registered_by(
    with_benchmarks: Plugins, tmp_path: Path
) -> None:
    (tmp_path / "fern.yaml").write_text(
        BENCHMARK.format(plugin="fern", name="ferns-32") + "seeed: 1\n"
    )
    (broken,) = contracts("fern", with_benchmarks)
    with pytest.raises(AssertionError, match=r"fern\.yaml:9:1 .*did you mean 'seed'"):
        broken()
    right, misnamed = sorted(contracts("reed", with_benchmarks), key=lambda one: one.component)[
        ::-1
    ]
    right()
    with pytest.raises(AssertionError, match=r"benchmark: both-32.* as 'avatars-32'"):
        misnamed()


def test_what_an_uninstall_left_half_done_harms_nothing(install: Install, site: Path) -> None:
    install("nice", GOOD)
    (site / "dist_gone-1.2.dist-info").mkdir()
    points = site / "dist_gone-1.2.dist-info" / "entry_points.txt"
    points.write_text("[ganzoo]\ngone = gone_plugin\n")
    plugins = load()
    assert "nice" in plugins.registry.names("loss")
    (plugin,) = plugins.broken
    assert "plugin 'gone' (gone_plugin) of gone_plugin unknown " in plugin.report()


def test_an_object_that_breaks_when_it_is_looked_at_harms_nothing() -> None:
    class Lazy:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(f"lazy {name}")

    plugins = Plugins()
    assert "RuntimeError: lazy" in (plugins.add(Lazy, Origin("lazy", "d", "1")).error or "")


# -- the environment --------------------------------------------------------------------------


def test_ganzoo_plugins_restricts(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("nice", GOOD)
    monkeypatch.setenv("GANZOO_PLUGINS", "nice, dcgan")
    plugins = load()
    assert [plugin.origin.plugin for plugin in plugins.plugins] == ["dcgan", "nice"]
    assert plugins.registry.names("loss") == ["nice"]


def test_ganzoo_plugins_takes_the_name_of_a_plugin_that_was_divided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GANZOO_PLUGINS", "data")
    loaded = {plugin.origin.plugin for plugin in load().plugins}
    assert loaded == {"avatars", "figurines", "folders"}


def test_ganzoo_plugins_refuses_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_PLUGINS", "dcgna")
    with pytest.raises(PluginError, match=r"names 'dcgna'.*did you mean 'dcgan'\?.*Installed: adv"):
        load()


# -- commands ---------------------------------------------------------------------------------


def command_line() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def train() -> None:
        typer.echo("trained")

    @app.command()
    def other() -> None: ...

    return app


def good_commands(cli: typer.Typer) -> None:
    cli.command("more")(lambda: None)
    cli.add_typer(command_line(), name="group")


def bad_commands(cli: typer.Typer) -> None:
    cli.command("half")(lambda: None)
    raise RuntimeError("no\ngood")


def unbuildable_commands(cli: typer.Typer) -> None:
    def half(thing: Nowhere) -> None: ...  # noqa: F821

    cli.command()(half)


@pytest.mark.parametrize(
    ("register_commands", "reason"),
    [
        (bad_commands, "RuntimeError: no good"),
        (unbuildable_commands, "NameError: name 'Nowhere' is not defined"),
        (lambda cli: cli.command("train")(lambda: None), "there is a command 'train' already"),
        (lambda cli: cli.add_typer(command_line(), name="train"), "there is a command 'train'"),
        (lambda cli: cli.command("group")(lambda: None), "there is a command 'group' already"),
        (
            lambda cli: cli.add_typer(command_line(), name="group"),
            "a command 'group other' already",
        ),
    ],
)
def test_commands_that_fail_are_left_out_as_a_whole(
    register_commands: Callable[[typer.Typer], None],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def loaded() -> Plugins:
        plugins = Plugins()
        added(plugins, "good", register_commands=good_commands)
        added(plugins, "bad", register_commands=register_commands)
        return plugins

    plugins, app = loaded(), command_line()
    plugins.add_commands(app)
    (plugin,) = plugins.broken
    report = plugin.report()
    assert report.startswith("the commands of plugin 'bad' ")
    assert reason in report
    assert "\n" not in report
    listing = CliRunner().invoke(app, ["--help"]).output
    assert "more" in listing
    assert "half" not in listing
    assert CliRunner().invoke(app, ["group", "train"]).output == "trained\n"
    assert CliRunner().invoke(app, ["train"]).output == "trained\n"

    monkeypatch.setenv("GANZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match="the commands of plugin 'bad'"):
        loaded().add_commands(command_line())


def test_a_plugin_adds_to_the_group_of_another() -> None:
    def more(cli: typer.Typer) -> None:
        group = typer.Typer()
        group.command("more")(lambda: typer.echo("more"))
        cli.add_typer(group, name="group")

    plugins = Plugins()
    added(plugins, "good", register_commands=good_commands)
    added(plugins, "other", register_commands=more)
    for _ in range(2):  # a process may make its command line more than once
        app = command_line()
        plugins.add_commands(app)
        assert not plugins.broken
        assert CliRunner().invoke(app, ["group", "more"]).output == "more\n"
        assert CliRunner().invoke(app, ["group", "train"]).output == "trained\n"


# -- real entry points, a real process --------------------------------------------------------


def test_the_command_line_works_beside_a_broken_plugin(install: Install, site: Path) -> None:
    install("bad", "import no_such_package", version="0.7")
    install("nice", GOOD)
    listing = ganzoo("list", "losses", site=site)
    assert listing.returncode == 0
    assert re.search("^  nice +nice +BROKEN: .*found", listing.stdout, re.MULTILINE)
    assert re.search("^  r1 +adversarial ", listing.stdout, re.MULTILINE)
    assert listing.stderr.count("\n") == 1
    assert listing.stderr.startswith("warning: plugin 'bad' (")
    assert re.search("of dist-bad 0.7 .*: ModuleNotFoundError", listing.stderr)

    story = ganzoo("plugins", site=site).stdout
    assert "BROKEN: plugin 'bad'" in story
    assert "Traceback (most recent call last)" in story
    rows = {row["plugin"]: row for row in json.loads(ganzoo("plugins", "--json", site=site).stdout)}
    assert rows["nice"]["components"] == ["loss nice"]
    assert rows["nice"]["distribution"] == "dist-nice"
    assert rows["bad"]["error"] == "ModuleNotFoundError: No module named 'no_such_package'"
    assert rows["folders"]["hooks"] == [
        "register_datasets",
        "register_transforms",
        "register_commands",
    ]

    strict = ganzoo("list", site=site, GANZOO_STRICT_PLUGINS="1")
    assert strict.returncode == 2
    assert strict.stderr.startswith("error: plugin 'bad'")
    without = ganzoo("list", "loss", site=site, GANZOO_PLUGINS="nice", GANZOO_STRICT_PLUGINS="1")
    assert without.returncode == 0
    assert "r1" not in without.stdout
    unknown = ganzoo("list", site=site, GANZOO_PLUGINS="nicer")
    assert unknown.returncode == 2
    assert "did you mean 'nice'?" in unknown.stderr


# -- hooks ------------------------------------------------------------------------------------


def test_every_hook_is_documented_and_named_in_a_test() -> None:
    tests = "\n".join(p.read_text() for p in Path(__file__).parents[1].rglob("*.py"))
    assert len(HOOKS) >= 15
    for hook in HOOKS:
        assert (getattr(hookspecs, hook).__doc__ or "").strip().endswith("."), hook
        assert re.search(rf"\b{hook}\b", tests), f"no test names the hook {hook}"
