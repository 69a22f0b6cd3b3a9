# SPDX-License-Identifier: GPL-2.0-only
"""Print each verdict when it comes, and a table at the end."""

import threading
from collections import Counter, defaultdict

COLUMN = " | {:>5} {:>4} {:>4} {:>5}"
# Lines of a failure that are repeated at the end, because only the end of some logs is kept.
REPEATED = 18


class Report:
    """Count the test cases, by suite and device."""

    def __init__(self):
        self.lock = threading.Lock()
        # By suite and device: passed, failed, skipped, seconds.
        self.cells = defaultdict(lambda: [0, 0, 0, 0.0])
        self.skips = Counter()
        self.names_passed, self.names_skipped = set(), set()
        self.problems, self.late, self.resumed = [], [], 0

    def say(self, *lines):
        with self.lock:
            print(*lines, sep="\n", flush=True)

    def take(self, machine, entry, verdict, late):
        """Print a verdict, with the details of a failure; a late suite does not count yet."""
        who = f"{entry.suite} ({entry.user})"
        word = "late" if late else "FAIL" if verdict.failures else "ok"
        where = f"{entry.device.name}/{machine.place}"
        lines = [f"  TEST    {where:<14} {who:<28} {word:>4}: {verdict.passed} passed, "
                 f"{verdict.failed} failed, {verdict.skipped} skipped, {verdict.seconds:.1f} s"]
        if word != "ok":
            lines += [" " * 12 + line for line in verdict.reasons + verdict.details]
        self.say(*lines)
        self.count(machine, entry, verdict, late)
        if word == "FAIL":
            with self.lock:
                self.problems += [f"{who}, {where}:", *(line[8:] for line in lines[1:REPEATED])]

    def count(self, machine, entry, verdict, late):
        cell = self.cells[entry.suite, entry.device.name]
        where = f"{entry.suite} ({entry.user}), {entry.device.name}/{machine.place}"
        with self.lock:
            cell[3] += verdict.seconds
            if late:
                self.late.append(f"{where}: {'; '.join(verdict.reasons) or 'a test'}")
                return
            cell[0] += verdict.passed
            cell[1] += verdict.failures
            cell[2] += verdict.skipped
            self.names_passed |= {f"{entry.suite}: {name}" for name in verdict.names_passed}
            self.names_skipped |= {f"{entry.suite}: {name}" for name in verdict.names_skipped}
            for reason, times in verdict.skips.items():
                self.skips[entry.device.name, reason] += times

    def total(self, column):
        return sum(cell[column] for cell in self.cells.values())

    def demand_all(self):
        """Demand, when everything has run, that each test has passed somewhere."""
        for name in sorted(self.names_skipped - self.names_passed):
            self.problems.append(f"{name}: skipped everywhere")
            self.cells[name.split(":")[0], "host"][1] += 1

    def good(self):
        return not self.total(1) and (self.total(0) or self.resumed)

    def print_row(self, title, cells):
        print(f"{title:<18}" + "".join(
            COLUMN.format(*cell[:3], f"{cell[3]:.0f}") if cell else COLUMN.format(*[""] * 4)
            for cell in cells))

    def print_table(self, suites, devices):
        print(f"\n{'':18}" + "".join(f" | {device:<21}" for device in devices))
        print(f"{'suite':18}" + COLUMN.format("pass", "fail", "skip", "s") * len(devices))
        for suite in suites:
            cells = [self.cells.get((suite, device)) for device in devices]
            if any(cells):
                self.print_row(suite, cells)
        self.print_row("all", [[sum(cell[n] for (_, name), cell in self.cells.items()
                                    if name == device) for n in range(4)] for device in devices])

    def print_list(self, title, lines):
        if lines:
            print(f"\n{title}:")
            for line in lines:
                print(f"  {line}")

    def print_end(self, suites, devices):
        """Print the table, lists of skips and failures, and the line that counts."""
        self.print_table(suites, devices)
        self.print_list("skipped", [f"{times:5}  {device}: {reason}" for (device, reason), times
                                    in sorted(self.skips.items(), key=lambda i: (i[0][0], -i[1]))])
        self.print_list("late, and run again alone", self.late)
        self.print_list("failed", self.problems)
        if self.resumed:
            print(f"\n{self.resumed} suites have passed before on the same inputs (RESUME=1)")
        print(f"\n{self.total(0)} passed, {self.total(1)} failed, {self.total(2)} skipped")
