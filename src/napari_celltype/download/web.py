"""Talking to a server: bounded waiting, bounded retries, and failures in plain sentences."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from napari_celltype import __version__
from napari_celltype.errors import CelltypeError

__all__ = [
    "DownloadError",
    "MissingError",
    "PassingError",
    "Patience",
    "answers_of",
    "ask_json",
    "ask_size",
    "open_url",
    "persist",
]

_T = TypeVar("_T")
_LONGEST_PAUSE_S = 60.0


class DownloadError(CelltypeError):
    """Something cannot be fetched. ``ends_all`` tells that nothing after it could be fetched either."""

    def __init__(self, reason: str, *, path: Any = None, hint: str = "", ends_all: bool = False) -> None:
        self.ends_all = ends_all
        super().__init__(reason, path=path, hint=hint)


class MissingError(DownloadError):
    """The server does not have what it was asked for."""


class PassingError(Exception):
    """A trouble that may be over in a moment: worth another attempt."""

    def __init__(self, reason: str, *, wait_s: float | None = None, offline: bool = False) -> None:
        self.wait_s, self.offline = wait_s, offline
        super().__init__(reason)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a silent server, how often to ask again, and the first pause, doubled each time.

    ``gap_s`` is a pause before every request, for servers that are asked many times. ``old_tls`` accepts the short
    keys of old servers; their certificates are checked all the same.
    """

    timeout_s: float = 30.0
    attempts: int = 5
    pause_s: float = 1.0
    gap_s: float = 0.0
    old_tls: bool = False


def persist(patience: Patience, step: Callable[[], _T]) -> _T:
    """Do ``step``, again after a passing trouble, at most ``patience.attempts`` times.

    Raises
    ------
    DownloadError
        When the last attempt failed too.
    """
    for attempt in range(1, patience.attempts + 1):
        try:
            return step()
        except PassingError as trouble:
            if attempt == patience.attempts:
                raise _give_up(trouble, attempt) from trouble
            pause = patience.pause_s * 2 ** (attempt - 1) if trouble.wait_s is None else trouble.wait_s
            time.sleep(min(pause, _LONGEST_PAUSE_S))
    raise ValueError("at least one attempt is needed")


def _give_up(trouble: PassingError, attempts: int) -> DownloadError:
    hint = "Check the network connection, then" if trouble.offline else "Later,"
    return DownloadError(
        f"{trouble}, {attempts} times in a row",
        hint=f"{hint} give the same command again: it goes on where it stopped.",
        ends_all=trouble.offline,
    )


def open_url(
    url: str, patience: Patience, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> HTTPResponse:
    """Open a web address once.

    Raises
    ------
    PassingError
        If another attempt may succeed: no connection, a busy or failing server.
    DownloadError
        If it cannot: not found, not allowed, no web address.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url!r} is not an http or https address")
    agent = {"User-Agent": f"napari-celltype/{__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers={**agent, **(headers or {})}, method=method)
    try:
        if patience.gap_s:
            time.sleep(patience.gap_s)
        context = _old_tls() if patience.old_tls else None
        return cast(HTTPResponse, urllib.request.urlopen(request, timeout=patience.timeout_s, context=context))
    except urllib.error.HTTPError as error:
        with error:
            raise _judge(url, error.code, error.headers.get("Retry-After", "")) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLError) and not isinstance(reason, _PASSING_TLS):
            raise _tls_refusal(urlsplit(url).netloc, reason) from error
        raise PassingError(f"{urlsplit(url).netloc} cannot be reached ({reason})", offline=True) from error


_PASSING_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_SHORT_KEYS = ("DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")


def _old_tls() -> ssl.SSLContext:
    """What Python asks of a server, except that keys may be as short as they were usual ten years ago."""
    context = ssl.create_default_context()
    context.set_ciphers("DEFAULT@SECLEVEL=1")
    return context


def _tls_refusal(host: str, error: ssl.SSLError) -> DownloadError:
    """Why no secure connection came about; asking again would not help."""
    if error.reason in _SHORT_KEYS:
        return DownloadError(
            f"{host} secures its connections with a key too short for this computer's rules ({error.reason})",
            hint="This is the server's doing. --old-tls accepts its key; the certificate is checked all the same.",
            ends_all=True,
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return DownloadError(
            f"the certificate of {host} cannot be confirmed ({error.verify_message})",
            hint="Check the date of this computer; behind a company's proxy, set SSL_CERT_FILE to its certificate.",
            ends_all=True,
        )
    return DownloadError(
        f"no secure connection to {host} came about ({error.reason or error})",
        hint="If its server is an old one, --old-tls may help.",
        ends_all=True,
    )


def _judge(url: str, code: int, retry_after: str) -> Exception:
    """What a refusal means."""
    host = urlsplit(url).netloc
    if code == 416:
        return PassingError(f"{host} has no such part of the file (416)", wait_s=0.0)
    if code in (408, 429) or code >= 500:
        wait_s = float(retry_after) if retry_after.isdigit() else None
        return PassingError(f"{host} is busy or out of order (status {code})", wait_s=wait_s)
    if code in (404, 410):
        return MissingError(f"{host} does not have {url} (status {code})", hint="Check the number, or try later.")
    if code in (401, 403):
        return DownloadError(f"{host} does not give {url} to everybody (status {code})")
    return DownloadError(f"{host} refused {url} (status {code})")


def ask_json(url: str, patience: Patience) -> Any:
    """What the server answers, read as JSON."""

    def ask() -> Any:
        with open_url(url, patience, {"Accept": "application/json"}) as answer:
            try:
                return json.loads(answer.read())
            except (OSError, HTTPException) as error:
                raise PassingError(f"the answer of {urlsplit(url).netloc} broke off ({error})") from error
            except ValueError as error:
                raise DownloadError(f"the answer of {url} is not JSON", hint="Is the base address right?") from error

    return persist(patience, ask)


@contextlib.contextmanager
def answers_of(base: str) -> Iterator[None]:
    """Say plainly that a server's JSON has not the shape its interface promises."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"{base} answered in another form than expected ({type(error).__name__}: {error})"
        raise DownloadError(reason, hint="Is the base address right?") from error


def ask_size(url: str, patience: Patience) -> int | None:
    """Size of a file in bytes, without fetching it; None where the server does not tell."""

    def ask() -> int | None:
        with open_url(url, patience, method="HEAD") as answer:
            stated = answer.headers.get("Content-Length", "")
            return int(stated) if stated.isdigit() and int(stated) > 0 else None

    try:
        return persist(patience, ask)
    except DownloadError as error:
        if error.ends_all:
            raise
        return None  # only an estimate hangs on it; fetching the file will tell what is wrong
