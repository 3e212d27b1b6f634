"""One execution environment of the embedded AWS: a process around each Lambda worker.

MiniStack starts a worker as it always does, with three pipes. What it starts is this program, which
has the real worker as its child: in a file system of its own (`namespaces`), with the interpreter
that the function declares (`runtimes`), on a socket that the handler does not know (`worker`). So
it can do from outside what a handler could prevent from inside: freeze it between invocations
(`tree`), end it at its timeout or when its memory is used up, and report how it ended (`program`).

Only the standard library: it starts with every execution environment.
"""
