"""Check ganzoo on one device and write a report; see ``run.sh``.

Each job is a separate process with a time limit, so that one that hangs or crashes does not stop
the rest.  The checks of a job write their lines as they end.  The speed is measured last and
alone.  GANZOO_GPU_CHECK_TINY=1 makes everything small, to try this script on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
#: job -> seconds that it may take; those of the first group run side by side
TOGETHER = {"recipes": 180, "exact": 180, "commands": 180, "processes": 180}
ALONE = {"loop": 90, "speed": 150}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--job", help="run this job here; what the script calls itself with")
    parser.add_argument("--only", default="", help="checks whose `job: name` this regex finds")
    options = parser.parse_args()
    if options.job:
        sys.path[:0] = [str(HERE), str(HERE.parent / "speed")]
        import jobs

        checks = jobs.JOBS[options.job]
        wanted = [c for c in checks if re.search(options.only, f"{options.job}: {c[0]}")]
        run_checks(wanted, options.out, options.job)
        return
    began = time.monotonic()
    for old in options.out.glob("*.jsonl"):
        old.unlink()
    with ThreadPoolExecutor(len(TOGETHER)) as pool:
        ends = list(pool.map(lambda job: launch(job, TOGETHER[job], options), TOGETHER))
    ends += [launch(job, limit, options) for job, limit in ALONE.items()]
    write_report(options.out, options.device, ends, time.monotonic() - began)


def launch(job: str, limit: int, options: argparse.Namespace) -> tuple[str, str]:
    """Run a job in its own process; return its name, and why it failed."""
    environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
    environment.setdefault("GANZOO_CACHE", str(options.out / "cache"))
    if options.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, __file__, str(options.out), "--job", job, "--only", options.only]
    with (options.out / f"{job}.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # and its children
            process.wait()
            print(f"{job}: out of time", flush=True)
            return job, f"stopped after {limit} s"
    print(f"{job}: done", flush=True)
    return job, f"exit code {code}" if code else ""


def run_checks(checks: list[tuple[str, Callable[[], str]]], out: Path, job: str) -> None:
    """Run one check after the other, with a line of OUT/JOB.jsonl for each."""
    with (out / f"{job}.jsonl").open("w", encoding="utf-8") as file:
        for name, check in checks:
            began = time.monotonic()
            try:
                row = {"result": "PASS", "detail": check() or ""}
            except ImportError as error:
                row = {"result": "SKIP", "detail": f"{error}"}
            except BaseException as error:
                traceback.print_exc()
                said = (str(error).strip().splitlines() or [""])[0]
                row = {"result": "FAIL", "detail": f"{type(error).__name__}: {said}"[:400]}
            row |= {"check": name, "seconds": round(time.monotonic() - began, 1)}
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{row['result']} {name} {row['seconds']} s {row['detail']}", flush=True)


def write_report(out: Path, device: str, ends: list[tuple[str, str]], seconds: float) -> None:
    """Write OUT/report.md: failures first, then every check by job."""
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" and torch.cuda.is_available() else "CPU"
    lines = [
        "# ganzoo on a device",
        "",
        f"{name}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} CPU cores, {seconds:.0f} s"
        f"{', in tiny form' if os.environ.get('GANZOO_GPU_CHECK_TINY') else ''}.",
        "",
    ]
    rows = {job: read(out / f"{job}.jsonl") for job, _ in ends}
    every = [row for found in rows.values() for row in found]
    count = {r: sum(row["result"] == r for row in every) for r in ("PASS", "FAIL", "SKIP")}
    lines += [", ".join(f"{n} {result}" for result, n in count.items()) + ".", ""]
    lines += [f"- **FAIL** job `{job}`: {why}, see {job}.log" for job, why in ends if why]
    lines += [f"- **FAIL** {r['check']}: {r['detail']}" for r in every if r["result"] == "FAIL"]
    for job, found in rows.items():
        lines += ["", f"## {job}", "", "| | check | s | |", "|---|---|---|---|"]
        for row in found:
            detail = row["detail"].replace("|", "/").replace("\n", "<br>")
            lines.append(f"| {row['result']} | {row['check']} | {row['seconds']} | {detail} |")
    (out / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{out / 'report.md'}: {count}", flush=True)


def read(path: Path) -> list[dict[str, str]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


if __name__ == "__main__":
    main()
