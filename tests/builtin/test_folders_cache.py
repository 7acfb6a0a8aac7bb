"""The image cache: whole or absent, built once, never used when damaged."""

import json
import multiprocessing
import os
import signal

import numpy as np
import pytest
from filelock import FileLock

from ganzoo.errors import DataError
from ganzoo_folders import cache

KEY = {"what": "test"}
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    monkeypatch.setenv("GANZOO_CACHE", str(path))
    return path


def _images(count=5):
    return np.arange(count * 3 * 8 * 8, dtype=np.uint8).reshape(count, 3, 8, 8)


def _build(writer):
    writer.add(_images()[:2])
    writer.add(_images()[2:])
    writer.set_labels(np.arange(5)[:, None])
    writer.index["files"] = ["a"]


def _refuse(writer):
    raise AssertionError("it was built again")


def _get(build=_build, key=KEY):
    return cache.get("test", key, 8, build)


def _place(root):
    (found,) = root.glob("test-*")
    return found


def test_what_was_written_is_read_without_building_again(root):
    _get()
    entry = _get(_refuse)
    assert np.array_equal(entry.images, _images())
    assert entry.labels[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert entry.index["files"] == ["a"]
    assert np.array_equal(np.load(_place(root) / "images.npy"), _images())
    assert not entry.images.flags.writeable


def test_another_key_is_another_entry(root):
    _get()
    _get(key={"what": "other"})
    assert len(list(root.glob("test-*"))) == 2


def _flip_a_bit(place):
    data = bytearray((place / "images.npy").read_bytes())
    data[-100] ^= 1
    (place / "images.npy").write_bytes(data)


def _cut(place):
    data = (place / "images.npy").read_bytes()
    (place / "images.npy").write_bytes(data[:-10])


def _lengthen(place):
    (place / "images.npy").write_bytes((place / "images.npy").read_bytes() + b"more")


def _alter_a_label(place):
    np.save(place / "labels.npy", np.zeros((5, 1), np.int64))


def _other_key(place):
    index = json.loads((place / "index.json").read_text())
    index["key"] = {"what": "else"}
    (place / "index.json").write_text(json.dumps(index))


def _spoil_index(place):
    (place / "index.json").write_text('{"format": 1')


def _lose_the_labels(place):
    (place / "labels.npy").unlink()


def _empty_image_file(place):
    (place / "images.npy").write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        _flip_a_bit,
        _cut,
        _lengthen,
        _alter_a_label,
        _other_key,
        _spoil_index,
        _lose_the_labels,
        _empty_image_file,
    ],
)
def test_a_damaged_entry_is_made_anew_with_a_warning(root, damage, caplog):
    _get()
    damage(_place(root))
    entry = _get()
    assert "damaged" in caplog.text
    assert np.array_equal(entry.images, _images())
    assert entry.labels[:, 0].tolist() == [0, 1, 2, 3, 4]
    caplog.clear()
    _get(_refuse)
    assert not caplog.text


def test_a_build_that_fails_leaves_nothing_behind(root):
    def fail(writer):
        writer.add(_images())
        raise DataError("no")

    with pytest.raises(DataError, match="no"):
        _get(fail)
    assert [path.suffix for path in root.iterdir()] == [".lock"]


def test_a_failed_rebuild_leaves_the_damaged_entry_where_it_was(root):
    _get()
    _cut(_place(root))

    def fail(writer):
        raise DataError("no")

    with pytest.raises(DataError):
        _get(fail)
    assert _place(root).is_dir()


def _build_and_count(folder, barrier):
    def build(writer):
        (folder / f"built-{os.getpid()}").touch()
        _build(writer)

    barrier.wait()
    assert np.array_equal(_get(build).images, _images())


def test_of_two_processes_that_want_it_one_builds(tmp_path):
    barrier = SPAWN.Barrier(2)
    both = [SPAWN.Process(target=_build_and_count, args=(tmp_path, barrier)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert len(list(tmp_path.glob("built-*"))) == 1


def test_who_waits_says_so_and_uses_what_the_other_built(root, caplog, monkeypatch):
    _get()
    place = _place(root)
    aside = place.rename(place.with_name("aside"))
    lock = FileLock(str(root / f".{place.name}.lock"))
    lock.acquire()

    def other_finishes(message, *args):
        said.append(message % args)
        aside.rename(place)
        lock.release()

    said = []
    monkeypatch.setattr(cache.log, "warning", other_finishes)
    entry = _get(_refuse)
    assert "waiting" in said[0]
    assert np.array_equal(entry.images, _images())


def _die_while_building():
    def build(writer):
        writer.add(_images()[:2])
        os.kill(os.getpid(), signal.SIGKILL)

    _get(build)


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL here")
def test_what_a_killed_builder_left_is_removed_by_the_next(root):
    process = SPAWN.Process(target=_die_while_building)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not list(root.glob("test-*"))
    assert list(root.glob(".test-*.writing*"))
    assert np.array_equal(_get().images, _images())
    assert not list(root.glob(".test-*.writing*"))


def test_a_cache_folder_that_cannot_be_written_says_what_to_do(root, monkeypatch):
    root.write_text("a file")
    with pytest.raises(DataError, match="GANZOO_CACHE"):
        _get()


def test_a_full_disk_is_an_error_and_leaves_nothing(root):
    def fill(writer):
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left on device"):
        _get(fill)
    assert not list(root.glob("*test-*.writing"))
