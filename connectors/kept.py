"""A token that was renewed outlives the program: in the keyring, else in a file of the user's."""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from connectors.credentials import SERVICE, Keyring, system_keyring
from connectors.secret import HIDDEN, Secret


class KeptToken:
    """The newest of a line of tokens, of which the user gave the first.

    A server may replace a refresh token whenever it is used. The newest is kept together with a
    fingerprint of the one that the user gave: give another, and what was kept no longer counts.

    Parameters
    ----------
    name : str
        Name of the environment variable of the first token.
    given : Secret
        The token that the user gave.
    environ : mapping
        The environment, which says where settings are kept.
    keyring : Keyring or None
        Another keyring than the one of this computer.
    tell : callable
        Is told once, in a sentence, where the token is kept if the keyring does not work.

    """

    def __init__(
        self,
        name: str,
        given: Secret,
        *,
        environ: Mapping[str, str] = os.environ,
        keyring: Keyring | None = None,
        tell: Callable[[str], object] = lambda _sentence: None,
    ) -> None:
        self._name = f"{name}_RENEWED"
        self._given = given
        self._ancestor = hashlib.sha256(given.reveal().encode()).hexdigest()
        self._file = settings_folder(environ) / f"{self._name}.json"
        self._keyring = keyring
        self._tell: Callable[[str], object] | None = tell

    def __repr__(self) -> str:
        return f"KeptToken({self._name}, {HIDDEN})"

    def newest(self) -> Secret:
        """Return the kept token if it descends from the given one, else the given one."""
        # a file is only there while the keyring did not work, so it is the newer
        for text in (self._in_file(), self._in_keyring()):
            if (token := self._descendant(text)) is not None:
                return token
        return self._given

    def keep(self, token: Secret) -> None:
        """Keep a new token; if that is not possible, say so and go on with it."""
        text = json.dumps({"ancestor": self._ancestor, "token": token.reveal()})
        try:
            self._ring().set_password(SERVICE, self._name, text)
        except Exception:  # any of a dozen back ends
            self._say(self._write(text))
            return
        with contextlib.suppress(OSError):
            self._file.unlink()

    def _say(self, sentence: str) -> None:
        if self._tell is not None:
            self._tell(sentence)
        self._tell = None

    def _descendant(self, text: str) -> Secret | None:
        """Read what was kept; None if it is nothing of ours, or of another line."""
        try:
            kept = json.loads(text)
            ours = kept["ancestor"] == self._ancestor and kept["token"] == str(kept["token"])
            return Secret(kept["token"]) if ours else None
        except (ValueError, TypeError, KeyError):
            return None

    def _ring(self) -> Keyring:
        return system_keyring() if self._keyring is None else self._keyring

    def _in_keyring(self) -> str:
        try:
            return self._ring().get_password(SERVICE, self._name) or ""
        except Exception:  # any of a dozen back ends
            return ""

    def _in_file(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""

    def _write(self, text: str) -> str:
        """Write the file, whole or not at all, for the user's eyes only; say how it went."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._file.parent)  # made with mode 0600
            with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open already
                file.write(text)
            Path(name).replace(self._file)
        except OSError as problem:
            return (
                f"the new refresh token could not be kept ({type(problem).__name__}): the next run"
                f" may need a fresh one; make {self._file.parent} writable"
            )
        return f"there is no keyring here, so the new refresh token is kept in {self._file}"


def settings_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder where this computer keeps a user's settings for us; it may not exist.

    Examples
    --------
    >>> if sys.platform == "linux":
    ...     assert settings_folder({"XDG_CONFIG_HOME": "/c"}) == Path("/c/reverse-funnel")

    """
    if sys.platform == "win32":
        folder = Path(environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / SERVICE
