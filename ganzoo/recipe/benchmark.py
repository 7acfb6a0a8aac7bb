"""Benchmarks: YAML that fixes how models are measured, checked like recipes, without torch.

``load_benchmark`` reads a file and ``--set``; ``protocol.py`` opens what they name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ganzoo.errors import RecipeError, RunError, nearest, one_of
from ganzoo.formats.names import check_name
from ganzoo.formats.tree import Node, join
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_benchmarks, shipped_folder
from ganzoo.plugins.signature import Signature
from ganzoo.recipe import grammar, inheritance
from ganzoo.recipe.checker import Checker, Problems, default_node, signature_of
from ganzoo.recipe.component import Component, Section, split_component
from ganzoo.recipe.vocabulary import FEATURES, provided_fields

STREAMS = ("real", "fake", "pair")


@dataclass(frozen=True)
class Extract(Component):
    """An extractor.  An ``optional`` one is left out if its weights are unavailable."""

    optional: bool


@dataclass(frozen=True)
class Measure(Component):
    """An evaluator, and the benchmark's extractor whose features it reads."""

    extractor: str | None


@dataclass(frozen=True)
class Benchmark:
    """One evaluation protocol, complete.

    The first ``reference`` examples of the dataset are the reals, the rest is held out.  The
    ``fakes`` are made from noise, or from the first images of the rest.
    """

    name: str
    version: int
    seed: int
    dataset: Component
    dataset_sha256: str | None
    shuffle: bool
    held_out: str
    reference: int
    fakes: int
    extractors: Mapping[str, Extract]
    evaluators: tuple[Measure, ...]
    primary: str


def load_benchmark(
    path_or_name: str | Path, overrides: Iterable[str], registry: Registry, folder: str = ""
) -> Benchmark:
    """Read, check and complete a benchmark, given by path or by its name.

    A name may end in the version, ``avatars-64@2``.
    ``overrides`` look like ``"dataset.path=FOLDER"`` and are checked like the file; their paths are
    relative to ``folder``, by default the working directory.  Raises RecipeError with every problem
    at once.
    """
    benchmarks = shipped_benchmarks(registry)
    name, _, version = str(path_or_name).rpartition("@")
    is_versioned = name in benchmarks and not Path(path_or_name).is_file()
    file = name if is_versioned else path_or_name
    layers = inheritance.load(file, overrides, benchmarks, "benchmark", set_in=folder)
    problems = Problems(layers.problems)
    section = _Reader(registry, problems, layers.whole).benchmark(layers.root)
    problems.raise_any()
    benchmark = _benchmark(section)
    if is_versioned and version != str(benchmark.version):
        raise RecipeError([_other_version(benchmark, version)])
    return benchmark


def refuse_outdated(benchmark: Benchmark, registry: Registry) -> None:
    """Raise RecipeError if a benchmark that is installed has the same name and a later version."""
    if benchmark.name in shipped_benchmarks(registry):
        newest = load_benchmark(benchmark.name, (), registry)
        if benchmark.version < newest.version:
            raise RecipeError([_other_version(newest, str(benchmark.version))])


def _other_version(benchmark: Benchmark, version: str) -> str:
    """Say where results under another version of a shipped benchmark are."""
    text = f"benchmark '{benchmark.name}' is at version {benchmark.version}"
    folder = shipped_folder("benchmarks") / "archive" / f"v{version}"
    if version.isdecimal() and (folder / f"{benchmark.name}.yaml").is_file():
        folder = Path(inheritance.display(folder))
        file = folder / f"{benchmark.name}.yaml"
        return (
            f"{text}. Version {version} is archived: `ganzoo leaderboard {folder}` shows its "
            f"tables, and --benchmark {file} --out {folder / 'entries'} adds to them."
        )
    if version.isdecimal() and 0 < int(version) < benchmark.version:
        return f"{text}. Version {version} is in ganzoo's repository, in benchmarks/archive."
    return f"{text}, and there is no version '{version}'. Write '{benchmark.name}'."


class _Reader(Checker):
    """Reads a benchmark's sections into completed nodes."""

    def benchmark(self, root: Node) -> Section:
        entries = self.mapping(root, "", "{benchmark: NAME, version: 1, dataset: ...}")
        if entries is None:
            return {}
        sections = grammar.BENCHMARK_SECTIONS
        self.refuse_unknown(entries, [*grammar.BENCHMARK, *sections], "")
        section = self.table(entries, grammar.BENCHMARK, root, "", "the benchmark")
        if name := section.get("benchmark"):
            try:
                check_name(name.value)
            except RunError as error:
                self.problems.add(name.at, "benchmark", str(error).removeprefix("name: "))
        for key, what in sections.items():
            if key not in entries and key != "extractors":
                self.missing(root.at, "", f"missing '{key}': {what}")
        if "dataset" in entries:
            section["dataset"] = self.component("dataset", entries["dataset"], "dataset")
        extractors = entries.get("extractors", default_node({}))
        table = grammar.EXTRACT
        section["extractors"] = self.collection("extractors", extractors, "extractor", table)
        evaluators = self.items(
            entries.get("evaluators", default_node([])), "evaluators", "evaluator"
        )
        nodes = [
            self.component("evaluator", node, join("evaluators", i), grammar.MEASURE)
            for i, node in enumerate(evaluators.value)
        ]
        section["evaluators"] = replace(evaluators, value=nodes)
        if not self.whole:  # evaluators may read what an unreadable base provides
            return section
        signatures = [signature_of(self.registry, "evaluator", node) for node in nodes]
        for i, (node, signature) in enumerate(zip(nodes, signatures, strict=True)):
            if signature:
                self._check_reads(node, signature, section, join("evaluators", i))
        if nodes and all(signatures):  # an unknown one might provide it
            self._check_primary(section, [s for s in signatures if s])
        elif not nodes and "evaluators" in entries and not entries["evaluators"].plain():
            self.problems.add(evaluators.at, "evaluators", "a benchmark needs an evaluator")
        return section

    def _check_primary(self, benchmark: Section, signatures: Iterable[Signature]) -> None:
        """Note a primary score that some who run the benchmark will not get."""
        optional = {
            name
            for name, spec in benchmark["extractors"].value.items()
            if "optional" in spec.value and spec.value["optional"].value
        }
        always = [
            score
            for node, signature in zip(benchmark["evaluators"].value, signatures, strict=True)
            for score in signature.attributes.get("higher_is_better") or ()
            if "extractor" in node.value and node.value["extractor"].value not in optional
        ]
        primary = benchmark.get("primary")
        if primary and primary.value not in always:
            what = f"no evaluator gives '{primary.value}'"
            what += " without an optional extractor" if optional else ""
            what += f"{nearest(primary.value, always)} Available: {one_of(set(always))}."
            self.problems.add(primary.at, "primary", what)

    def _check_reads(self, node: Node, signature: Signature, benchmark: Section, path: str) -> None:
        """Note every word that the benchmark cannot give an evaluator."""
        streams = {s: dict(signature.methods[s]) for s in STREAMS if s in signature.methods}
        features = [
            is_required
            for words in streams.values()
            for word, is_required in words.items()
            if is_features(word)
        ]
        extractor = node.value.get("extractor")
        name = extractor.value if extractor else None
        extractors = benchmark["extractors"].value
        if name is not None and name not in extractors:
            what = f"there is no extractor '{name}'{nearest(name, extractors)}"
            self.problems.add(
                extractor.at, join(path, "extractor"), f"{what} Available: {one_of(extractors)}."
            )
        elif name is not None and not features:
            self.problems.add(
                extractor.at, join(path, "extractor"), "it reads no features: leave it out"
            )
        elif name is None and any(features):
            what = f"missing 'extractor': whose features? Available: {one_of(extractors)}."
            self.problems.add(node.name_at, path, what)
        dataset = signature_of(self.registry, "dataset", benchmark.get("dataset"))
        fields = dataset.attributes.get("fields") if dataset else None
        if dataset is None or not isinstance(fields, dict):
            return
        fields = provided_fields(fields, dataset.optional, benchmark["dataset"].plain())
        for stream, words in streams.items():
            if stream == "pair" and len(streams) > 1 and not has_sources(fields, words):
                continue  # it scores images from noise by its other streams
            available = words_of(stream, fields)
            for word, is_required in words.items():
                if is_required and word not in available:
                    what = f"its stream '{stream}' needs '{word}', which nothing provides"
                    self.problems.add(
                        node.name_at,
                        path,
                        f"{what}{nearest(word, available)} Available: {one_of(available)}.",
                    )


def words_of(stream: str, fields: Mapping[str, str]) -> list[str]:
    """List what an evaluator's ``stream`` may read, if the dataset provides ``fields``."""
    if stream == "pair":
        pictures = [word for word, what in fields.items() if what == "image"] + ["fake"]
        return [*fields, "fake", "group", *(word + FEATURES for word in pictures)]
    further = ["group", "labels"]
    if stream == "real":
        further = [word for word in fields if word != "real"]
    return ["image", "features", *further]


def has_sources(fields: Mapping[str, str], words: Iterable[str]) -> bool:
    """Whether a dataset has what fakes are made from, so that there are pairs to read ``words`` of.

    That is an image, such as a photo; or a tensor, such as a layout, if the words name it.
    """
    is_translation = any(what == "image" and word != "real" for word, what in fields.items())
    return is_translation or any(fields.get(word) == "tensor" for word in words)


def is_features(word: str) -> bool:
    """Whether an evaluator that reads ``word`` needs an extractor."""
    return word == "features" or word.endswith(FEATURES)


def _benchmark(section: Section) -> Benchmark:
    plain = {name: section[name].plain() for name in grammar.BENCHMARK}
    return Benchmark(
        name=plain.pop("benchmark"),
        dataset=Component(**split_component(section["dataset"], ())),
        extractors={
            name: Extract(**split_component(node, grammar.EXTRACT))
            for name, node in section["extractors"].value.items()
        },
        evaluators=tuple(
            Measure(**split_component(node, grammar.MEASURE))
            for node in section["evaluators"].value
        ),
        **plain,
    )
