"""The guest: a kernel and an initramfs of Debian packages, made once under the build folder."""
import hashlib
import lzma
import os
import pathlib
import re
import stat
import struct

from debian_tree import LIBRARIES, MERGED, Recipe, Tree, locked, make_tree, say
from problem import Problem, Usage

HERE = pathlib.Path(__file__).resolve().parent

# The suite that brings a kernel brings the rest of its guest too.
SUITES = {"6.1": "bookworm", "6.12": "trixie"}
PACKAGES = ("linux-image-amd64", "busybox-static", "dash", "ethtool", "iperf3", "iproute2",
            "iputils-ping", "linuxptp", "pciutils")
KERNEL_PATHS = tuple(
    ["./boot/vmlinuz-*", "./boot/config-*", "*/kernel/net/*", "*/kernel/lib/*", "*/kernel/crypto/*"]
    + [f"*/kernel/drivers/{folder}/*" for folder in
       ("block", "char", "dca", "hwmon", "i2c", "net/ethernet/intel", "net/phy", "pps", "ptp",
        "uio", "virtio")])
PROGRAMS = ("busybox", "dash", "ethtool", "iperf3", "ip", "tc", "ping", "phc_ctl", "hwstamp_ctl",
            "ptp4l", "lspci", "setpci")
# Those that a kernel has built in, or has not, are no mistake.
MODULES = ("virtio_pci", "virtio_console", "virtio_blk", "e1000e", "8021q", "uio_pci_generic",
           "sch_netem", "sch_fq_codel", "af_packet")


class Archive:
    """A cpio archive in the kernel's "newc" format (Documentation/driver-api/early-userspace)."""

    def __init__(self):
        self.parts = []
        self.inode = 0
        self.folders = set()

    def entry(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        word = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(word), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + word
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]

    def folder(self, name):
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self.entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self.folder(os.path.dirname(name))
        self.entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def node(self, name, major, minor):
        self.folder(os.path.dirname(name))
        self.entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def whole(self):
        end = Archive()
        end.entry("TRAILER!!!", 0)
        return b"".join(self.parts + end.parts)


def module_information(data):
    """The fields of a kernel module's .modinfo section; {} when the file has none."""
    if data[:5] != b"\x7fELF\x02":
        return {}
    try:
        return section_fields(data)
    except (struct.error, IndexError, ValueError):
        return {}


def section_fields(data):
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", data, table + n * size) for n in range(count)]
    strings = sections[names][4]
    for name, _, _, _, offset, length in sections:
        start = strings + name
        if data[start:data.index(b"\0", start)] == b".modinfo":
            fields = data[offset:offset + length].split(b"\0")
            return dict(field.decode().split("=", 1) for field in fields if b"=" in field)
    return {}


class Modules:
    """The modules under a lib/modules/VERSION folder, by name, with what each needs."""

    def __init__(self, folder):
        self.folder = folder
        self.files = {}
        for file in sorted(folder.rglob("*.ko*")):
            self.files[self.plain(file.name.split(".ko")[0])] = file

    @staticmethod
    def plain(name):
        return name.replace("-", "_")

    def data(self, name):
        file = self.files[name]
        raw = file.read_bytes()
        if file.name.endswith(".ko.xz"):
            return lzma.decompress(raw)
        if file.name.endswith(".ko"):
            return raw
        raise Problem(f"{file} is compressed in a way that is not known here (.ko and .ko.xz are)")

    def needs(self, name):
        """All that `name` needs, itself included, in the order of loading."""
        order = []

        def add(one):
            if one in order or one not in self.files:
                return
            for other in module_information(self.data(one)).get("depends", "").split(","):
                if other:
                    add(self.plain(other))
            order.append(one)

        add(self.plain(name))
        return order


def add_modules(archive, modules, version, wanted):
    """Copies modules, uncompressed, and writes the modules.dep that modprobe reads."""
    lines = []
    for name in sorted({one for module in wanted for one in modules.needs(module)}):
        path = f"usr/lib/modules/{version}/{name}.ko"
        archive.file(path, modules.data(name))
        needs = [f"{one}.ko" for one in reversed(modules.needs(name)) if one != name]
        lines.append(f"{name}.ko: {' '.join(needs)}".rstrip())
    archive.file(f"usr/lib/modules/{version}/modules.dep", ("\n".join(lines) + "\n").encode())


class Image:
    """A kernel and an initramfs."""

    def __init__(self, kernel, initramfs):
        self.kernel = pathlib.Path(kernel)
        self.initramfs = pathlib.Path(initramfs)


def recipe(guest):
    return Recipe(f"guest-{guest}", [SUITES[guest]], PACKAGES,
                  {r"linux-image-[0-9].*": KERNEL_PATHS})


def image_paths(folder, guest):
    """Where the guest stands once it is made."""
    return Image(folder / f"image-{guest}/vmlinuz", folder / f"image-{guest}/initramfs")


def guest_tree(folder, guest):
    return make_tree(folder, recipe(guest))


def kernel_of(tree):
    kernels = sorted((tree.path / "boot").glob("vmlinuz-*"))
    if len(kernels) != 1:
        raise Problem(f"{tree.path}/boot holds {len(kernels)} kernels instead of one: remove the "
                      "folder, it is made anew")
    return kernels[0], kernels[0].name.removeprefix("vmlinuz-")


def userland(archive, tree):
    for name in MERGED:
        archive.folder(f"usr/{name}")
        archive.link(name, f"usr/{name}")
    archive.node("dev/console", 5, 1)
    archive.node("dev/null", 1, 3)
    copied = set()

    def copy(file, name):
        if name not in copied:
            copied.add(name)
            archive.file(name, file.read_bytes(), 0o755)

    for program in PROGRAMS:
        file = tree.find(program)
        if file is None:
            raise Problem(f"no package of {tree.path} brings '{program}'")
        copy(file, f"usr/bin/{program}")
        for library in tree.libraries(file):
            copy(library, f"{LIBRARIES}/{library.name}")
    # Loaded by name when a thread is cancelled, as iperf3 does from 3.16 on.
    copy(tree.path / LIBRARIES / "libgcc_s.so.1", f"{LIBRARIES}/libgcc_s.so.1")
    copy(tree.loader(), "usr/lib64/ld-linux-x86-64.so.2")
    archive.link("usr/bin/sh", "dash")
    archive.file("init", (HERE / "guest/init").read_bytes(), 0o755)
    archive.file("doorbell/dhcp", (HERE / "guest/dhcp").read_bytes(), 0o755)
    archive.file("doorbell/profile", (HERE / "guest/profile").read_bytes())
    archive.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    archive.file("etc/hosts", b"127.0.0.1 localhost doorbell\n")


def make_image(folder, guest):
    """The guest of a kernel "6.1" or "6.12"."""
    tree = guest_tree(folder, guest)
    image = image_paths(folder, guest)
    sources = [(HERE / "guest" / name).read_bytes() for name in ("init", "dhcp", "profile")]
    sources.append(pathlib.Path(__file__).read_bytes())
    digest = hashlib.sha256(b"\0".join([recipe(guest).digest().encode(), *sources])).hexdigest()
    stamp = image.kernel.parent / ".digest"
    if stamp.exists() and stamp.read_text() == digest:
        return image
    with locked(folder, "a guest"):
        if stamp.exists() and stamp.read_text() == digest:
            return image
        say(f"making the guest of Linux {guest} in {image.kernel.parent}")
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        kernel, version = kernel_of(tree)
        archive = Archive()
        userland(archive, tree)
        add_modules(archive, Modules(tree.path / "usr/lib/modules" / version), version, MODULES)
        write_whole(image.initramfs, archive.whole())
        write_whole(image.kernel, kernel.read_bytes())
        stamp.write_text(digest)
    return image


def write_whole(path, data):
    """Another guest may be starting from the old one: it keeps it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.rename(path)


SETTINGS = ("mode", "driver", "driver_file", "driver_after", "driver_arguments", "address")


def settings_archive(settings, driver_file=None, modules_folder=None):
    """What differs from run to run: the kernel reads it after the initramfs."""
    archive = Archive()
    settings = {name: "" for name in SETTINGS} | settings
    if modules_folder:
        modules = Modules(pathlib.Path(modules_folder))
        if not modules.files:
            raise Usage(f"--modules {modules_folder}: there is no module in it; name a "
                        "lib/modules/VERSION folder")
        add_modules(archive, modules, pathlib.Path(modules_folder).resolve().name, MODULES)
    if driver_file:
        data = pathlib.Path(driver_file).read_bytes()
        fields = module_information(data)
        if "vermagic" not in fields:
            raise Usage(f"--driver {driver_file} is no kernel module of a 64-bit machine")
        settings["driver_file"] = "/doorbell/driver.ko"
        settings["driver_after"] = fields.get("depends", "").replace(",", " ")
        archive.file("doorbell/driver.ko", data)
    text = "".join(f"{name}={quoted(value)}\n" for name, value in sorted(settings.items()))
    archive.file("doorbell/settings", text.encode())
    return archive.whole()


def quoted(text):
    return "'" + str(text).replace("'", "'\\''") + "'"


def module_version(driver_file):
    """The kernel a module was built for, as its vermagic says; None when it says nothing."""
    fields = module_information(pathlib.Path(driver_file).read_bytes())
    found = re.match(r"\S+", fields.get("vermagic", ""))
    return found.group(0) if found else None


__all__ = ["Image", "Tree", "SUITES", "make_image", "image_paths", "settings_archive",
           "module_version", "guest_tree"]
