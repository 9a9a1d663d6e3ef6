#!/usr/bin/env python3
"""How often the truth lay inside the estimated interval of seconds to go.

Usage: LOCKLAB_ESTIMATES=log locklab check …; Benchmarks/estimates.py log [least seconds, default 1]

Lines of the log: scenario, pass, seconds, expanded, found, steps, low, high (-1: nothing was said).
Prints, for a quarter, a half and three quarters of each run's time, the interval and the truth, and how often
the one contained the other.
"""
import csv
import sys


def runs(path):
    """The reports of each search, in order; a search's seconds begin anew."""
    last = None
    for row in csv.reader(open(path)):
        name, values = row[0], [float(v) for v in row[1:]]
        if last is None or last[0] != name or values[1] < last[1][-1][1]:
            if last:
                yield last
            last = (name, [])
        last[1].append(values)
    if last:
        yield last


def main():
    least = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    parts = (0.25, 0.5, 0.75)
    inside, said, wide, total = [0] * 3, [0] * 3, [[] for _ in parts], 0
    print("| scenario | seconds | " + " | ".join(f"at {p:.0%}: low, truth, high" for p in parts) + " |")
    print("|---|---|" + "---|" * len(parts))
    for name, reports in runs(sys.argv[1]):
        end = reports[-1][1]
        if end < least:
            continue
        total += 1
        cells = []
        for i, part in enumerate(parts):
            report = min(reports, key=lambda r: abs(r[1] - part * end))
            truth, low, high = end - report[1], report[5], report[6]
            if high < 0:
                cells.append(f"nothing, {truth:.1f}")
                continue
            said[i] += 1
            fits = low <= truth <= high
            inside[i] += fits
            wide[i].append(high / max(low, 0.01))
            cells.append(f"{low:.1f}, {'' if fits else '**'}{truth:.1f}{'' if fits else '**'}, {high:.1f}")
        print(f"| `{name}` | {end:.1f} | " + " | ".join(cells) + " |")
    print()
    for i, part in enumerate(parts):
        median = sorted(wide[i])[len(wide[i]) // 2] if wide[i] else 0
        print(f"at {part:.0%}: inside {inside[i]} of {said[i]} ({total} runs), high/low {median:.1f} in the median")


if __name__ == "__main__":
    main()
