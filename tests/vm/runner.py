# SPDX-License-Identifier: GPL-2.0-only
"""Boot the machines, and have each suite judged when it ends."""

import os
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby

from plan import HERE, Entry
from verdict import Verdict, complaints, count_wrong, judge, read


class Runner:
    """Run machines until all of their entries have verdicts, which go to a report."""

    def __init__(self, report, passed=None, stress=1):
        self.report, self.passed, self.stress = report, passed, stress
        self.late = []
        self.children = set()
        self.stopping = False

    def run_all(self, machines, jobs):
        """Run machines, so many side by side."""
        with ThreadPoolExecutor(jobs) as pool:
            for future in [pool.submit(self.run, machine) for machine in machines]:
                future.result()

    def run_late(self):
        """Run the late suites again, one machine after the other, with nothing beside it."""
        late, self.late = sorted(self.late, key=lambda pair: pair[0].name), []
        for _, pairs in groupby(late, key=lambda pair: pair[0].name):
            pairs = list(pairs)
            self.run(replace(pairs[0][0], last_try=True, entries=[entry for _, entry in pairs]))

    def stop(self, *_):
        """Stop all children, which end their machines; for signal handlers."""
        self.stopping = True
        for child in list(self.children):
            child.terminate()

    def run(self, machine):
        if machine.place == "host":
            for entry in machine.entries:
                if not self.stopping:
                    self.run_on_host(machine, entry)
            return

        shutil.rmtree(machine.out, ignore_errors=True)
        machine.out.mkdir(parents=True)
        waiting = machine.entries
        while waiting and not self.stopping:
            self.report.say(f"  BOOT    {machine.name}")
            done = self.boot(replace(machine, entries=waiting))
            waiting = [entry for entry in waiting if entry not in done]

    def boot(self, machine):
        """Boot once; return the entries that have a verdict now, of which there is at least one."""
        taken, out = Taken(), machine.out
        for name in "results", "running":
            (out / name).write_text("")
        for name, entries in ("plan", machine.entries), ("closing", machine.closing):
            (out / name).write_text("".join(
                f"{e.name} {e.user} {e.seconds} {e.device.mode or '-'} {e.program}\n"
                for e in entries))

        with open(out / "run.log", "w", encoding="utf-8") as log:
            command = [HERE / "run", "--out", out, "--time-limit", "0", *machine.options, "--",
                       "env", f"LITE_ACCEL_STRESS={self.stress}", HERE / "guest-suite"]
            child = self.start(command, log, dict(os.environ, KERNEL=machine.kernel))
            watchdog = Watchdog(child, machine)
            for _ in child.stdout:
                self.take_results(machine, taken)
                watchdog.feed(taken.done)
            status = self.finish(child)
            watchdog.stop()

        self.take_results(machine, taken)
        if status or not taken.done:
            self.blame(machine, taken.done, watchdog.barked)
        if self.passed and not set(machine.closing) <= set(taken.done):
            self.passed.forget(machine, taken.done)
        return taken.done

    def start(self, command, log, env):
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=env, text=True,
                                 errors="replace", stdout=subprocess.PIPE, stderr=log)
        self.children.add(child)
        return child

    def finish(self, child):
        status = child.wait()
        self.children.discard(child)
        return status

    def take_results(self, machine, taken):
        """Judge the suites that the guest has added to "results"; ignore an incomplete line."""
        lines = read(machine.out / "results").split("\n")[:-1]
        for line in lines[taken.lines:]:
            taken.lines += 1
            name, status = line.split()
            tap, log, left = (read(machine.out / f"{name}.{part}")
                              for part in ("tap", "dmesg", "left"))
            seconds = taken.lap()

            if name == "modules":
                self.take_loading(machine, complaints(name, log))
                continue

            entry = next(e for e in (*machine.entries, *machine.closing) if e.name == name)
            # Differences at the end of a closing suite come from other suites.
            left = "" if entry in machine.closing else left.strip()
            verdict = judge(entry.suite, int(status), tap, log, left)
            verdict.seconds = seconds
            taken.done.append(entry)
            self.settle(machine, entry, verdict)

    def take_loading(self, machine, splats):
        """Judge the loading of the modules, which may cause no complaints either."""
        if splats:
            entry = Entry(machine.entries[0].device, "modules", "root", 0, "")
            self.settle(machine, entry, Verdict(
                reasons=["complaints in the kernel's log"], details=splats))

    def blame(self, machine, done, late):
        """Fail the suite that ran when the machine went down or stood still."""
        waiting = [e for e in (*machine.entries, *machine.closing) if e not in done]
        if not waiting:
            return

        running = read(machine.out / "running").strip()
        entry = next((e for e in waiting if e.name == running), waiting[0])
        lines = read(machine.out / "run.log").splitlines() or ["the harness failed"]
        reason = "the guest stood still" if late else re.sub(r"^tests/vm/run: ", "", lines[0])

        # A kernel that dies before our modules are loaded does not count against them: on a
        # busy host, an emulated CPU may execute code that another one is patching.
        _, started, ours = read(machine.out / "console.log").partition("lite-accel: command starts")

        # Take the kernel's messages since the start of the suite from the console's log,
        # because the guest did not keep them.
        splats = [line for line in complaints(
            entry.suite, ours.rpartition(f"lite-accel: {running} starts")[2])
            if "soft lockup" not in line]

        # The suite may have failed tests already.
        wrong = entry.name == running and count_wrong(read(machine.out / f"{running}.tap"))
        verdict = Verdict(reasons=[reason], details=lines[1:],
                          late=(late or not started) and not wrong)

        if wrong:
            verdict.reasons.append(f"{wrong} failed before")
        if splats and late:
            verdict.reasons.append("complaints in the kernel's log")
            verdict.details += splats
            verdict.late = False

        done.append(entry)
        self.settle(machine, entry, verdict)

    def run_on_host(self, machine, entry):
        start, out = time.monotonic(), machine.out
        out.mkdir(parents=True, exist_ok=True)
        with open(out / f"{entry.suite}.log", "w", encoding="utf-8") as log:
            child = self.start(["timeout", "-k", "5", str(entry.seconds), *entry.program.split()],
                               log, os.environ)
            text = child.stdout.read()
            status = self.finish(child)

        (out / f"{entry.suite}.tap").write_text(text, encoding="utf-8")
        verdict = judge(entry.suite, status, text)
        verdict.seconds = time.monotonic() - start
        self.settle(machine, entry, verdict)

    def settle(self, machine, entry, verdict):
        """Count a verdict, or put it off until the suite has run again."""
        if self.stopping:
            return

        for reason in verdict.skips:
            if not entry.may_skip(reason):
                verdict.reasons.append(f"must not be skipped here: {reason}")
                verdict.late = False

        # A suite that ends the machine cannot be repeated.
        late = verdict.late and not machine.last_try and entry not in machine.closing
        self.report.take(machine, entry, verdict, late)
        if late:
            self.late.append((machine, entry))
        elif self.passed:
            self.passed.take(machine, entry, not verdict.failures)


class Watchdog:
    """End a machine that stands still, so that a suite does not even time out."""

    BOOT, MARGIN = 300, 120

    def __init__(self, child, machine):
        self.child, self.machine, self.barked = child, machine, False
        self.timer = None
        self.set(self.BOOT)

    def set(self, seconds):
        self.stop()
        self.timer = threading.Timer(seconds, self.bark)
        self.timer.daemon = True
        self.timer.start()

    def stop(self):
        if self.timer:
            self.timer.cancel()

    def feed(self, done):
        """Set the time for the suite that runs now, or for the end of the machine."""
        waiting = [e for e in (*self.machine.entries, *self.machine.closing) if e not in done]
        # If a suite has left something behind, a closing one is next.
        self.set(self.MARGIN + max((entry.seconds for entry in
                                    (*waiting[:1], *self.machine.closing)), default=0))

    def bark(self):
        self.barked = True
        self.child.terminate()


class Taken:
    """Progress in "results": lines read, entries judged, and the time of the last one."""

    def __init__(self):
        self.lines, self.done, self.last = 0, [], time.monotonic()

    def lap(self):
        """Return the host's seconds since the last result; the guest's clock may differ."""
        self.last, before = time.monotonic(), self.last
        return self.last - before
