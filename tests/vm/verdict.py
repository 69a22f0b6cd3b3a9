# SPDX-License-Identifier: GPL-2.0-only
"""Judge a suite by its KTAP, its exit status, the kernel's log and what it left behind."""

import pathlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

WHITELIST = pathlib.Path(__file__).resolve().parent / "log-whitelist"
COMPLAINT = re.compile(r"^kern:(emerg|alert|crit|err|warn): |"
                       r"WARNING:|BUG:|Oops|KASAN|UBSAN|possible (circular|recursive) locking")
# Output of kselftest_harness.h, and of accel_late() of the tests, for a test that timed out.
LATE = re.compile(r"# late: |.*Test terminated by timeout")
WRONG = re.compile(r".*:Expected |.*terminated unexpectedly|.*terminated by (assertion|signal)")
# Status of timeout(1).  A suite that something else killed, for example for lack of memory,
# is not late.
TIMED_OUT = 124
SKIPPED = 4


@dataclass
class Verdict:
    """The result of a suite."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    # Failures beyond those of tests, in words; each counts as one more.
    reasons: list = field(default_factory=list)
    skips: Counter = field(default_factory=Counter)
    names_passed: set = field(default_factory=set)
    names_skipped: set = field(default_factory=set)
    # Whether the only failure is a lack of time.
    late: bool = False
    details: list = field(default_factory=list)

    @property
    def failures(self):
        return self.failed + len(self.reasons)


class Test(NamedTuple):
    """One result of a suite, with the reason for a skip, or None, and the lines up to it."""

    number: int
    name: str
    good: bool
    skip: str | None
    block: list


class Tap:
    """The output of a suite: the plan, and each result with the lines before it."""

    def __init__(self, text):
        self.plans, self.results, self.bail, self.skip_all = [], [], "", ""
        block = []
        for line in text.splitlines():
            plan = re.match(r"1\.\.(\d+)(?:.*# SKIP (.*))?", line)
            result = re.match(r"(not )?ok (\d+)(.*?)(?:# SKIP (.*))?$", line)
            block.append(line)

            if plan:
                self.plans.append(int(plan[1]))
                self.skip_all = plan[2] or ""
            elif result:
                self.results.append(Test(int(result[2]), result[3].strip(" -"), not result[1],
                                         result[4], block))
                block = []
            elif line.startswith("Bail out!"):
                self.bail = line
        self.rest = block

    def flaw(self):
        """Return what is wrong with the output as a whole, or ''."""
        numbers = sorted(test.number for test in self.results)
        if self.bail:
            return self.bail
        if not self.plans:
            return "no plan"
        if len(self.plans) > 1:
            return "more than one plan"
        if len(numbers) != self.plans[0]:
            return f"a plan of {self.plans[0]} but {len(numbers)} results"
        for wanted, number in enumerate(numbers, 1):
            if number != wanted:
                return f"no single result {wanted}"
        return ""


def is_late(block):
    """Return whether a failed test ran out of time before anything was wrong."""
    for line in block:
        if LATE.match(line):
            return True
        if WRONG.match(line):
            return False
    return False


def count_wrong(text):
    """Count the failed tests that had something wrong before they ran out of time, if ever."""
    tap = Tap(text)
    blocks = [test.block for test in tap.results if not test.good and test.skip is None]
    # Add the test that was running when the suite was ended.
    blocks += [tap.rest] if any(WRONG.match(line) for line in tap.rest) else []
    return sum(not is_late(block) for block in blocks)


def read(path):
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def complaints(suite, log):
    """Return the lines of the kernel's log that are not allowed."""
    allowed = []
    for line in WHITELIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, message = line.split(None, 1)
            if re.fullmatch(name, suite):
                allowed.append(re.compile(message))

    return [line for line in log.splitlines()
            if COMPLAINT.search(line) and not any(what.search(line) for what in allowed)]


def status_flaw(verdict, status):
    if verdict.failed and not status:
        return "exit status 0 though tests failed"
    if not verdict.failed and status and not (status == SKIPPED and verdict.skipped):
        return f"exit status {status} though no test failed"
    return ""


def judge(name, status, text, log="", left=""):
    """Return the verdict on the suite @name; the caller adds the seconds and checks the skips."""
    tap, verdict = Tap(text), Verdict()
    wrong = count_wrong(text)

    for test in tap.results:
        if test.skip is not None:
            verdict.skipped += 1
            verdict.skips[test.skip] += 1
            verdict.names_skipped.add(test.name)
        elif test.good:
            verdict.passed += 1
            verdict.names_passed.add(test.name)
        else:
            verdict.failed += 1
            verdict.details += test.block[-13:]

    if tap.skip_all:
        verdict.skipped += 1
        verdict.skips[tap.skip_all] += 1

    splats = complaints(name, log)
    if status == TIMED_OUT:
        verdict.reasons.append("did not finish in time")
        verdict.details += tap.rest[-12:]
    else:
        flaw = tap.flaw() or status_flaw(verdict, status)
        verdict.reasons += [flaw] if flaw else []
        wrong += bool(flaw)

    if left:
        verdict.reasons.append(f"not as before: {left}")
    if splats:
        verdict.reasons.append("complaints in the kernel's log")
        # They come first, because the report repeats only the beginning.
        verdict.details = splats + verdict.details

    # A suite that was ended may not have plugged its device in again, which is no error.
    lost = left and not (status == TIMED_OUT and re.fullmatch(r"devices: .*", left))
    verdict.late = bool(verdict.failures and not wrong and not splats and not lost)
    return verdict
