"""Starts a Python worker as AWS's runtime has it: `python -S boot.py ORDERS`.

`-S`, because the packages of this machine's Python are not the function's: it sees its own code,
its layers, and boto3, as on AWS. The orders are JSON:

    worker   the worker's program, MiniStack's
    protocol the descriptor of the socket to the sandbox
    layers, runtime   folders of the layers, and of boto3
"""

import json
import os
import site
import sys


def main() -> None:
    """Find packages where AWS does, put the meter in, and run the worker."""
    orders = json.loads(sys.argv[1])
    here = sys.path[0]
    sys.argv = [orders["worker"]]
    os.environ.pop("DYNO_OWNER", None)  # only to be seen from outside
    declared = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    standard = [path for path in sys.path[1:] if path not in declared]
    declared = [path for path in declared if path and path != orders["runtime"]]
    layers = os.path.join(orders["layers"], "python")
    sys.path[:] = [here, *standard]
    from dyno_meter.worker import install  # type: ignore[import-not-found]

    sys.path[:] = [*declared, layers, orders["runtime"], *standard]
    # of the declared version, even where another one runs in its place
    version = os.environ.get("AWS_EXECUTION_ENV", "").removeprefix("AWS_Lambda_")
    packages = os.path.join(layers, "lib", version, "site-packages")
    if os.path.isdir(packages):
        sys.path.insert(0, packages)
        site.addsitedir(packages)
    site.setquit()
    site.setcopyright()
    site.sethelper()
    install(orders["protocol"])
    with open(orders["worker"], encoding="utf-8") as file:
        program = compile(file.read(), orders["worker"], "exec")
    del sys.modules["__main__"].__file__  # multiprocessing would run it in children
    exec(program, sys.modules["__main__"].__dict__)  # noqa: S102


main()
