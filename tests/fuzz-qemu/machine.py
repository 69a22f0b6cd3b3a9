# SPDX-License-Identifier: GPL-2.0-only
"""A machine with the model and without a guest, whose CPU is QEMU's qtest."""

import os
import select
import subprocess

LICENCE = "# SPDX-License-Identifier: GPL-2.0-only"
ANSWER_SECONDS = 60     # enough on a busy host too

MMCONFIG, DEVICE = 0xb0000000, 4
CONFIG = MMCONFIG + (DEVICE << 15)
EXPRESS = 0x80          # offset of the PCI Express capability
CONTROL, DOORBELLS, LOCAL = 0xe0000000, 0xe0100000, 0xe0200000
QUEUE, STRIDE, MSIX_TABLE = CONTROL + 0x1000, 0x80, CONTROL + 0x3000
IOMMU, APIC = 0xfed90000, 0xfee00000
RAM, RAM_END, PAGE = 0x100000, 64 << 20, 4096
BYPASS = 1 << 62        # in ROOT
QUEUES = 4


class Finding(Exception):
    pass


class Machine:
    """A QEMU that gets the accesses of a CPU by qtest."""

    def __init__(self, qemu, options, patience=ANSWER_SECONDS):
        self.patience = patience
        self.script = [LICENCE, "# " + " ".join(options)]
        environment = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                           ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0")
        # pylint: disable-next=consider-using-with # see end()
        self.process = subprocess.Popen(
            [qemu, "-L", qemu.parent.parent / "firmware", "-nodefaults", "-display", "none",
             "-machine", "q35", "-m", "64M", "-accel", "qtest", "-qtest", "stdio", "-qtest-log",
             "/dev/null", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, bufsize=0)
        self.errors = []
        self.rest = b""

    def read_line(self):
        """Return one line of the answers; keep QEMU's error output for the report."""
        answers, errors = self.process.stdout, self.process.stderr

        while b"\n" not in self.rest:
            ready, _, _ = select.select([answers, errors], [], [], self.patience)
            if errors in ready:
                self.errors.append(os.read(errors.fileno(), 65536).decode(errors="replace"))
            if answers in ready:
                data = os.read(answers.fileno(), 65536)
                if not data:
                    raise Finding(self.report("QEMU ended"))
                self.rest += data
            if not ready:
                raise Finding(self.report("no answer"))

        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def report(self, what):
        self.process.kill()
        self.errors.append(self.process.stderr.read().decode(errors="replace"))
        return f"{what}\n" + "".join(self.errors)

    def tell(self, command):
        self.script.append(command)
        try:
            self.process.stdin.write(command.encode() + b"\n")
        except BrokenPipeError:
            pass

        while True:
            word, *answer = self.read_line().split()
            if word in ("OK", "FAIL"):
                return answer
            # Skip the lines of interrupts, which come in between.

    def read(self, address, size=8):
        letter = {1: "b", 2: "w", 4: "l", 8: "q"}[size]
        return int(self.tell(f"read{letter} {address:#x}")[0], 16)

    def write(self, address, value, size=8):
        letter = {1: "b", 2: "w", 4: "l", 8: "q"}[size]
        self.tell(f"write{letter} {address:#x} {value & ((1 << 8 * size) - 1):#x}")

    def store(self, address, data):
        self.tell(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def end(self):
        self.process.kill()
        self.process.communicate()


def map_configuration(machine):
    for number, value in ((0x80000060, MMCONFIG | 1), (0x80000064, 0)):
        machine.tell(f"outl 0xcf8 {number:#x}")
        machine.tell(f"outl 0xcfc {value:#x}")


def find_device(machine, config=CONFIG, bars=(CONTROL, DOORBELLS, LOCAL)):
    """Do what firmware does: map the configuration space and the BARs."""
    map_configuration(machine)
    for bar, address in enumerate(bars):
        machine.write(config + 0x10 + 8 * bar, address)
    machine.write(config + 4, 6, 2)


def configure(machine, config=CONFIG):
    """Do what firmware and a driver do: enable MSI-X, and PASIDs and ATS if there are any."""
    find_device(machine, config)

    machine.write(config + find_capability(machine, config, 0x11) + 2, 0x8000, 2)
    for extended, control, value in ((0x0f, 6, 0x8000), (0x1b, 6, 1)):
        offset = find_extended(machine, config, extended)
        if offset:
            machine.write(config + offset + control, value, 2)


def find_capability(machine, config, number):
    offset = machine.read(config + 0x34, 1)
    while machine.read(config + offset, 1) != number:
        offset = machine.read(config + offset + 1, 1)
    return offset


def find_extended(machine, config, number):
    offset = 0x100
    while offset:
        header = machine.read(config + offset, 4)
        if header & 0xffff == number:
            return offset
        offset = header >> 20
    return 0
