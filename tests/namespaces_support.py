"""Machines with addresses of their own, as network namespaces, which a cable joins to the first of them."""

import contextlib
import os
import subprocess

import pytest


def _ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


class Machine:
    """A namespace, and the address at which the others reach it."""

    def __init__(self, name, ip):
        self.name, self.ip = name, ip
        self.before = ("ip", "netns", "exec", name)

    def cut_off(self):
        """Pull the cable: the others hear nothing of it any more, and nobody tells them why."""
        _ip("-n", self.name, "link", "set", "cable", "down")


@contextlib.contextmanager
def machines(count):
    """So many machines, of which the first has a cable to each other one; a test skips where they cannot be made.

    The first has the address 10.213.0.1, and number n after it 10.213.n.2.
    """
    names = [f"tfgen-{os.getpid()}-{number}" for number in range(count)]
    with contextlib.ExitStack() as removed:
        try:
            for name in names:
                _ip("netns", "add", name)
                removed.callback(_ip, "netns", "del", name)
                _ip("-n", name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            pytest.skip(f"network namespaces cannot be made here: {str(reason).strip()}")
        first = Machine(names[0], "10.213.0.1")
        _ip("-n", first.name, "addr", "add", "10.213.0.1/32", "dev", "lo")
        others = []
        for number, name in enumerate(names[1:], start=1):
            other = Machine(name, f"10.213.{number}.2")
            cable = f"cable{number}"
            _ip("-n", first.name, "link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", name)
            for machine, end, address in ((first, cable, f"10.213.{number}.1"), (other, "cable", other.ip)):
                _ip("-n", machine.name, "addr", "add", f"{address}/24", "dev", end)
                _ip("-n", machine.name, "link", "set", end, "up")
            _ip("-n", name, "route", "add", "default", "via", f"10.213.{number}.1")
            others.append(other)
        yield [first, *others]
