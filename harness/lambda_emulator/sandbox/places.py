"""What a worker sees, and where: in a file system of its own by AWS's paths, else by the host's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from lambda_emulator.meter_path.dyno_meter.cfs import vcpus
from lambda_emulator.sandbox import bytecode, package, runtimes
from lambda_emulator.sandbox.function import Function
from lambda_emulator.sandbox.namespaces import View

# What AWS's Python runtime has beside the standard library, by the beginning of its name.
_OF_PYTHON = (
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "python_dateutil",
    "s3transfer",
    "six",
    "urllib3",
)
_PATHS_OF_AWS = "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/bin"


class Tools:  # no dataclass: to import that takes every cold start 10 ms
    """What the embedded AWS says of this machine, once for all environments."""

    def __init__(
        self,
        settings: str,
        port: int,
        meter: str,
        packages: str,
        node_modules: str,
        pythons: dict[str, str],
        nodes: dict[str, str],
    ) -> None:
        """Say it.

        Args:
            settings: The meter's settings file.
            port: Of the embedded AWS.
            meter: Folder of what workers run.
            packages: Folder of the packages of which Python workers see some.
            node_modules: Folder of the packages that Node.js workers see; empty for none.
            pythons: Programs by their versions.
            nodes: Programs by their versions.
        """
        self.settings = settings
        self.port = port
        self.meter = meter
        self.packages = packages
        self.node_modules = node_modules
        self.pythons = pythons
        self.nodes = nodes


class Plan:
    """How to start a worker: its command, environment and folder, and its own view, if any."""

    def __init__(
        self, argv: list[str], environment: dict[str, str], task: str, view: View | None
    ) -> None:
        self.argv = argv
        self.environment = environment
        self.task = task
        self.view = view


class Places:
    """Where a function's code, layers and runtime are."""

    def __init__(self, function: Function, tools: Tools, program: Path, protocol: int) -> None:
        """Put together what the worker is to see.

        Args:
            function: The function.
            tools: Of this machine.
            program: MiniStack's worker, in the folder in which it has unpacked the function.
            protocol: Descriptor by which the worker finds the sandbox.

        Raises:
            LookupError: No interpreter of its language is installed.
        """
        self._function = function
        self._tools = tools
        self._program = program
        self._protocol = protocol
        self._home = program.parent
        self._in_node = program.suffix == ".js"
        installed = tools.nodes if self._in_node else tools.pythons
        self.declared = runtimes.version_of(function.runtime)
        if not installed:
            raise LookupError(f"{function.runtime}: no Node.js is on PATH")
        self.version = runtimes.choose(self.declared, installed)
        self._interpreter = installed[self.version]
        self.interpreter = f"{'nodejs' if self._in_node else 'python'}{self.version}"
        self._prepare()

    def _prepare(self) -> None:
        """Make what MiniStack has unpacked what was packed."""
        code, layers = self._function.code, self._function.layers()
        package.restore(self._home / "code.zip", code)
        for layer in layers:
            package.restore(layer.with_suffix(".zip"), layer)
        package.unlink_layers(code)
        self._opt = package.merged(layers, self._home / "opt")
        if not self._in_node:
            packages = [Path(self._tools.packages, name) for name in self._of_python()]
            folders = [folder for folder in packages if folder.is_dir()]
            meter = Path(self._tools.meter, "dyno_meter")
            bytecode.ensure(self._interpreter, self.version, [meter, *folders])

    def own(self) -> Plan:
        """Return the plan for a file system of its own, as AWS's."""
        tools = self._tools
        (self._home / "root").mkdir(exist_ok=True)
        worker = f"/var/lang/{self._program.name}"
        binds = {
            "/var/task": self._function.code,
            "/var/lang/meter": Path(tools.meter),
            "/var/lang/packages": Path(tools.packages),
        }
        name = Path(self._interpreter).name
        short = "node" if self._in_node else "python3"
        links = {f"/var/lang/bin/{each}": self._interpreter for each in {name, short}}
        # one by one: an interpreter may lie in this machine's /opt, and is to be seen there
        for entry in self._opt.iterdir() if self._opt is not None else ():
            if entry.is_symlink():
                links[f"/opt/{entry.name}"] = os.readlink(entry)
            else:
                binds[f"/opt/{entry.name}"] = entry
        if tools.node_modules and self._in_node:
            binds["/var/runtime/node_modules"] = Path(tools.node_modules)
        if self._in_node:
            links |= self._node_links("/opt/nodejs", "/var/runtime", "/var")
        else:
            links |= {
                f"/var/runtime/{name}": f"/var/lang/packages/{name}" for name in self._of_python()
            }
        view = View(
            binds=binds | self._kernel_files(),
            texts={worker: self._program.read_text(encoding="utf-8")},
            links=links,
            kept=(Path(self._interpreter).parents[1],),
            tmp_mb=self._function.tmp_mb,
        )
        places = {"PATH": _PATHS_OF_AWS}
        return self._plan(
            "/var/task", "/opt", "/var/runtime", "/var/lang/meter", worker, places, view
        )

    def shared(self) -> Plan:
        """Return the plan for this machine's file system, with folders that stand for AWS's."""
        home, tools = self._home, self._tools
        for name in ("empty", "runtime", "tmp"):
            (home / name).mkdir(exist_ok=True)
        opt = str(self._opt or home / "empty")
        links = {f"{home}/runtime/{n}": f"{tools.packages}/{n}" for n in self._of_python()}
        if self._in_node:
            sdk = f"{home}/runtime"
            links = {f"{sdk}/node_modules": tools.node_modules} if tools.node_modules else {}
            links |= self._node_links(f"{opt}/nodejs", sdk, str(home))
        for place, target in links.items():
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            if not Path(place).is_symlink():
                os.symlink(target, place)
        path = f"{Path(self._interpreter).parent}:{os.environ.get('PATH', '')}:{opt}/bin"
        places = {"PATH": path, "TMPDIR": f"{home}/tmp", "HOME": f"{home}/empty"}
        task = str(self._function.code)
        worker = str(self._program)
        return self._plan(task, opt, f"{home}/runtime", tools.meter, worker, places, None)

    def _plan(
        self,
        task: str,
        opt: str,
        runtime: str,
        meter: str,
        worker: str,
        places: Mapping[str, str],
        view: View | None,
    ) -> Plan:
        libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        libraries += [task, f"{task}/lib", f"{opt}/lib"]
        found = dict(places) | {
            "LAMBDA_TASK_ROOT": task,
            "LAMBDA_RUNTIME_DIR": runtime,
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        }
        orders = {"worker": worker, "protocol": self._protocol, "layers": opt, "runtime": runtime}
        if self._in_node:
            found["NODE_PATH"] = os.pathsep.join(
                (
                    f"{opt}/nodejs/node{self.declared}/node_modules",
                    f"{opt}/nodejs/node_modules",
                    f"{runtime}/node_modules",
                )
            )
            young_mb = self._function.memory_mb // 10  # as AWS's runtime divides the memory
            argv = [
                "--expose-gc",
                "--max-http-header-size=81920",
                f"--max-semi-space-size={max(1, young_mb // 2)}",
                f"--max-old-space-size={self._function.memory_mb - young_mb}",
                f"{meter}/node/boot.js",
            ]
        else:
            found["PYTHONPATH"] = runtime
            argv = ["-S", f"{meter}/boot.py"]
        argv = [self._interpreter, *argv, json.dumps(orders)]
        wrapper = self._function.declared.get("AWS_LAMBDA_EXEC_WRAPPER")
        environment = self._function.environment(found)
        return Plan([wrapper, *argv] if wrapper else argv, environment, task, view)

    def _of_python(self) -> list[str]:
        return [name for name in os.listdir(self._tools.packages) if name.startswith(_OF_PYTHON)]

    def _node_links(self, layers: str, runtime: str, above: str) -> dict[str, str]:
        """Return the links by which ES modules find packages.

        Args:
            layers: Where the function sees a layer's folder `nodejs`.
            runtime: Where it sees the runtime's folder.
            above: The folder above its code.
        """
        sources = [(Path(self._tools.node_modules), f"{runtime}/node_modules")]
        if not self._tools.node_modules:
            sources = []
        if self._opt is not None:
            own = f"node{self.declared}/node_modules"
            sources[:0] = [
                (self._opt / "nodejs" / name, f"{layers}/{name}") for name in (own, "node_modules")
            ]
        return {f"{above}/node_modules/{k}": v for k, v in package.linked(sources).items()}

    def _kernel_files(self) -> dict[str, Path]:
        """Return the kernel's files that count CPUs and memory, with what the function has."""
        count = vcpus(self._function.memory_mb)
        try:
            blocks = Path("/proc/cpuinfo").read_text(encoding="ascii").split("\n\n")
            memory = Path("/proc/meminfo").read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return {}
        total = f"{self._function.memory_mb * 1024:8d} kB"
        memory = re.sub(r"(?m)^(Mem(?:Total|Free|Available)):.*$", rf"\1: {total}", memory)
        one = [line for line in blocks[0].splitlines() if not line.startswith("processor")]
        text = "\n\n".join("\n".join([f"processor\t: {number}", *one]) for number in range(count))
        binds = {}
        folder = self._home / "kernel"
        folder.mkdir(exist_ok=True)
        for place, content in (
            ("/proc/cpuinfo", f"{text}\n\n"),
            ("/proc/meminfo", memory),
            *(
                (f"/sys/devices/system/cpu/{name}", f"0-{count - 1}\n")
                for name in ("online", "possible", "present")
            ),
        ):
            if Path(place).is_file():
                source = folder / Path(place).name
                source.write_text(content, encoding="ascii")
                binds[place] = source
        return binds
