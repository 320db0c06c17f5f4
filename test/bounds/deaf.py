"""Commands whose replies are never read, over a connection with the small buffers of the open internet: on loopback
megabytes of replies would fit into the kernel. Node cannot set them. argv: port, piece, octets. Prints the octets taken."""

import socket
import sys
import time

port, piece, octets = int(sys.argv[1]), sys.argv[2].encode() + b"\r\n", int(sys.argv[3])
client = socket.socket()
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
client.bind(("127.0.4.1", 0))
client.connect(("127.0.0.1", port))
while not client.recv(512).endswith(b"\r\n"):
    pass
client.setblocking(False)
flood = piece * (65536 // len(piece))
taken, at = 0, 0
patience = time.monotonic() + 1
try:
    while taken < octets and time.monotonic() < patience:
        try:
            some = client.send(flood[at:])
        except BlockingIOError:
            time.sleep(0.005)
            continue
        taken += some
        at = (at + some) % len(flood)
        patience = time.monotonic() + 1
except OSError:
    pass  # it hung up
print(taken)
