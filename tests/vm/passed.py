# SPDX-License-Identifier: GPL-2.0-only
"""Record the suites that have passed on the same inputs, so that RESUME=1 can skip them."""

import functools
import hashlib
import json
import os
import subprocess
import threading
from pathlib import Path

from plan import BUILD, HERE, TOP

# Files on which the verdict of a suite depends besides the machine's parts and its program.
HARNESS = ["suite", "plan.py", "runner.py", "verdict.py", "run", "control", "ctl", "as-user",
           "guest-suite", "init-guest", "init-initramfs", "log-whitelist"]

# Files that suites which are scripts run or read.
BESIDE = ["build/lib/liblite-accel.so.0", "build/grown/lib/liblite-accel.so.0", "build/lib/copy",
          "build/lib/buffer", "build/lib/sum", "build/lib/sum-shared", "build/tools/lite-accel",
          "build/tests/selftests/abi", "build/tests/selftests/compat", "README.md",
          "Documentation/memory.rst"]


@functools.cache
def file_hash(path):
    path = Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "none"


@functools.cache
def printed(kernel, *command):
    return subprocess.run(command, env=dict(os.environ, KERNEL=kernel), check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


class Passed:
    """The file of hashes of inputs with which suites have passed; hashes of this run's inputs
    are computed before the run."""

    def __init__(self, table, machines, path=BUILD / "vm" / "passed.json"):
        self.table, self.path, self.lock = table, path, threading.Lock()
        self.now = {self.key(machine, entry): self.inputs(machine, entry)
                    for machine in machines if machine.place != "host"
                    for entry in machine.entries}
        try:
            self.known = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self.known = {}

    def inputs(self, machine, entry):
        """Return a hash of modules, program, kernel, QEMU, harness and the suite's stanza."""
        qemu = os.environ.get("QEMU") or "/usr/bin/qemu-system-x86_64"
        device = os.environ.get("LITE_ACCEL_QEMU_DEVICE", "")
        if not os.environ.get("QEMU") and \
                (entry.device.mode or "lite-accel" in (*machine.options, device.split(",")[0])):
            qemu = printed("", TOP / "qemu/build", "--print")

        vmlinuz = printed(machine.kernel, HERE / "kernel", "--print", "vmlinuz")
        modules = BUILD / "modules" / machine.place
        if not modules.exists():
            modules = BUILD / "modules" / machine.kernel

        files = [*sorted(modules.rglob("*.ko")), vmlinuz, qemu,
                 *(HERE / name for name in HARNESS), *(TOP / name for name in BESIDE),
                 entry.program, *(closing.program for closing in machine.closing)]
        words = [file_hash(str(file)) for file in files]
        words += [device, str(machine.options), str(entry),
                  str(sorted(self.table.stanzas[entry.suite].items()))]
        return hashlib.sha256(" ".join(words).encode()).hexdigest()

    def key(self, machine, entry):
        return f"{machine.place} {entry.name}"

    def has(self, machine, entry):
        key = self.key(machine, entry)
        return key in self.now and self.known.get(key) == self.now[key]

    def take(self, machine, entry, good):
        """Record that a suite has passed or failed; a closing one fails for its whole boot."""
        if machine.place == "host":
            return
        if entry not in machine.closing:
            self.write({self.key(machine, entry): good and self.now[self.key(machine, entry)]})
        elif not good:
            self.forget(machine, machine.entries)

    def forget(self, machine, entries):
        """Forget the suites of a boot and record no later pass of them in this run, because
        the suite that passes later may not be the one at fault."""
        for entry in entries:
            self.now[self.key(machine, entry)] = None
        self.write({self.key(machine, entry): False for entry in entries})

    def write(self, known):
        with self.lock:
            self.known.update(known)
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(self.known, indent=1), encoding="utf-8")
            new.replace(self.path)
