#!/usr/bin/env python3
"""./doorbell qemu: a guest in a stock QEMU, on the model or on QEMU's own e1000e."""
import argparse
import contextlib
import ipaddress
import os
import pathlib
import shutil
import signal
import sys
import traceback

import guest_image
import qemu_program
from machine import Machine, command_text, existing, qemu_words, serve_words
from problem import Problem, Usage
from session import Session, evidence_folder, make_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/qemu"

DESCRIPTION = """\
Boots Linux in a stock QEMU with the model as its network card and gives a prompt
(Ctrl-A X ends QEMU), or runs one command. QEMU and the guest are made of Debian packages under
build/qemu when the machine has none that will do; root is not needed."""

EXAMPLES = """\
examples:
  ./doorbell qemu                                      a prompt
  ./doorbell qemu --exec 'ethtool -t eth0 offline'     exits with the command's status
  ./doorbell qemu --nic builtin --exec 'ethtool -d eth0'   the same guest on QEMU's own e1000e
  ./doorbell qemu --driver e1000e.ko --driver-arguments IntMode=1 --exec 'dmesg | grep e1000e'
  ./doorbell qemu --wire tap:tap0 --address 10.0.0.2/24 --capture wire.pcapng
  ./doorbell qemu --print                              only the command lines, for a prompt

A run leaves console.log, server.log and commands.txt in out/qemu (or --out).
Exit codes: those of the command with --exec, and 125 for failures of doorbell's own; without --exec
0 when the guest was left, 2 usage, 3 QEMU, the server or doorbell itself failed; 130 interrupted,
141 the output has no reader any more, 143 terminated."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Usage(message)


def command_line():
    parser = Parser(prog="./doorbell qemu", description=DESCRIPTION, epilog=EXAMPLES,
                    formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
                    usage="./doorbell qemu [OPTIONS] [-- QEMU ARGUMENTS]")
    add = parser.add_argument
    add("--exec", metavar="COMMAND", dest="command", help="run a shell command in the guest")
    add("--nic", choices=("model", "builtin"), default="model",
        help="the model (default), or QEMU's own e1000e for comparison")
    add("--guest", choices=tuple(guest_image.SUITES), default="6.1",
        help="Linux 6.1 of Debian 12 (default) or 6.12 of Debian 13")
    add("--wire", default="user", metavar="SPEC",
        help="the far side of the cable, as for doorbell serve (default user: DHCP, no root)")
    add("--address", metavar="A.B.C.D/N", help="of eth0; dhcp or none (default: dhcp on user)")
    add("--set", action="append", default=[], dest="sets", metavar="nic.KEY=VALUE",
        help="a parameter of the model (./doorbell describe nic)")
    add("--capture", metavar="FILE", help="frames of the wire, as doorbell serve writes them")
    add("--time", choices=("wall", "fast"), help="how simulated time runs (doorbell serve)")
    add("--rate", type=int, metavar="MBPS", help="Mb/s that the cable carries (doorbell serve)")
    add("--rom", metavar="FILE", help="option ROM of the NIC")
    add("--driver", metavar="FILE.ko", help="a driver of yours in place of the kernel's e1000e")
    add("--driver-arguments", default="", metavar="ARGS", help="module parameters of the driver")
    add("--kernel", metavar="FILE", help="a kernel of yours (with virtio-serial for --exec)")
    add("--modules", metavar="DIR", help="lib/modules/VERSION of that kernel")
    add("--initrd", metavar="FILE",
        help="an initramfs of yours: it loads the driver and sets the address itself; --exec needs "
        "testbench/qemu/guest/init's protocol in it")
    add("--append", default="", metavar="WORDS", help="behind the kernel's command line")
    add("--cpus", type=int, default=1, metavar="N")
    add("--memory", type=int, default=512, metavar="MB")
    add("--accel", choices=("tcg", "kvm"), default="tcg")
    add("--qemu", metavar="PROGRAM", help="a qemu-system-x86_64 with vfio-user-pci")
    add("--timeout", type=float, default=600, metavar="SECONDS",
        help="for the command of --exec (default 600)")
    add("--out", default="out/qemu", metavar="DIR", help="folder for the evidence")
    add("--print", action="store_true", dest="print_only",
        help="only print the command lines: of the initramfs with this run's settings (which are "
        "written to --out), of the server, of QEMU; they give a prompt")
    return parser


def parse(words):
    """Options, and what stands behind --, which is QEMU's."""
    theirs = ()
    if "--" in words:
        place = words.index("--")
        words, theirs = words[:place], tuple(words[place + 1:])
    options = command_line().parse_args(words)
    if options.cpus < 1 or options.memory < 64:
        raise Usage("--cpus is at least 1, --memory at least 64 (MB)")
    if options.timeout <= 0:
        raise Usage("--timeout is a number of seconds above 0")
    if options.nic == "builtin":
        for given, name in ((options.sets, "--set"), (options.capture, "--capture"),
                            (options.time, "--time"), (options.rate, "--rate")):
            if given:
                raise Usage(f"{name} is for the model; it goes without --nic builtin")
    if options.address:
        check_address(options.address)
    if options.modules and not pathlib.Path(options.modules).is_dir():
        raise Usage(f"--modules {options.modules}: no such folder")
    for name in ("kernel", "initrd", "driver", "rom"):
        if getattr(options, name):
            setattr(options, name, existing(f"--{name}", getattr(options, name)))
    if options.initrd:
        for given, name in ((options.driver, "--driver"), (options.modules, "--modules"),
                            (options.driver_arguments, "--driver-arguments"),
                            (options.address, "--address")):
            if given:
                raise Usage(f"{name} goes without --initrd: the init of doorbell's own initramfs "
                            "does it, which yours replaces; put it into yours")
    if options.print_only and options.command is not None:
        raise Usage("--exec goes without --print: the lines give a prompt, for a command is handed "
                    "to the guest by doorbell qemu itself")
    options.qemu_arguments = theirs
    return options


def check_address(text):
    if text in ("dhcp", "none"):
        return
    try:
        ipaddress.ip_interface(text if "/" in text else "")
    except ValueError:
        raise Usage(f"--address {text}: it is an address with its prefix, such as 10.0.0.2/24, "
                    "or dhcp, or none") from None


def machine_of(options, image):
    return Machine(
        nic=options.nic, wire=options.wire, guest=options.guest,
        kernel=options.kernel or str(image.kernel), initrd=options.initrd or str(image.initramfs),
        rom=options.rom, append=options.append, cpus=options.cpus, memory_mb=options.memory,
        accel=options.accel, time=options.time, rate=options.rate, sets=tuple(options.sets),
        capture=os.path.abspath(options.capture) if options.capture else None,
        qemu_arguments=options.qemu_arguments)


def settings_of(options):
    address = options.address or ("dhcp" if options.wire.startswith("user") else "none")
    return {"mode": "exec" if options.command is not None else "shell", "driver": "e1000e",
            "driver_arguments": options.driver_arguments, "address": address}


def program():
    """The doorbell that serves; the environment names another, for tests of other builds."""
    return pathlib.Path(os.environ.get("DOORBELL_BINARY", ROOT / "build/release/bin/doorbell"))


def print_only(options):
    """What would be run. Nothing is fetched: what is not there yet is named as it will be."""
    machine = machine_of(options, guest_image.image_paths(BUILD, options.guest))
    if options.qemu or shutil.which("qemu-system-x86_64") or \
            (BUILD / qemu_program.RECIPE.name).exists():
        qemu = qemu_program.find_qemu(BUILD, options.qemu)
    else:
        qemu = qemu_program.Qemu(["qemu-system-x86_64"])
    if not options.initrd:
        folder = pathlib.Path(options.out).resolve()
        make_folder(folder)
        settings, whole = folder / "settings.cpio", folder / "initramfs"
        settings.write_bytes(guest_image.settings_archive(settings_of(options), options.driver,
                                                          options.modules))
        print(f"{command_text(['cat', machine.initrd, settings])} >{command_text([whole])}")
        machine.initrd = whole
    if machine.nic == "model":
        print(command_text(serve_words(program(), machine, "/tmp/doorbell.sock")))
    print(command_text(qemu_words(qemu, machine, "/tmp/doorbell.sock", machine.initrd)))
    return 0


def check_driver(options):
    """A module of another kernel is refused by the guest; better said before it boots."""
    if not options.driver or options.kernel:
        return
    wanted = guest_image.module_version(options.driver)
    if wanted is None:
        raise Usage(f"--driver {options.driver} is no kernel module of a 64-bit machine")
    have = guest_image.kernel_of(guest_image.guest_tree(BUILD, options.guest))[1]
    if wanted != have:
        raise Usage(f"--driver {options.driver} was built for Linux {wanted}, the guest is {have}; "
                    "build it for that kernel, or give yours with --kernel and --modules")


def run_command(session, options):
    session.start_guest()
    session.wait_until_ready()
    for warning in session.warnings():
        print(f"doorbell: in the guest: {warning}", file=sys.stderr)

    def to(stream):
        def write(data):
            stream.buffer.write(data)
            stream.buffer.flush()
        return write

    result = session.run(options.command, options.timeout, to(sys.stdout), to(sys.stderr))
    session.stop()
    failure = session.server_failure()
    if failure:
        raise Problem(failure)
    return result.status


def run_terminal(session):
    session.start_guest(on_terminal=True)
    code = session.guest.wait()
    if session.server and session.server.poll() is not None:
        raise Problem(session.explain_end())
    session.stop()
    failure = session.server_failure()
    if failure or code != 0:
        raise Problem(failure or f"QEMU ended with exit code {code}")
    return 0


def main(words):
    options = parse(words)
    if os.environ.get("DOORBELL_QEMU_NEEDS"):
        # ./doorbell asks what it has to build first.
        print("nothing" if options.print_only or options.nic == "builtin" else "model")
        return 0
    if options.print_only:
        return print_only(options)
    qemu = qemu_program.find_qemu(BUILD, options.qemu)
    # Only what is used is fetched: a kernel and an initramfs of the user's own need no guest.
    if options.kernel and options.initrd:
        image = guest_image.Image(options.kernel, options.initrd)
    else:
        image = guest_image.make_image(BUILD, options.guest)
    machine = machine_of(options, image)
    settings = None if options.initrd else settings_of(options)
    with evidence_folder(options.out) as folder, trace_kept(folder):
        with Session(qemu, machine, program(), folder, settings, options.driver,
                     options.modules) as session:
            check_driver(options)
            session.start_server()
            if options.command is not None:
                return run_command(session, options)
            return run_terminal(session)


class Interrupted(BaseException):
    pass


@contextlib.contextmanager
def trace_kept(folder):
    """A mistake of ours is told in a sentence too; where it was is kept with the evidence."""
    try:
        yield
    except (Problem, OSError):
        raise
    except Exception as error:
        path = folder / "traceback.txt"
        path.write_text(traceback.format_exc())
        raise Problem(f"{mistake(error)}; where is in {path}") from error


def mistake(error):
    return f"a mistake in doorbell itself ({type(error).__name__}: {error})"


def on_signal(number, frame):
    raise Interrupted(number)


def guarded(words):
    """main(), with every failure turned into a sentence and its exit code."""
    in_command = "--exec" in words or any(word.startswith("--exec=") for word in words)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    failed = 125 if in_command else 3
    try:
        try:
            return main(words)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What the reader did not take would be tried again, and be a traceback, at our end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except Interrupted as interrupted:
        print("doorbell: interrupted", file=sys.stderr)
        return 128 + interrupted.args[0]
    except Usage as problem:
        print(f"doorbell: {problem}\nrun ./doorbell qemu --help for more information",
              file=sys.stderr)
        return 125 if in_command else 2
    except Problem as problem:
        print(f"doorbell: {problem}", file=sys.stderr)
        return failed
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        print(f"doorbell: {file}{error.strerror or error}", file=sys.stderr)
        return failed
    except Exception as error:
        print(f"doorbell: {mistake(error)}", file=sys.stderr)
        traceback.print_exc()
        return failed


if __name__ == "__main__":
    sys.exit(guarded(sys.argv[1:]))
