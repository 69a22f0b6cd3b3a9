# SPDX-License-Identifier: GPL-2.0-only
"""Read ./suites and make the machines and their plans."""

import configparser
import os
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILD = TOP / "build"

# Places of ./suites that are machines: the kernel, and options of ./run.
PLACES = {
    "stock": ("stock", ()),
    "noiommu": ("stock", ("--no-iommu", "--append", "memmap=64M!1G")),
    "grown": ("stock", ("--modules", "grown")),
    "newest": ("newest", ()),
    "debug": ("debug", ()),
    "la57": ("debug", ("--cpu", "la57=on")),
}
KERNELS = {kernel for kernel, _ in PLACES.values()}
# Factors of time: with KASAN, lockdep and other checks everything takes longer.
SLOWER = {"debug": 6}
# Limit of a driver's own suite that has no stanza, and its places if it has no line for them.
OWN_SECONDS, OWN_PLACES = "240", "stock debug"
# Two NUMA nodes, between which pages move only when a test moves them.
NODES = ("--append", "numa=fake=2 numa_balancing=disable")


class Wrong(Exception):
    """A request cannot be fulfilled; the argument is the reason."""


@dataclass(frozen=True)
class Device:
    """A column of the table: a device under test, in a mode."""

    name: str
    options: tuple = ()
    mode: str = ""
    slower: int = 1


@dataclass(frozen=True)
class Entry:
    """A suite on a device as one user, and its limit in seconds there."""

    device: Device
    suite: str
    user: str
    seconds: int
    program: str
    # Valid reasons for skipping here, as regular expressions; None: any.
    lacks: tuple | None = None

    @property
    def name(self):
        """The name of its files, and in the plan."""
        return f"{self.device.name}-{self.suite}-{self.user}"

    def may_skip(self, reason):
        return self.lacks is None or any(re.fullmatch(what, reason) for what in self.lacks)


@dataclass(frozen=True)
class Machine:
    """One configuration of the virtual machine, or the host itself, and its plan."""

    name: str
    place: str
    options: tuple
    entries: tuple
    # Entries that run at the end of each boot.
    closing: tuple = ()
    last_try: bool = False

    @property
    def kernel(self):
        return PLACES[self.place][0]

    @property
    def out(self):
        again = "-late" if self.last_try else ""
        return BUILD / "vm" / f"suites-{self.name.replace('/', '-')}{again}"

    @property
    def limit(self):
        """The limit of the machine in seconds."""
        return sum(entry.seconds for entry in (*self.entries, *self.closing))


class Table:
    """The stanzas of ./suites."""

    def __init__(self, stress=1):
        self.stress = stress
        self.stanzas = configparser.ConfigParser(interpolation=None, delimiters="=")
        with open(HERE / "suites", encoding="utf-8") as file:
            self.stanzas.read_file(file)
        for path in sorted(TOP.glob("*/devices/*.c")):
            if (TOP / "tests/selftests" / path.name).exists() and path.stem not in self.stanzas:
                self.stanzas[path.stem] = {"seconds": OWN_SECONDS}
        names = self.stanzas.sections()
        self.suites = [name for name in names if " " not in name]
        self.devices = [name.split()[1] for name in names if name.startswith("device ")]

    def device(self, name):
        """Return the device of a stanza, or of a new driver, which is tested as loop is."""
        if name in self.devices:
            stanza = self.stanzas[f"device {name}"]
            return Device(name, tuple(stanza.get("run", "").split()), stanza.get("mode", ""),
                          stanza.getint("slower", 1))

        if not any((TOP / part / "devices" / f"{name}.c").exists() for part in ("drivers", "tests")):
            raise Wrong(f"no device is called '{name}' (there are {', '.join(self.devices)}, "
                        "and any file of drivers/devices)")
        return Device(name, ("--driver", name, "--device",
                             os.environ.get("LITE_ACCEL_QEMU_DEVICE", name)))

    def places(self, suite, device):
        """Yield where the suite runs with this device, as pairs of place and user.  A new driver
        has the places of loop.  A driver's own suite needs no line."""
        column, places = device, ""
        if suite == device:
            places = OWN_PLACES
        elif device not in self.devices:
            if suite in self.devices:
                return      # the suite is for another device
            column = "loop"

        for word in self.stanzas[suite].get(column, places).split():
            place, _, user = word.partition("/")
            if place not in PLACES and place != "host":
                raise Wrong(f"suites: [{suite}] {column}: no place is called '{place}'")
            yield place, user or "root"

    def demand_line(self, device):
        """Refuse a device whose stanza takes it out of all suites, unlike a new driver."""
        if device in self.devices and not any(device in self.stanzas[name] for name in self.suites):
            raise Wrong(f"device {device} has a stanza, but no suite names it: add "
                        f"`{device} = stock` to suites, or remove the stanza")

    def entry(self, device, suite, place, user):
        stanza = self.stanzas[suite]
        kernel = PLACES[place][0] if place in PLACES else place
        seconds = stanza.getint("seconds") * device.slower * SLOWER.get(kernel, 1)
        seconds *= self.stress
        program = stanza.get("command", f"build/tests/selftests/{suite}")
        return Entry(device, suite, user, seconds, str(TOP / program),
                     self.lacks(device.name, kernel, user))

    def lacks(self, device, kernel, user):
        """Return what device, kernel and user lack; None (unknown) for a new driver."""
        if device not in self.devices:
            return None

        names = f"device {device}", f"kernel {kernel}", f"user {user}"
        return tuple(line for name in names if name in self.stanzas
                     for line in self.stanzas[name].get("lacks", "").splitlines() if line)

    def kernels(self, suite, place):
        """Return the kernels that the suite needs; on the host it may boot its own machines."""
        if place == "host":
            return set(self.stanzas[suite].get("kernels", "").split())
        return {PLACES[place][0]}

    def key(self, entry, place):
        """Return a key; entries with the same key run one after the other in a machine."""
        if place == "host":
            return place, (), ""

        # Split slow places by device: one machine would still run when all others have ended.
        alone = entry.device.name if place in SLOWER else ""
        return place, NODES + PLACES[place][1] + entry.device.options, alone

    def machines(self, devices, kernels, wanted):
        """Return the fewest machines: the host, then the others, the longest limit first."""
        for suite in wanted:
            if suite not in self.suites:
                raise Wrong(f"no suite is called '{suite}' (see tests/vm/suites)")

        for name in devices:
            self.demand_line(name)

        found, devices = {}, [self.device(name) for name in devices]
        for suite in self.suites:
            closes = self.stanzas[suite].getboolean("closes", False)
            if wanted and suite not in wanted and not closes:
                continue
            for device in devices:
                for place, user in self.places(suite, device.name):
                    if self.kernels(suite, place) <= set(kernels):
                        entry = self.entry(device, suite, place, user)
                        found.setdefault(self.key(entry, place), ([], []))[closes].append(entry)

        machines = [Machine(f"{'+'.join(dict.fromkeys(e.device.name for e in entries))}/{place}",
                            place, options, tuple(entries), tuple(closing))
                    for (place, options, _), (entries, closing) in found.items() if entries]

        if wanted and not machines:
            raise Wrong(f"{' '.join(wanted)}: nothing to run on these devices and kernels, or "
                        "only after other suites")

        # Suites on the host wait for much of their time, so they run beside busy machines.
        return sorted(machines, key=lambda machine: (machine.place != "host", -machine.limit))
