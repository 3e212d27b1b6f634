"""`python -I -S sandbox ORDERS WORKER`: see `program`. Run as a folder, by Python without site."""

from __future__ import annotations

import sys
from pathlib import Path

# at the end: nothing that lies beside the package takes the place of a standard module
sys.path.append(str(Path(__file__).resolve().parents[2]))

from lambda_emulator.sandbox import program

program.main(sys.argv[1], sys.argv[2])
