#!/usr/bin/env python3
"""Time training steps of layers beside PyTorch eager, one thread; see README.md."""

import argparse
import importlib
import json
import statistics
import sys
import time
from pathlib import Path

from run import HERE, Child, number, seconds

sys.dont_write_bytecode = True
SIDES = ("ours", "theirs")


def measure(name, args):
    """Both sides of a case in processes of their own, by turns; the other one waits."""
    case = importlib.import_module(f"layer_cases.{name}")
    found = {"name": name, "title": case.NAME, "limit": case.LIMIT}
    found["memory_limit"] = getattr(case, "MEMORY_LIMIT", None)
    children = {}
    for side in SIDES:
        child = Child(args.python, name, side, 1, args.seconds, args.core, "layer_child.py")
        found[side] = dict(child.receive(150), rounds=[])
        children[side] = child
    alive = all("values" in found[side] for side in SIDES)
    for i in range(args.rounds if alive else 0):
        for side in SIDES[:: -1 if i % 2 else 1]:  # A B, B A, A B ...
            answer = children[side].go(90)
            if "wall" not in answer:
                raise SystemExit(f"{name}, {side}: {answer}")
            found[side]["rounds"].append(answer)
            time.sleep(args.settle)
    for child in children.values():
        child.end()
    if alive:
        summarise(found, getattr(case, "RTOL", 1e-3))
    return found


def summarise(found, rtol):
    """Medians of processor time, which is what a step takes alone, also where others are at work."""
    ours, theirs = (found[side] for side in SIDES)
    for info in (ours, theirs):
        times = [r["cpu"] / r["n"] for r in info["rounds"]]
        info["s_per_step"] = statistics.median(times)
        info["spread"] = (max(times) - min(times)) / info["s_per_step"]
    rounds = zip(ours["rounds"], theirs["rounds"], strict=True)
    ratios = [(a["cpu"] / a["n"]) / (b["cpu"] / b["n"]) for a, b in rounds]
    found["ratio"] = statistics.median(ratios)
    if ours["peak_mb"] and theirs["peak_mb"]:
        found["memory_ratio"] = ours["peak_mb"] / theirs["peak_mb"]
    pairs = zip(ours["values"], theirs["values"], strict=True)
    found["gap"] = max(abs(a - b) / max(abs(b), 1e-12) for a, b in pairs)
    found["agrees"] = found["gap"] <= rtol


def passes(found):
    memory = found.get("memory_limit")
    return (
        found.get("agrees", False)
        and found["ratio"] <= found["limit"]
        and (memory is None or found["memory_ratio"] <= memory)
    )


def line(found):
    """A row of the table."""
    ours, theirs = (found[side] for side in SIDES)
    failed = [
        f"{side}: {i.get('skip') or i.get('fail')}"
        for side, i in zip(SIDES, (ours, theirs))
        if "s_per_step" not in i
    ]
    if failed:
        return f"| {found['title']} | {'; '.join(failed)} |"
    limit, memory = found["limit"], found.get("memory_ratio")
    cells = [
        found["title"],
        seconds(ours["s_per_step"]),
        seconds(theirs["s_per_step"]),
        f"{number(found['ratio'])} (at most {limit:g})" + ("" if found["ratio"] <= limit else " !"),
        f"{ours['spread']:.0%}, {theirs['spread']:.0%}",
        f"{ours['peak_mb']:.1f}, {theirs['peak_mb']:.1f}" if memory else "-",
        number(memory),
        f"{'yes' if found['agrees'] else 'NO'} ({found['gap']:.0e})",
    ]
    return "| " + " | ".join(cells) + " |"


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("cases", nargs="*", help="names of files in layer_cases/; all without")
    p.add_argument("--python", default=sys.executable, help="the Python that has both")
    p.add_argument("--rounds", type=int, default=11)
    p.add_argument("--seconds", type=float, default=0.25, help="of a turn in a round, about")
    p.add_argument("--settle", type=float, default=0.02, help="pause after each turn")
    p.add_argument("--core", type=int, default=0, help="core to pin to; -1 for none")
    p.add_argument("--json", help="file to write the results to, raw rounds included")
    args = p.parse_args()
    args.core = args.core if args.core >= 0 else None
    names = args.cases or sorted(
        path.stem for path in (HERE / "layer_cases").glob("*.py") if path.stem[0] != "_"
    )
    print("| step | ours | torch | ratio | spreads | peak MB | ratio | same value |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    results = []
    for name in names:
        results.append(measure(name, args))
        print(line(results[-1]), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1))
    return 0 if all(map(passes, results)) else 1


if __name__ == "__main__":
    sys.exit(main())
