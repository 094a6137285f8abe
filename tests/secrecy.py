"""Look for pieces of secrets in all that a program shows or keeps, and servers that repeat them."""

import traceback
from dataclasses import replace

LENGTH = 6


def pieces(*secrets):
    """Return every piece of six characters of some secrets, in small letters."""
    return {
        secret[start : start + LENGTH].lower().encode()
        for secret in secrets
        for start in range(len(secret) - LENGTH + 1)
    }


def seen(secret, *texts):
    """Pieces of a secret in texts or bytes."""
    all_bytes = b"\n".join(t if isinstance(t, bytes) else str(t).encode() for t in texts).lower()
    return sorted(piece.decode() for piece in secret if piece in all_bytes)


def below(folder):
    """Every byte of every file in a folder, and its name; nothing where there is no folder."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    return [part for path in files for part in (str(path), path.read_bytes())]


def texts_of(error):
    """Whatever can be printed of an error and of those it came from, shown or suppressed."""
    found, links = [], [error]
    while links:
        one = links.pop()
        found += [str(one), repr(one), repr(one.args), repr(vars(one))]
        found += traceback.format_exception(one)
        links += [e for e in (one.__cause__, one.__context__) if e is not None]
    return found


def echo(reply, request, status, kind):
    """A reply that repeats all it was sent, as proxies and error pages do.

    ``kind``: ``html``, a page; ``list``, as data calls are refused; ``json``, as logins are.
    """
    told = f"{request.headers.get('authorization', '')} {request.raw.decode()} {request.target}"
    told = told.replace("\\", "/").replace('"', "'")
    bodies = {
        "html": f"<html><title>{told}</title><body>{told}</body></html>",
        "list": f'[{{"message": "{told}", "errorCode": "FORBIDDEN", "fields": ["{told}"]}}]',
        "json": f'{{"error": "invalid_grant", "error_description": "{told}"}}',
    }
    elsewhere = {"Location": f"https://elsewhere.test/{told.split()[-1]}?t={told[-40:]}"}
    headers = elsewhere if status == 302 else {}
    mime = "text/html" if kind == "html" else "application/json"
    body = bodies[kind].encode()
    return replace(reply, status=status, body=body, kind=mime, headers=headers, cut=False)
