"""Code concerned with a disk that can be made full on purpose: a tmpfs whose size changes. Only root may mount one."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

from services.errors import UnavailableError


class SmallDisk:
    """A disk of its own under a folder."""

    def __init__(self, folder: Path, size: str) -> None:
        """Nothing is mounted yet; the size is one of `mount`'s, such as `64m`."""
        self._folder = folder
        self._size = size

    def mount(self, closing: ExitStack) -> bool:
        """Mount it on the folder, which is made, until the stack is closed; False where that is not allowed."""
        if os.geteuid() != 0:
            return False
        self._folder.mkdir(parents=True)
        options = f"size={self._size},mode=0700"
        command = ["mount", "-t", "tmpfs", "-o", options, "arterial-nemesis", str(self._folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        closing.callback(lambda: subprocess.run(["umount", "-l", str(self._folder)], check=True))
        return True

    def fill(self) -> None:
        """Leave no room on it.

        Raises:
            UnavailableError: it could not be made full.

        """
        for _ in range(20):
            disk = os.statvfs(self._folder)
            # Size 0 would mean no bound at all.
            if self._resize(str(max(disk.f_blocks - disk.f_bfree, 1) * disk.f_frsize)):
                return
        message = f"the disk {self._folder} could not be made full"
        raise UnavailableError(message)

    def free(self) -> None:
        """Give it its room again."""
        self._resize(self._size)

    def _resize(self, size: str) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self._folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
