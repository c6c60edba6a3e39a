"""One side of a case of layer_cases/ in a process of its own, driven by layers.py."""

import ctypes
import gc
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

from child import tune


def peak_of(step, steps=5):
    """Megabytes that steps take at their peak beyond what stands between them; None off Linux.

    A step has been made before, so that code is loaded and caches are warm; what the allocator
    then keeps for later is given back to the system first, so that it counts for the steps.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew

    def kilobytes(field):
        return int(status.read_text().partition(f"{field}:")[2].split()[0])

    before = kilobytes("VmRSS")
    for _ in range(steps):
        step()
    return (kilobytes("VmHWM") - before) / 1024


def main():
    name, side, target = sys.argv[1], sys.argv[2], float(sys.argv[3])
    reply = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with replies

    def say(**message):
        reply.write(json.dumps(message) + "\n")
        reply.flush()

    try:
        if side == "theirs":
            import torch

            torch.set_num_threads(1)
        step = getattr(importlib.import_module(f"layer_cases.{name}"), side)()
        values = [step() for _ in range(5)]
        peak = peak_of(step)

        def run(n):
            for _ in range(n):
                value = step()
            return value

        n = tune(run, target)
        say(values=values, peak_mb=peak, n=n)
    except ImportError as error:
        return say(skip=f"not installed: {error}")
    except Exception as error:
        traceback.print_exc()
        return say(fail=f"{type(error).__name__}: {str(error)[:200]}")

    for line in sys.stdin:
        if line.strip() != "go":
            break
        wall, cpu = time.perf_counter(), time.process_time()
        value = run(n)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        say(wall=wall, cpu=cpu, n=n, value=value)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # torch's threads are slow to end
