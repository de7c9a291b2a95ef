"""A tagged end of the cable on kernels without VLAN devices: a second TAP whose frames go in and
out of the first with an 802.1Q tag. Large packets and unfinished checksums pass as they are."""
import fcntl
import os
import select
import socket
import struct
import threading

ETH_P_ALL = 3
ETH_P_8021Q = b"\x81\x00"
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
TP_STATUS_VLAN_VALID = 1 << 4
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 1, 2, 4
HEADER = struct.Struct("<BBHHHH")  # virtio_net_hdr: flags, gso type, header, segment, start, offset
LARGEST = 70000


class VlanHost:
    """`name` is the device that appears; what it sends is tagged with `vlan` on `device`."""

    def __init__(self, device, name, vlan):
        self.vlan = vlan
        self.tap = os.open("/dev/net/tun", os.O_RDWR)
        request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
        fcntl.ioctl(self.tap, TUNSETIFF, request)
        fcntl.ioctl(self.tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
        self.cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.cable.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.cable.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.cable.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.cable.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.cable.bind((device, 0))
        self.stopping, self.stop_asked = os.pipe()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def carry(self):
        while True:
            ready, _, _ = select.select([self.tap, self.cable, self.stopping], [], [])
            if self.stopping in ready:
                return
            if self.cable in ready:
                self.untag()
            if self.tap in ready:
                self.tag()

    def untag(self):
        """The kernel has taken the tag off and tells it beside the frame."""
        data, beside, _, _ = self.cable.recvmsg(LARGEST, socket.CMSG_SPACE(20))
        for level, kind, content in beside:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, _, _, _, _, tag, _ = struct.unpack("<IIIHHHH", content[:20])
                if status & TP_STATUS_VLAN_VALID and tag & 0xFFF == self.vlan:
                    os.write(self.tap, data)

    def tag(self):
        data = os.read(self.tap, LARGEST)
        flags, kind, header, segment, start, offset = HEADER.unpack_from(data)
        # Four bytes more stand before what these count.
        fields = HEADER.pack(flags, kind, header and header + 4, segment, start and start + 4,
                             offset)
        frame = data[HEADER.size:]
        try:
            self.cable.send(fields + frame[:12] + ETH_P_8021Q + struct.pack(">H", self.vlan)
                            + frame[12:])
        except OSError:
            pass  # the cable is unplugged, or its queue is full: a frame is lost, as on any cable

    def stop(self):
        os.write(self.stop_asked, b"x")
        self.thread.join()
        self.cable.close()
        for one in (self.tap, self.stopping, self.stop_asked):
            os.close(one)
