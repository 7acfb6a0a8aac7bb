#!/bin/sh
# Check ganzoo on an accelerator: training, resume, sampling, evaluation, DDP and speed.
#
#     benchmarks/gpu/run.sh OUT [--device cuda|cpu] [--only REGEX]
#
# Writes OUT/report.md.  PYTHON names the interpreter (python3).  ganzoo need not be installed: where
# it is not, the checkout is used, with metadata made from its pyproject.toml.
set -u
cd "$(dirname "$0")/../.." || exit 2
PYTHON=${PYTHON:-python3}
OUT=${1:?usage: benchmarks/gpu/run.sh OUT [--device cuda|cpu]}
mkdir -p "$OUT" || exit 2
OUT=$(cd "$OUT" && pwd)
shift
if ! "$PYTHON" -c 'from importlib.metadata import version; version("ganzoo")' 2>/dev/null; then
    "$PYTHON" benchmarks/gpu/metadata.py "$OUT/site" || exit 2
    PYTHONPATH="$PWD:$PWD/plugins:$OUT/site${PYTHONPATH:+:$PYTHONPATH}"
    export PYTHONPATH
fi
exec "$PYTHON" benchmarks/gpu/check.py "$OUT" "$@"
