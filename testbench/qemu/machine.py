"""What is to be run, and the two command lines that run it: a served NIC and a QEMU around it."""
import dataclasses
import json
import pathlib
import shlex

from problem import Usage

# The check of the timer counts ticks in a short while, which a slow host fails.
COMMAND_LINE = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"
PORTS = ("control", "out", "err")


@dataclasses.dataclass
class Machine:
    """One guest and its NIC. Paths are those of this machine, nothing is looked up here."""
    nic: str = "model"
    wire: str = "user"
    guest: str = "6.1"
    kernel: str | None = None
    initrd: str | None = None
    rom: str | None = None
    append: str = ""
    cpus: int = 1
    memory_mb: int = 512
    accel: str = "tcg"
    capture: str | None = None
    time: str | None = None
    rate: int | None = None
    sets: tuple = ()
    reboots: bool = False
    qemu_arguments: tuple = ()


def serve_words(program, machine, socket):
    words = [str(program), "serve", "--socket", str(socket), "--wire", machine.wire]
    for option, value in (("--rom", machine.rom), ("--capture", machine.capture),
                          ("--time", machine.time), ("--rate", machine.rate)):
        if value is not None:
            words += [option, str(value)]
    for change in machine.sets:
        words += ["--set", change]
    return words


def builtin_wire(wire):
    """QEMU's -netdev for a wire of `doorbell serve`."""
    kind, _, rest = wire.partition(":")
    if wire == "user":
        return "user,id=wire"
    if kind == "user":
        return f"user,id=wire,{rest}"
    if kind == "tap" and rest:
        return f"tap,id=wire,ifname={rest},script=no,downscript=no,vnet_hdr=on"
    if kind == "unix" and rest:
        return f"stream,id=wire,addr.type=unix,addr.path={rest},reconnect-ms=100"
    raise Usage(f"--wire {wire}: with --nic builtin it is user, tap:NAME or unix:PATH")


def nic_words(machine, socket):
    root_port = ["-device", "pcie-root-port,id=rp0,chassis=1,slot=1"]
    if machine.nic == "builtin":
        rom = f",romfile={machine.rom}" if machine.rom else ",romfile="
        return [*root_port, "-netdev", builtin_wire(machine.wire), "-device",
                f"e1000e,id=nic,bus=rp0,netdev=wire{rom}"]
    # A register access waits for the server; QEMU's own limit of 5 s would break the stream.
    device = {"driver": "vfio-user-pci", "id": "nic", "bus": "rp0",
              "socket": {"type": "unix", "path": str(socket)}, "x-msg-timeout": 60000}
    return [*root_port, "-device", json.dumps(device, separators=(",", ":"))]


def qemu_words(qemu, machine, socket, initrd=None, console=None, ports=None, monitor=None):
    """QEMU's command line. `console` is a file (else the terminal), `ports` and `monitor` are
    descriptors of sockets that it inherits."""
    memory = f"{machine.memory_mb}M"
    # Shared, or a server would work on a copy of the guest's memory.
    words = [*qemu.words, "-nodefaults", "-no-user-config", "-M",
             "q35,memory-backend=ram,graphics=off", "-accel", machine.accel, "-smp",
             str(machine.cpus), "-m", memory, "-object",
             f"memory-backend-memfd,id=ram,size={memory},share=on", "-display", "none"]
    if not machine.reboots:
        words += ["-no-reboot"]
    words += ["-serial", f"file:{console}" if console else "mon:stdio"]
    if machine.kernel:
        line = f"{COMMAND_LINE} {machine.append}".strip()
        words += ["-kernel", str(machine.kernel), "-append", line]
    if initrd:
        words += ["-initrd", str(initrd)]
    words += nic_words(machine, socket)
    if ports:
        words += ["-device", "virtio-serial-pci,id=serial"]
        for number, (name, descriptor) in enumerate(zip(PORTS, ports), 1):
            words += ["-chardev", f"socket,id={name},fd={descriptor}", "-device",
                      f"virtserialport,bus=serial.0,nr={number},chardev={name},"
                      f"name=doorbell.{name}"]
    if monitor is not None:
        words += ["-chardev", f"socket,id=qmp,fd={monitor}", "-qmp", "chardev:qmp"]
    return words + list(machine.qemu_arguments)


def command_text(words):
    return " ".join(shlex.quote(str(word)) for word in words)


def existing(option, path):
    """The path given with an option, which must be a file."""
    file = pathlib.Path(path)
    if not file.is_file():
        raise Usage(f"{option} {path}: no such file")
    return str(file.resolve())
