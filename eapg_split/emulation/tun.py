"""Network namespaces without names, each with one TUN device: IPv4 packets in and out of it as reads and writes.

A namespace lives as long as a process is in it or a descriptor of it is open, and a TUN device as long as its own
descriptor: the kernel takes both away when their processes end, however they end, so nothing can be left behind.
Linux only. The system calls are made through ctypes, since Python has them from 3.12 on only.
"""

import ctypes
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable
from ipaddress import IPv4Interface
from typing import Final, TypeVar

from eapg_split.errors import Unsupported

DEVICE: Final = "eapg0"
MTU: Final = 1500
WITHOUT: Final = "--network user needs nothing of the kind"
_CLONE_NEWNET: Final = 0x40000000
_CLONE_PATH: Final = "/dev/net/tun"
# linux/if_tun.h and linux/sockios.h
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFMTU = 0x8916, 0x891C, 0x8922
_IFF_UP: Final = 0x1
_T = TypeVar("_T")


def new_namespace(address: IPv4Interface) -> tuple[int, int]:
    """A namespace with loopback and a device of that address up; everything in the address's network goes through it.

    Returns the descriptors of the namespace and of the device, which does not block. Raises Unsupported.
    """
    return _in_thread(lambda: _new_namespace(address))


def enter(namespace: int) -> None:
    """Moves the calling thread, and what it starts, into a namespace for good. Raises Unsupported."""
    if _libc().setns(namespace, _CLONE_NEWNET) != 0:
        raise _refused("enter a network namespace", ctypes.get_errno())


def socket_in(namespace: int) -> socket.socket:
    """A TCP socket that is in a namespace for good, whoever uses it. Raises Unsupported."""

    def make() -> socket.socket:
        enter(namespace)
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    return _in_thread(make)


def _new_namespace(address: IPv4Interface) -> tuple[int, int]:
    if _libc().unshare(_CLONE_NEWNET) != 0:
        raise _refused("make a network namespace", ctypes.get_errno())
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return namespace, _open_device(address)
    except BaseException:
        os.close(namespace)
        raise


def _open_device(address: IPv4Interface) -> int:
    import fcntl  # not everywhere, as the rest

    try:
        device = os.open(_CLONE_PATH, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(f"open {_CLONE_PATH}", error.errno) from error
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN_NO_PI))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:

            def tell(request: int, name: str, words: bytes) -> None:
                fcntl.ioctl(control, request, struct.pack("16s24s", name.encode(), words))

            def up(name: str) -> None:
                told = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16s24x", name.encode()))
                (flags,) = struct.unpack_from("H", told, 16)
                tell(_SIOCSIFFLAGS, name, struct.pack("H", flags | _IFF_UP))

            up("lo")
            tell(_SIOCSIFADDR, DEVICE, _sockaddr(address.ip.packed))
            tell(_SIOCSIFNETMASK, DEVICE, _sockaddr(address.netmask.packed))
            tell(_SIOCSIFMTU, DEVICE, struct.pack("i", MTU))
            up(DEVICE)
    except OSError as error:
        os.close(device)
        raise _refused("set up a TUN device", error.errno) from error
    return device


def _sockaddr(packed: bytes) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, packed)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "setns"):
        raise Unsupported(f"Network namespaces are Linux's: {WITHOUT}.")
    return libc


def _refused(what: str, number: int | None) -> Unsupported:
    reason = os.strerror(number or 0)
    if number in (errno.EPERM, errno.EACCES):
        mend = "run it as root, or under 'unshare -Ur' (in a container: with the capabilities SYS_ADMIN and NET_ADMIN)"
    elif number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        mend = "the kernel has no TUN devices, or the container is not given /dev/net/tun"
    elif number == errno.ENOSPC:
        mend = "there are as many as may be, raise user.max_net_namespaces with sysctl"
    else:
        mend = "the kernel may lack network namespaces or TUN devices"
    return Unsupported(f"Cannot {what} ({reason}): {mend}; {WITHOUT}.")


def _in_thread(work: Callable[[], _T]) -> _T:
    """What `work` returns or raises in a thread of its own, which takes the namespace it is in away with it."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
