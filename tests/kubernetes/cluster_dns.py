"""A network of this process's own with a DNS server such as a cluster has: short names are completed
from the search list of resolv.conf, and a name that is not there is NXDOMAIN."""

import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading

DOMAIN = "windowkv.svc.cluster.local"
_RESOLV_CONF = f"search {DOMAIN} svc.cluster.local\noptions ndots:5\n"
_INSIDE = "WINDOWKV_CLUSTER_DNS_INSIDE"
_A, _NXDOMAIN = 1, 3
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def enter(nameserver="127.0.0.1"):
    """Starts this program anew in namespaces of its own. False when that is not possible."""
    if os.environ.get(_INSIDE):
        _bring_loopback_up()
        _use_own_resolver(nameserver)
        return True
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        unshare.append("--map-root-user")
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        return False
    os.environ[_INSIDE] = "1"
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def _bring_loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))


def _use_own_resolver(nameserver):
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write(f"nameserver {nameserver}\n{_RESOLV_CONF}")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    pathlib.Path(file.name).unlink()


class DnsServer:
    """Answers from `records`: short name → addresses. Any thread may change them."""

    def __init__(self, records, address="127.0.0.1"):
        self.records = records
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query):
        labels, end = [], 12
        while query[end]:
            labels.append(query[end + 1:end + 1 + query[end]].decode())
            end += 1 + query[end]
        question = query[12:end + 5]
        (kind,) = struct.unpack("!H", query[end + 1:end + 3])
        name = ".".join(labels).lower().removesuffix(f".{DOMAIN}")
        addresses = self.records.get(name)
        code = _NXDOMAIN if addresses is None else 0
        found = addresses or [] if kind == _A else []
        answers = b"".join(struct.pack("!HHHIH", 0xC00C, _A, 1, 5, 4) + socket.inet_aton(one)
                           for one in found)
        return query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0) + question + answers
