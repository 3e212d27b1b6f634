"""Loads the Lambda meter into the Python workers of the embedded AWS, and nowhere else.

This folder is on PYTHONPATH of the embedded AWS, so every Python it starts runs this file:
the server itself, its Lambda workers, and Python programs that handlers start. Only a worker
gets the meter. The server is told to start its workers through a script that loads the meter even
if the function has a PYTHONPATH of its own (see emulator/worker_shims.py). A `sitecustomize` that
this one hides is run as if this were not here.
"""

import os
import sys


def _is_lambda_worker() -> bool:
    # sys.argv is not set yet; the worker is started as `python .../_worker.py`
    script = sys.orig_argv[-1] if sys.orig_argv else ""
    return (
        os.path.basename(script) == "_worker.py"  # noqa: PTH119 - pathlib costs 5 ms at start
        and "AWS_LAMBDA_FUNCTION_NAME" in os.environ
        and "DYNO_METER" in os.environ
    )


def _run_hidden_sitecustomize() -> None:
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    others = [folder for folder in sys.path if os.path.abspath(folder) != here]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


if _is_lambda_worker():
    from dyno_meter.worker import install  # type: ignore[import-not-found]

    install()
elif "DYNO_PYTHON_SHIM" in os.environ:  # the server: it takes the variable out, for all others
    sys.executable = os.environ.pop("DYNO_PYTHON_SHIM")
_run_hidden_sitecustomize()
