#!/usr/bin/env python3
"""Reads what `cargo bench --bench instructions -- --output-format=json` prints, and prints it as a table.

Fails when translating an order is not at least MINIMUM times cheaper than through prost-reflect, in either direction.
Instructions are counted, not timed: the same program gives the same numbers on a busy machine.
"""

import json
import sys

MINIMUM = 4.0
TIMES = 10  # as in instructions.rs
WAYS = {"wire_to_json": "wire -> JSON", "json_to_wire": "JSON -> wire"}

counted = {}
for line in sys.stdin:
    if line.startswith("{"):
        record = json.loads(line)
        metrics = record["profiles"][0]["data"]["total"]["metrics"]
        counted[record["function_name"], record["id"]] = metrics["Ir"]["values"]["new"] // TIMES

shapes = list(dict.fromkeys(shape for _, shape in counted))
if "order" not in shapes:
    sys.exit("nothing was counted for the order")

print(f"{'':<26}{'gateway':>14}{'prost-reflect':>16}{'ratio':>9}")
failures = []
for way, title in WAYS.items():
    for shape in shapes:
        ours, theirs = counted[way, shape], counted[way + "_by_reflection", shape]
        ratio = theirs / ours
        print(f"{title:<16}{shape:<10}{ours:>14,}{theirs:>16,}{ratio:>9.2f}")
        if shape == "order" and ratio < MINIMUM:
            failures.append(f"{title}: the order is only {ratio:.2f} times cheaper, and {MINIMUM} is the least")
if failures:
    sys.exit("\n".join(failures))
