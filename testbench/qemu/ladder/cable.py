"""A cable that can be pulled: a TAP of this side joined to the UNIX socket of a served NIC
(`--wire unix:PATH`). Frames go as they are, each behind its length; when this end goes, the link of
the NIC is down until it is plugged in again."""
import fcntl
import os
import select
import socket
import struct
import threading
import time

from bench import Problem

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
LARGEST = 65536
PLUG_SECONDS = 10


class Cable:
    """`name` is the device that appears on this side."""

    def __init__(self, name, path):
        self.path = str(path)
        self.tap = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        self.peer = None
        self.stopping, self.stop_asked = os.pipe()
        self.thread = None

    def plug(self):
        deadline = time.monotonic() + PLUG_SECONDS
        while True:
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                peer.connect(self.path)
                break
            except OSError as error:
                peer.close()
                if time.monotonic() > deadline:
                    raise Problem(f"nobody takes the cable at {self.path}: {error}") from None
                time.sleep(0.02)
        self.peer = peer
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def pull(self):
        if self.peer is None:
            return
        self.peer.shutdown(socket.SHUT_RDWR)
        os.write(self.stop_asked, b"x")
        self.thread.join()
        os.read(self.stopping, 1)
        self.peer.close()
        self.peer = None

    def carry(self):
        held = b""
        while True:
            ready, _, _ = select.select([self.tap, self.peer, self.stopping], [], [])
            if self.stopping in ready:
                return
            try:
                if self.tap in ready:
                    frame = os.read(self.tap, LARGEST)
                    self.peer.sendall(struct.pack(">I", len(frame)) + frame)
                if self.peer in ready:
                    held = self.hand_over(held + self.peer.recv(LARGEST))
            except OSError:
                continue  # pulled in the middle of a frame, or a frame the TAP does not take

    def hand_over(self, held):
        """Gives whole frames to the TAP; returns what is left."""
        while len(held) >= 4:
            size, = struct.unpack_from(">I", held)
            if len(held) < 4 + size:
                break
            frame, held = held[4:4 + size], held[4 + size:]
            os.write(self.tap, frame)
        return held

    def stop(self):
        self.pull()
        for one in (self.tap, self.stopping, self.stop_asked):
            os.close(one)
