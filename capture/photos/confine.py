"""What the child may still do once it is confined: read its pipe, compute, write its pipe.

On Linux x86-64 and aarch64 a seccomp filter allows a short list of system calls and nothing else; everywhere the resource
limits of POSIX hold. Called after `fork`, so there is little of it and it cannot be measured by coverage: the limits that it
sets forbid writing a coverage file. Sources: seccomp(2), prctl(2), setrlimit(2), linux/filter.h, asm/unistd.h.
"""

import ctypes
import platform
import resource
import struct
import sys

_SPARE = 1 << 30  # address space for libraries and thread stacks, which is not memory

# Call numbers by machine. A thread may be made (the HEVC decoder wants one), a process may not.
_CALLS = {
    "x86_64": {
        "arch": 0xC000003E,
        "clone": 56,
        "clone3": 435,
        # read write fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn pread64 sched_yield
        # mremap madvise getpid exit gettid futex sched_getaffinity set_tid_address clock_gettime clock_getres
        # exit_group set_robust_list getrandom rseq restart_syscall gettimeofday close sigaltstack getcwd
        "allowed": (0, 1, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 24, 25, 28, 39, 60, 186, 202, 204, 218, 228, 229, 231,
                    273, 318, 334, 219, 96, 3, 131, 79),
    },
    "aarch64": {
        "arch": 0xC00000B7,
        "clone": 220,
        "clone3": 435,
        "allowed": (63, 64, 80, 62, 222, 226, 215, 214, 134, 135, 139, 67, 124, 216, 233, 172, 93, 178, 98, 123, 96, 113,
                    114, 94, 99, 278, 293, 128, 169, 57, 132, 17),
    },
}  # fmt: skip
_CLONE_THREAD = 0x00010000
_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _REFUSE, _ABSENT = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026  # EPERM, ENOSYS


def confine(memory: int, seconds: int) -> None:
    """Give up everything but computing, for this process and for good. `memory` in bytes, `seconds` of processor time."""
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_CPU, seconds),
    ]
    if sys.platform == "linux":
        limits += [(resource.RLIMIT_DATA, memory), (resource.RLIMIT_AS, memory + _SPARE)]
    for limit, value in limits:
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        _filter(platform.machine())


def _filter(machine: str) -> None:
    """Install the filter, on the machines whose call numbers are known."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if machine not in _CALLS:
        return
    program = _program(machine)
    code = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    if libc.prctl(22, 2, head, 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def _program(machine: str) -> bytes:
    """The filter in classic BPF: another architecture is killed, a known call allowed, the rest refused with EPERM."""
    calls = _CALLS[machine]
    code = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, calls["arch"]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 1, calls["clone3"]),
        (_RETURN, 0, 0, _ABSENT),  # so that the C library falls back to clone, whose flags can be read
        (_EQUAL, 0, 4, calls["clone"]),
        (_LOAD, 0, 0, 16),
        (_BITS, 0, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for number in calls["allowed"]:  # type: ignore[attr-defined]
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    code.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("HBBI", *step) for step in code)
