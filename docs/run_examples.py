"""Run the examples of docs/examples.md in full: ``python docs/run_examples.py [PROGRAM ...]``.

What each command of the page prints goes into the block below it, and its picture, with fewer
colours, into docs/images/examples. With programs named, as ``gan_digits``, only these run. The
digits are those that ``TINYGRAD_BP_DATA`` points to; all run on one thread.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "examples.md"
IMAGES = DOCS / "images" / "examples"
LARGEST = 60_000
#: A command of the page, with the program's name, and the block of what it printed.
COMMAND = re.compile(r"^```sh\n(python examples/(\w+)\.py.*?)```\n\n```text\n(.*?)```", re.M | re.S)


def run(command: str, folder: Path) -> str:
    """What a command of the page prints; it writes its pictures to the folder."""
    _, program, *options = shlex.split(command)
    done = subprocess.run(
        [sys.executable, DOCS.parent / program, *options],
        cwd=folder,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def keep(picture: Path) -> None:
    """Save a picture in as many levels of red, green and blue as there is room for."""
    target = IMAGES / picture.name
    with Image.open(picture) as full:
        colours = np.asarray(full.convert("RGB"))
    for step in (5, 8.5, 17):
        few = Image.fromarray(np.uint8(np.round(colours / step) * step))
        few.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
        if target.stat().st_size < LARGEST:
            break


def main() -> None:
    """Run the programs that are named, or all, and write the page anew."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[1:]
    for command, program, _ in COMMAND.findall(PAGE.read_text()):
        if wanted and program not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            printed = run(command, Path(folder)).rstrip() + "\n"
            print(f"{program}: {time.perf_counter() - began:.0f} s")
            for picture in sorted(Path(folder).glob("*.png")):
                keep(picture)

        def shown(found: re.Match[str], program: str = program, printed: str = printed) -> str:
            whole, start = found[0], found.start()
            before, after = found.start(3) - start, found.end(3) - start
            return whole[:before] + printed + whole[after:] if found[2] == program else whole

        PAGE.write_text(COMMAND.sub(shown, PAGE.read_text()))


if __name__ == "__main__":
    main()
