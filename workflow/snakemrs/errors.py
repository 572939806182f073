"""The errors a user is meant to read.

Every foreseen problem is a `SnakeMRSError`: it names the file and the participant, says what was found, what was
expected and what to do. The command line prints it without a traceback and leaves with the error's exit code.
"""

from __future__ import annotations

import errno
from pathlib import Path

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_BAD_REQUEST = 2
EXIT_INTERRUPTED = 130


class SnakeMRSError(Exception):
    """A problem that the user can understand and mend.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    file : path, optional
        The file concerned.
    participant : str, optional
        The participant concerned, with or without ``sub-``.
    line : int, optional
        Line in `file`, counted from 1.
    found, expected : object, optional
        What was found and what was expected.
    remedy : str, optional
        What to do about it.
    """

    exit_code = EXIT_SOME_FAILED

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        participant: str | None = None,
        line: int | None = None,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = None if file is None else str(file)
        self.participant = None if participant is None else f"sub-{participant.removeprefix('sub-')}"
        self.line = line
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        where = self.file or ""
        if where and self.line is not None:
            where += f":{self.line}"
        place = ", ".join(part for part in (where, self.participant) if part)
        lines = [f"{place}: {self.message}" if place else self.message]
        if self.found is not None:
            lines.append(f"  found:    {self.found}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.remedy is not None:
            lines.append(f"  to do:    {self.remedy}")
        return "\n".join(lines)


def of_the_machine(error: OSError | MemoryError) -> SnakeMRSError | None:
    """What the machine refused, in words for whoever runs it; None where the error may be a mistake of the program."""
    if isinstance(error, MemoryError):
        return SnakeMRSError("out of memory", remedy="fewer --cores, or more memory for this rule in the profile")
    reasons = {
        errno.ENOSPC: ("the disk is full", "make room, then run again: what is done stays done"),
        errno.EDQUOT: ("the quota of the disk is used up", "make room, then run again: what is done stays done"),
        errno.EFBIG: ("the file is larger than this account may write", "raise the limit (ulimit -f), then run again"),
        errno.EROFS: ("may not be written: the disk is read-only", "mount it for writing, then run again"),
        errno.EACCES: ("may not be read or written with this account's rights", "mend the rights, then run again"),
        errno.EPERM: ("may not be read or written with this account's rights", "mend the rights, then run again"),
    }
    if error.errno not in reasons:
        return None
    message, remedy = reasons[error.errno]
    return SnakeMRSError(message, file=error.filename2 or error.filename, remedy=remedy)


class DataError(SnakeMRSError):
    """A measurement or derivative that cannot be used (exit code 1: the other participants go on)."""


class RequestError(SnakeMRSError):
    """A wrong request or configuration (exit code 2: nothing was started)."""

    exit_code = EXIT_BAD_REQUEST
