"""The Hugging Face Hub: model ids, and one sentence for each failure.

``pulling.py`` fetches models, ``publish.py`` sends them, ``catalogue.py`` lists them.  The client
is huggingface_hub; ``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HOME`` and ``HF_HUB_OFFLINE`` mean what they
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

#: seconds until a server that does not answer is given up, and one that falls silent
TIMEOUT, SILENCE = 10.0, 60.0


def client(token: str | None = None) -> HfApi:
    """Return huggingface_hub's client, with the endpoint and token of its variables."""
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint == "":  # huggingface_hub would take it for an address
        del os.environ["HF_ENDPOINT"]
    if endpoint and not _is_address(endpoint):  # huggingface_hub could not even be imported
        raise HubError(f"HF_ENDPOINT={endpoint}: expected an address, such as https://...")
    from huggingface_hub import HfApi

    _check_token(token)
    return HfApi(
        endpoint or None, token or None, library_name="ganzoo", library_version=__version__
    )


def _check_token(given: str | None) -> None:
    """Raise HubError if the token cannot be sent in a header, without quoting it."""
    from huggingface_hub import get_token

    if (token := given or get_token()) and not re.fullmatch(r"[!-~]+", token):
        where = "--token" if given else "HF_TOKEN, or that of `hf auth login`,"
        raise HubError(
            f"the token in {where} holds a space, a line break or another character that no token "
            "has: copy it again from https://huggingface.co/settings/tokens"
        )


def _is_address(text: str) -> bool:
    if not text.isprintable() or " " in text:  # urlsplit takes some of these away
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@contextmanager
def telling(api: HfApi, what: Id, silence: float | None = None) -> Iterator[None]:
    """Turn huggingface_hub's errors in this block into a HubError that says what to do.

    Give up on a server that is silent for ``silence`` seconds, by default ``SILENCE``.
    """
    import httpx2
    from huggingface_hub import errors as hf

    session = _session(what)
    try:
        with _patience(session, silence or SILENCE):
            yield
    except hf.LocalEntryNotFoundError as error:  # its cause is the real error
        with telling(api, what, silence):
            raise error.__cause__ or ConnectionError("no answer") from error
    except hf.HFValidationError as error:
        raise HubError(f"'{what}' is no name of a model on the Hub: {error}") from error
    except hf.OfflineModeIsEnabled as error:
        raise HubError(
            f"{what}: HF_HUB_OFFLINE is set, so the Hub is not asked. Unset it, or name a model "
            "that is on this machine."
        ) from error
    except hf.LocalTokenNotFoundError as error:
        raise HubError(f"{what}: {_NO_TOKEN}") from error
    except hf.GatedRepoError as error:
        raise HubError(
            f"{what.repo} is gated: accept its terms at {api.endpoint}/{what.repo}, then "
            f"log in: hf auth login"
        ) from error
    except hf.RepositoryNotFoundError as error:
        raise HubError(_no_repository(error, what)) from error
    except hf.RevisionNotFoundError as error:
        raise HubError(_no_revision(api, what)) from error
    except hf.RemoteEntryNotFoundError as error:
        raise HubError(
            f"{what} lists a file that it does not give: {gist(error)}. It may be changing just "
            "now; try again."
        ) from error
    except hf.HfHubHTTPError as error:
        raise _refused(error, what) from error
    except (httpx2.TimeoutException, TimeoutError) as error:
        raise HubFailure(
            f"{what}: {api.endpoint} did not answer in time. Try again; what was fetched whole "
            "is kept."
        ) from error
    except (TypeError, KeyError, AttributeError) as error:  # its reader of cards trusts them
        raise HubError(
            f"{what}: what the Hub says of it cannot be read: {gist(error)}. Its author has to "
            "mend the metadata at the top of README.md."
        ) from error
    except (httpx2.HTTPError, ConnectionError) as error:
        if isinstance(cause := error.__cause__, hf.HfHubHTTPError) and _status(cause):
            raise _refused(cause, what) from error
        raise HubFailure(
            f"{what}: {api.endpoint} cannot be reached{_through()}, or broke off: {gist(error)}. "
            "Look at the connection and try again; what was fetched whole is kept."
        ) from error
    except OSError as error:
        raise disk_error(error, what) from error
    except ValueError as error:  # not JSON
        raise HubFailure(
            f"{what}: {api.endpoint} answers, but not as a Hub does: {gist(error)}. Look at "
            "HF_ENDPOINT, and whether this network wants you to log in first."
        ) from error
    except (RuntimeError, hf.XetDownloadError) as error:  # hf_xet
        if f"os error {errno.ENOSPC}" in str(error):
            raise disk_error(OSError(errno.ENOSPC, ""), what) from error
        raise HubFailure(
            f"{what}: the transfer failed: {gist(error)}. Try again; HF_HUB_DISABLE_XET=1 goes "
            "another way."
        ) from error


def _session(what: Id) -> Client:
    """Return huggingface_hub's session; raises HubError if the environment's proxy is invalid."""
    import httpx2
    from huggingface_hub import get_session

    try:
        return get_session()
    except ImportError as error:  # httpx raises this if socksio is missing
        raise HubError(
            f"{what}: {_setting()} is a SOCKS proxy, for which a package is missing: pip install "
            f"socksio. Or unset {_setting().partition('=')[0]}."
        ) from error
    except (ValueError, httpx2.InvalidURL) as error:
        raise HubError(
            f"{what}: {_setting()} is no proxy that can be used: write http://HOST:PORT or "
            f"socks5://HOST:PORT, or unset {_setting().partition('=')[0]}."
        ) from error


def _proxies() -> dict[str, str]:
    """Return the environment's proxy variables, without user and password."""
    names = [name for kind in ("https", "http", "all") for name in (kind, kind.upper())]
    variables = [f"{name}_PROXY" if name.isupper() else f"{name}_proxy" for name in names]
    set_here = {name: os.environ[name] for name in variables if os.environ.get(name)}
    return {name: re.sub(r"(://)?[^/@]*@", r"\1", value) for name, value in set_here.items()}


def _setting() -> str:
    """Return the setting that is probably wrong, as ``ALL_PROXY=...``."""
    proxies = _proxies() or {"HF_ENDPOINT": os.environ.get("HF_ENDPOINT", "")}
    odd = [f"{k}={v}" for k, v in proxies.items() if not v.startswith(("http://", "https://"))]
    return odd[0] if odd else "{}={}".format(*next(iter(proxies.items())))


def _through() -> str:
    proxies = _proxies()
    return f" through the proxy {'='.join(next(iter(proxies.items())))}" if proxies else ""


@contextmanager
def _patience(session: Client, silence: float) -> Iterator[None]:
    """Give up on a server that is silent for ``silence`` seconds, or cannot be reached.

    Before the first answer, an unreachable server is reported at once; huggingface_hub would try
    five times in half a minute.  Later it is not, since a transfer may lose the network for a
    while.
    """
    import httpx2

    patience = httpx2.Timeout(silence, connect=TIMEOUT).as_dict()
    send, answered = session.send, False

    def once(request: httpx2.Request, **options: Any) -> httpx2.Response:
        nonlocal answered
        try:
            response = send(request, **options)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if answered:
                raise
            late = isinstance(error, httpx2.ConnectTimeout)
            raise (TimeoutError if late else ConnectionError)(str(error)) from error
        answered = True
        return response

    def limit(request: httpx2.Request) -> None:
        own = {k: v for k, v in request.extensions.get("timeout", {}).items() if v is not None}
        request.extensions["timeout"] = patience | own

    before = session.event_hooks
    session.event_hooks = before | {"request": [*before["request"], limit]}
    session.send = once  # type: ignore[method-assign]
    try:
        yield
    finally:
        session.event_hooks, session.send = before, send  # type: ignore[method-assign]


_NO_TOKEN = (
    "the Hub wants to know who you are, and there is no token. Make one that may write at "
    "https://huggingface.co/settings/tokens, then: hf auth login (or set HF_TOKEN)"
)


def is_bad_token(error: Exception) -> bool:
    """Whether a repository is "not found" because the token is wrong."""
    return _status(error) == 401 and "credentials" in str(error)


def _no_repository(error: Exception, what: Id) -> str:
    if is_bad_token(error):
        return f"{what}: {_BAD_TOKEN}"
    return (
        f"there is no model '{what.repo}' on the Hub, or it is private and your token does not "
        "show it to you. Look at the spelling (`ganzoo search` lists models); for a private "
        "one: hf auth login"
    )


_BAD_TOKEN = (
    "the Hub does not accept the token. It may have expired: make another at "
    "https://huggingface.co/settings/tokens, then: hf auth login (or set HF_TOKEN)"
)


def _no_revision(api: HfApi, what: Id) -> str:
    known: list[str] = []
    with suppress(Exception):  # only a hint
        refs = api.list_repo_refs(what.repo)
        known = [ref.name for ref in (*refs.branches, *refs.tags)]
    wrong = f"{what.repo} has no revision '{what.revision or 'main'}'"
    return f"{wrong}{nearest(str(what.revision), known)} Available: {one_of(known)}, and commits."


def _refused(error: Exception, what: Id) -> HubError:
    status, says = _status(error), gist(error)
    if status == 401:
        return HubError(f"{what}: {_BAD_TOKEN}")
    if status == 403:
        return HubError(
            f"{what}: the Hub does not let you do this: {says}. To write, the token must have the "
            "role `write`, and you must own the repository or belong to its organisation. "
            "`hf auth whoami` tells who you are."
        )
    if status in (409, 412):
        return HubError(
            f"{what} was changed by somebody else just now, so nothing was written. Look at what "
            "they did, and push again."
        )
    if status == 429:
        return HubFailure(f"{what}: too many requests for now. Wait some minutes and try again.")
    if status >= 500:
        return HubFailure(f"{what}: the Hub is in trouble ({status}). Try again in a while.")
    asks = "" if status == 400 else " If HF_ENDPOINT is set, is it a Hub's?"
    return HubError(f"{what}: the Hub refuses: {says}.{asks}")


def _status(error: Exception) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def disk_error(error: OSError, what: Id) -> HubError:
    """Say what to do if the cache cannot be read or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError(
            f"{what}: the disk is full{_where(error)}. Make room, or set HF_HOME to a folder on "
            "another disk, and run it again."
        )
    if error.errno:
        return HubError(f"{what}: {error.strerror}{_where(error)}. Mend that and run it again.")
    return HubFailure(  # no errno: raised by huggingface_hub itself
        f"{what}: what came is not what was announced: {gist(error)}. Try again."
    )


def _where(error: OSError) -> str:
    return f" ({error.filename})" if error.filename else ""
