"""Where passwords and tokens come from: the environment, then the keyring, then a question.

They are never printed: what is found is a `Secret`.
"""

import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from connectors.errors import CredentialsError
from connectors.secret import HIDDEN, Secret

SERVICE = "reverse-funnel"


class Keyring(Protocol):
    """What we need of a keyring, which the package ``keyring`` and its back ends have."""

    def get_password(self, service: str, name: str, /) -> str | None:
        """Return what is kept under the name; None if nothing is."""

    def set_password(self, service: str, name: str, value: str, /) -> None:
        """Keep a value under the name."""


class Token:
    """The authorization of a token that never changes: a service key or a private app.

    Raises
    ------
    CredentialsError
        If the token is empty or holds characters that no token has.

    Examples
    --------
    >>> Token("pat-na1-0123 ").header()
    'Bearer pat-na1-0123'

    """

    def __init__(self, token: str | Secret) -> None:
        self._token = usable("the token", token)

    def header(self) -> str:
        """Return the ``Authorization`` header."""
        return f"Bearer {self._token.reveal()}"

    def refused(self, _used: str) -> bool:
        """Return False: there is no other token to try."""
        return False

    def __repr__(self) -> str:
        return f"Token({HIDDEN})"


def usable(name: str, value: str | Secret) -> Secret:
    """Return a password or token without the blanks around it.

    Parameters
    ----------
    name : str
        What it is, for the message.
    value : str or Secret
        As it was typed, pasted or kept.

    Raises
    ------
    CredentialsError
        If nothing is left, or it holds a blank, a control character, or one beyond ASCII.

    """
    text = (value.reveal() if isinstance(value, Secret) else value).strip()
    if not text:
        raise CredentialsError(f"{name} is empty; copy it once more")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise CredentialsError(
            f"{name} holds a blank, a control or a foreign character, so it was not copied whole"
            " and by itself; copy it once more"
        )
    return Secret(text)


def read(
    names: Sequence[str],
    service: str = SERVICE,
    *,
    environ: Mapping[str, str] = os.environ,
    keyring: Keyring | None = None,
    prompt: bool = False,
) -> dict[str, Secret]:
    """Find a value for each name: in the environment, in the keyring, or by asking.

    Parameters
    ----------
    names : sequence of str
        Names of environment variables; the keyring keeps values under the same names.
    service : str
        Name under which the keyring keeps them.
    environ : mapping
        The environment; an empty value counts as missing.
    keyring : Keyring or None
        Another keyring than the one of this computer.
    prompt : bool
        Whether to ask, unseen, for what is missing. Only done in a terminal or a notebook.

    Returns
    -------
    dict of str to Secret
        One for each name, in their order.

    Raises
    ------
    CredentialsError
        If one is missing: it names all that are, and says why the keyring did not help.

    """
    return read_first([names], service, environ=environ, keyring=keyring, prompt=prompt)


def read_first(
    choices: Sequence[Sequence[str]],
    service: str = SERVICE,
    *,
    environ: Mapping[str, str] = os.environ,
    keyring: Keyring | None = None,
    prompt: bool = False,
) -> dict[str, Secret]:
    """Find the first of several sets of names that is there whole; see `read`.

    The environment goes first for every set, so that a token in the keyring never hides what the
    environment has. If no set is whole, one that is begun is asked for, else the first.

    Parameters
    ----------
    choices : sequence of sequences of str
        Such as ``[["HUBSPOT_TOKEN"], ["HUBSPOT_CLIENT_ID", ...]]``, the usual one first.
    service, environ, keyring, prompt
        As for `read`.

    Raises
    ------
    CredentialsError
        If no set is whole.

    """
    found = {name: environ[name] for name in _all(choices) if environ.get(name, "").strip()}
    why = ""
    if not _whole(choices, found):
        kept, why = _kept(_all(choices), service, keyring)
        found = kept | found
    if not _whole(choices, found) and prompt and _somebody_there():
        found |= _asked([name for name in _begun(choices, found)[0] if name not in found])
    whole = _whole(choices, found)
    if not whole:
        raise CredentialsError(_missing(choices, found, why))
    return {name: usable(name, found[name]) for name in whole}


def _all(choices: Sequence[Sequence[str]]) -> list[str]:
    return [name for names in choices for name in names]


def _whole(choices: Sequence[Sequence[str]], found: Mapping[str, str]) -> Sequence[str]:
    """Return the first set of names that were all found, or an empty one."""
    return next((names for names in choices if found.keys() >= set(names)), ())


def _begun(choices: Sequence[Sequence[str]], found: Mapping[str, str]) -> list[Sequence[str]]:
    """Sort the sets: those that are partly there go first."""
    return sorted(choices, key=lambda names: not found.keys() & set(names))


def _missing(choices: Sequence[Sequence[str]], found: Mapping[str, str], why: str) -> str:
    """Say which variables to set."""
    sets = [
        " and ".join(name for name in names if name not in found)
        for names in _begun(choices, found)
    ]
    return f"set {', or '.join(sets)} in the environment, or keep it in the keyring ({why})"


def _kept(
    names: Sequence[str], service: str, keyring: Keyring | None
) -> tuple[dict[str, str], str]:
    """Look into the keyring; a keyring that fails holds nothing, and the reason is returned."""
    try:
        ring = system_keyring() if keyring is None else keyring
        kept = {name: ring.get_password(service, name) or "" for name in names}
    except Exception as problem:  # any of a dozen back ends
        return {}, f"which does not work here: {type(problem).__name__}"
    return {name: value for name, value in kept.items() if value.strip()}, "where it is not"


def system_keyring() -> Keyring:
    """Return the keyring of this computer, loaded only now as that takes a moment."""
    import keyring  # noqa: PLC0415

    return keyring


def remember(
    name: str, value: str | Secret, service: str = SERVICE, *, keyring: Keyring | None = None
) -> tuple[bool, str]:
    """Keep a value in the keyring.

    Returns
    -------
    tuple of bool and str
        Whether it is kept, and if not, why.

    Raises
    ------
    CredentialsError
        If the value cannot be one; see `usable`.

    """
    secret = usable(name, value)
    try:
        ring = system_keyring() if keyring is None else keyring
        ring.set_password(service, name, secret.reveal())
    except Exception as problem:  # any of a dozen back ends
        return False, f"the keyring does not work here: {type(problem).__name__}"
    return True, ""


def _asked(names: Sequence[str]) -> dict[str, str]:
    """Ask for values, unseen; nobody to answer gives none."""
    try:
        return {name: value for name in names if (value := getpass.getpass(f"{name}: ").strip())}
    except (EOFError, NotImplementedError):  # the latter: a notebook that runs by itself
        return {}


def _somebody_there() -> bool:
    """Tell whether a question would reach a person: in a terminal, or in a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel") or (sys.stdin is not None and sys.stdin.isatty())
