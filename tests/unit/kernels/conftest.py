"""Kernels run in Triton's interpreter, on the CPU: it must be switched on before Triton is loaded, and only then."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# What the kernels' benchmarks count and decide without a GPU is tested here as well.
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
    raise RuntimeError("Triton was imported before the tests of its kernels: they cannot be interpreted any more")
_before = os.environ.get("TRITON_INTERPRET")
os.environ["TRITON_INTERPRET"] = "1"
try:
    import angles_kernel  # noqa: F401
    import bf16_interpreter
    import triton.experimental.gluon  # noqa: F401 - the first launch would load it, with the switch off again

    import abaci.backend.kernels.common.kernel
    import abaci.backend.kernels.relay.kernel
    import abaci.backend.kernels.relay.search.kernel
    import abaci.backend.kernels.sink.kernel
    import abaci.backend.kernels.sparq.append_kernel
    import abaci.backend.kernels.sparq.kernel  # noqa: F401 - what is decorated now is interpreted
finally:
    # Child processes of other tests compile, or have no use for Triton.
    os.environ.pop("TRITON_INTERPRET")
    if _before is not None:
        os.environ["TRITON_INTERPRET"] = _before

bf16_interpreter.install()
