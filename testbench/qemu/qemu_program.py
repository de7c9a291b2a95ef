"""A QEMU that can be a vfio-user client: the one given, the machine's, or one made of packages."""
import shutil
import subprocess

from debian_tree import Recipe, make_tree, say
from problem import Usage

NEEDED_DEVICE = "vfio-user-pci"
RECIPE = Recipe("qemu", ["trixie", "trixie-backports"],
                ["qemu-system-x86", "seabios", "ipxe-qemu"])


class Qemu:
    """The words that start it, and where its option ROMs lie."""

    def __init__(self, words, roms=None):
        self.words = words
        self.roms = roms

    def has(self, device):
        done = subprocess.run([*self.words, "-device", "help"], capture_output=True, text=True)
        return f'"{device}"' in done.stdout

    def version(self):
        done = subprocess.run([*self.words, "-version"], capture_output=True, text=True)
        return done.stdout.splitlines()[0] if done.stdout else ""


def from_tree(tree):
    share = tree.path / "usr/share"
    modules = tree.path / "usr/lib/x86_64-linux-gnu/qemu"
    return Qemu(["/usr/bin/env", f"QEMU_MODULE_DIR={modules}",
                 *tree.command("qemu-system-x86_64"), "-L", str(share / "qemu"), "-L",
                 str(share / "seabios")], share / "qemu")


def find_qemu(folder, given=None):
    """`given` must do; else the one in PATH when it does; else one made in `folder`."""
    if given:
        path = shutil.which(given)
        if path is None:
            raise Usage(f"--qemu {given}: no such program")
        qemu = Qemu([path])
        if not qemu.has(NEEDED_DEVICE):
            raise Usage(f"--qemu {given}: {qemu.version() or 'this program'} has no device "
                        f"{NEEDED_DEVICE}; QEMU has it since 10.1. Without --qemu one that "
                        "has it is made of Debian packages")
        return qemu
    path = shutil.which("qemu-system-x86_64")
    if path:
        qemu = Qemu([path])
        if qemu.has(NEEDED_DEVICE):
            return qemu
        if not (folder / RECIPE.name).exists():
            say(f"{path} has no device {NEEDED_DEVICE} (QEMU has it since 10.1): making one")
    return from_tree(make_tree(folder, RECIPE))
