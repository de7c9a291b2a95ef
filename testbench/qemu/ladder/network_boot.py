"""Row 7: the card's option ROM (iPXE) boots over the network, before any operating system."""
import contextlib
import re
import time

import guest_image
from bench import Problem

SIZE = 3_000_000
SCRIPT = """#!ipxe
echo script-runs on ${net0/mac} with ${net0/ip} chip ${net0/chip}
imgfetch tftp://${next-server}/payload.bin && imgstat
echo fetch-done
"""
BOOT = """#!ipxe
kernel tftp://${next-server}/vmlinuz console=ttyS0 quiet panic=-1 no_timer_check \
rdinit=/init initrd=initramfs
initrd tftp://${next-server}/initramfs
boot
"""


def network_boot_short(row):
    """iPXE ROM on the model: DHCP, script, 3 MB by TFTP"""
    folder = row.folder / "tftp"
    folder.mkdir()
    (folder / "payload.bin").write_bytes(bytes(n * 7 % 251 for n in range(251)) * (SIZE // 251))
    size = (folder / "payload.bin").stat().st_size
    (folder / "boot.ipxe").write_text(SCRIPT)
    with firmware(row, folder, "ipxe") as guest:
        console = until(row, guest, "fetch-done", 60)
    row.check("iPXE names the part", re.search(r"net0: [0-9a-f:]{17} using 82574L?", console),
              console[-1500:])
    row.check("DHCP gives an address", re.search(r"Configuring \(net0 .*\.+ ok", console),
              console[-1500:])
    row.check("the script that was fetched runs", "script-runs on" in console, console[-1500:])
    row.check(f"{size:,} bytes arrive by TFTP",
              re.search(rf"payload\.bin\s*: {size} bytes", console), console[-1500:])


def network_boot(row):
    """iPXE ROM: DHCP, script, 3 MB by TFTP; then a whole Linux by TFTP, which takes the card"""
    network_boot_short(row)
    folder = row.folder / "tftp"
    image = row.ladder.image(row.ladder.guest)
    (folder / "boot.ipxe").write_text(BOOT)
    (folder / "vmlinuz").write_bytes(image.kernel.read_bytes())
    settings = {"mode": "exec", "driver": "e1000e", "address": "dhcp"}
    (folder / "initramfs").write_bytes(image.initramfs.read_bytes()
                                       + guest_image.settings_archive(settings))
    with firmware(row, folder, "ipxe-linux") as guest:
        guest.session.wait_until_ready(180)
        row.check("Linux, fetched whole by TFTP through the ROM's driver, runs", True)
        row.check("its driver then has the link", guest.has_link(), guest.out("dmesg | tail"))
        row.check("and reaches the far side",
                  guest.run("ping -q -c 10 -i 0.1 10.0.2.2").status == 0, guest.out("dmesg | tail"))
        row.no_complaints(guest, "after a boot over the network")


@contextlib.contextmanager
def firmware(row, folder, label):
    """A machine without a kernel: the firmware finds the ROM."""
    roms = row.ladder.qemu.roms
    rom = roms / "pxe-e1000e.rom" if roms else None
    if rom is None or not rom.exists():
        raise Problem("no pxe-e1000e.rom beside this QEMU: let one be made of packages")
    with row.boot(label=label, kernel="", initrd="", rom=str(rom),
                  wire=f"user:tftp={folder},bootfile=boot.ipxe",
                  qemu_arguments=("-boot", "order=n")) as guest:
        yield guest


def until(row, guest, word, seconds):
    """The console once `word` is on it."""
    deadline = time.monotonic() + seconds
    while True:
        file = guest.session.folder / "console.log"
        console = file.read_text(errors="replace") if file.exists() else ""
        console = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console)
        if word in console.replace(f"echo {word}", ""):
            return console
        if time.monotonic() > deadline or guest.session.guest.poll() is not None:
            row.check(f"'{word}' appears on the console", False, console[-2000:])
            return console
        time.sleep(0.2)
