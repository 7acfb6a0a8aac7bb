"""The Hugging Face Hub's client, and what a user can do about each of its errors.

``pull.py`` fetches models, ``push.py`` sends them, ``search.py`` lists them.  The client is
huggingface_hub; ``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HOME`` and ``HF_HUB_OFFLINE`` mean what they
mean there.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ganzoo import __version__
from ganzoo.errors import HubError, HubFailure, nearest, one_of
from ganzoo.models.hub_id import Id
from ganzoo.text import gist

if TYPE_CHECKING:
    from httpx2 import Client
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hf

#: seconds until a server that does not answer is given up, and one that falls silent
TIMEOUT, SILENCE = 10.0, 60.0


def client(token: str | None = None) -> HfApi:
    """Return huggingface_hub's client, with the endpoint and token of its variables.

    Raises HubError if one of them is invalid, without quoting the token.
    """
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint == "":  # huggingface_hub would take it for an address
        del os.environ["HF_ENDPOINT"]
    if endpoint:  # huggingface_hub could not even be imported with a wrong one
        try:
            parts = urlsplit(endpoint)
            is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            is_address = False
        # urlsplit takes some unprintable characters away
        if not is_address or " " in endpoint or not endpoint.isprintable():
            raise HubError(f"HF_ENDPOINT={endpoint}: expected an address, such as https://...")
    from huggingface_hub import HfApi, get_token

    if (secret := token or get_token()) and not re.fullmatch(r"[!-~]+", secret):  # not for a header
        where = "--token" if token else "HF_TOKEN, or that of `hf auth login`,"
        raise HubError(
            f"the token in {where} holds a space, a line break or another character that no token "
            "has: copy it again from https://huggingface.co/settings/tokens"
        )
    return HfApi(
        endpoint or None, token or None, library_name="ganzoo", library_version=__version__
    )


@contextmanager
def telling(api: HfApi, what: Id, silence: float | None = None) -> Iterator[None]:
    """Turn huggingface_hub's errors in this block into a HubError that says what to do.

    Give up on a server that is silent for ``silence`` seconds, by default ``SILENCE``.  Raises
    HubError at once if the environment's proxy is invalid.
    """
    import httpx2
    from huggingface_hub import errors as hf
    from huggingface_hub import get_session

    try:
        session = get_session()
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        proxies = _proxies() or {"HF_ENDPOINT": os.environ.get("HF_ENDPOINT", "")}
        odd = [name for name, value in proxies.items() if not re.match("https?://", value)]
        name = (odd or list(proxies))[0]
        needs = "for SOCKS, pip install socksio" if isinstance(error, ImportError) else gist(error)
        raise HubError(
            f"{what}: the proxy {name}={proxies[name]} cannot be used: {needs}. Write "
            f"http://HOST:PORT or socks5://HOST:PORT, or unset {name}."
        ) from error
    failures = (OSError, ValueError, RuntimeError, httpx2.HTTPError, hf.XetDownloadError)
    of_odd_cards = (TypeError, KeyError, AttributeError)  # its reader of cards trusts them
    try:
        with _patience(session, silence or SILENCE):
            yield
    except hf.LocalEntryNotFoundError as error:
        cause = error.__cause__ or ConnectionError("no answer")
        raise _explained(cause, api, what) from cause
    except failures as error:
        raise _explained(error, api, what) from error
    except of_odd_cards as error:
        raise HubError(
            f"{what}: the Hub's answer about it cannot be read: {gist(error)}. Its author has to "
            "correct the metadata at the top of README.md."
        ) from error


def _explained(error: BaseException, api: HfApi, what: Id) -> HubError:
    from huggingface_hub import errors as hf

    if isinstance(error, hf.OfflineModeIsEnabled):
        return HubError(
            f"{what}: HF_HUB_OFFLINE is set, so the Hub is not asked. Unset it, or name a model "
            "that is on this machine."
        )
    if isinstance(error, hf.LocalTokenNotFoundError):
        return HubError(f"{what}: {_TOKEN}")
    for one in (error, error.__cause__):
        if isinstance(one, hf.HfHubHTTPError) and _status(one):
            return _refused(one, api, what)
    if f"os error {errno.ENOSPC}" in str(error):  # hf_xet
        error = OSError(errno.ENOSPC, "")
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        return disk_error(error, what)
    proxies = _proxies()
    through = f" through the proxy {'='.join(next(iter(proxies.items())))}" if proxies else ""
    return HubFailure(
        f"{what}: {api.endpoint} cannot be reached{through}, or broke off: {gist(error)}. "
        "Check the connection and HF_ENDPOINT, and try again; whole files are kept."
    )


def _refused(error: hf.HfHubHTTPError, api: HfApi, what: Id) -> HubError:
    from huggingface_hub import errors as hf

    status = _status(error)
    if isinstance(error, hf.GatedRepoError):
        return HubError(
            f"{what.repo} is gated: accept its terms at {api.endpoint}/{what.repo}, then "
            "log in: hf auth login"
        )
    if isinstance(error, hf.RevisionNotFoundError):
        names: list[str] = []
        with suppress(Exception):  # only a hint
            refs = api.list_repo_refs(what.repo)
            names = [ref.name for ref in (*refs.branches, *refs.tags)]
        wrong = f"{what.repo} has no revision '{what.revision or 'main'}'"
        hint = nearest(str(what.revision), names)
        return HubError(f"{wrong}{hint} Available: {one_of(names)}, and commits.")
    if isinstance(error, hf.RepositoryNotFoundError) and not is_bad_token(error):
        return HubError(
            f"there is no model '{what.repo}' on the Hub, or it is private and your token does "
            "not show it to you. Check the spelling (`ganzoo search` lists models); for a private "
            "one: hf auth login"
        )
    if status == 401:
        return HubError(f"{what}: {_TOKEN}")
    if status == 403:
        return HubError(
            f"{what}: the Hub does not let you do this: {gist(error)}. To write, the token must "
            "have the role `write`, and you must own the repository or belong to its "
            "organisation. `hf auth whoami` says who you are."
        )
    if status in (409, 412):
        return HubError(
            f"{what} was changed by somebody else just now, so nothing was written. Look at what "
            "they did, and push again."
        )
    if status == 429 or status >= 500:
        return HubFailure(f"{what}: the Hub is busy or in trouble ({status}). Try again later.")
    asks = "" if status == 400 else " Try again; if HF_ENDPOINT is set, is it a Hub's?"
    return HubError(f"{what}: the Hub refuses: {gist(error)}.{asks}")


def is_bad_token(error: Exception) -> bool:
    """Whether a repository is "not found" because the token is wrong."""
    return _status(error) == 401 and "credentials" in str(error)


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


_TOKEN = (
    "the Hub needs a token, and yours is missing, wrong or expired. Create one with write access "
    "at https://huggingface.co/settings/tokens, then: hf auth login (or set HF_TOKEN)"
)


def disk_error(error: OSError, what: Id) -> HubError:
    """Say what to do if the cache cannot be read or written."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError(
            f"{what}: the disk is full{where}. Make room, or set HF_HOME to a folder on another "
            "disk, and run it again."
        )
    if error.errno:
        return HubError(f"{what}: {error.strerror}{where}. Fix that and run it again.")
    return HubFailure(  # no errno: raised by huggingface_hub itself
        f"{what}: the file that came is not the one announced: {gist(error)}. Try again."
    )


# -- the connection ----------------------------------------------------------------------------


def _proxies() -> dict[str, str]:
    """Return the environment's proxy variables, without user and password."""
    names = [name for kind in ("https", "http", "all") for name in (kind, kind.upper())]
    variables = [f"{name}_PROXY" if name.isupper() else f"{name}_proxy" for name in names]
    set_here = {name: os.environ[name] for name in variables if os.environ.get(name)}
    return {name: re.sub(r"(://)?[^/@]*@", r"\1", value) for name, value in set_here.items()}


@contextmanager
def _patience(session: Client, silence: float) -> Iterator[None]:
    """Give up on a server that is silent for ``silence`` seconds, or cannot be reached.

    Before the first answer, an unreachable server is reported at once; huggingface_hub would try
    five times in half a minute.  Later it is not, since a transfer may lose the network for a
    while.
    """
    import httpx2

    patience = httpx2.Timeout(silence, connect=TIMEOUT).as_dict()
    send, has_answer = session.send, False

    def once(request: httpx2.Request, **options: Any) -> httpx2.Response:
        nonlocal has_answer
        try:
            response = send(request, **options)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if has_answer:
                raise
            late = isinstance(error, httpx2.ConnectTimeout)
            raise (TimeoutError if late else ConnectionError)(str(error)) from error
        has_answer = True
        return response

    def limit(request: httpx2.Request) -> None:
        timeouts = {k: v for k, v in request.extensions.get("timeout", {}).items() if v is not None}
        request.extensions["timeout"] = patience | timeouts

    before = session.event_hooks
    session.event_hooks = before | {"request": [*before["request"], limit]}
    session.send = once  # type: ignore[method-assign]
    try:
        yield
    finally:
        session.event_hooks, session.send = before, send  # type: ignore[method-assign]
