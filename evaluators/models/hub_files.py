"""The files of a pinned commit, downloaded from the hub or found in its cache.

Belongs here: which files, and what to do where they are unavailable. Does not belong here: their use (`sources`,
`builds`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluators.catalogue.entries import ModelEntry
from evaluators.models import hub_client
from evaluators.models.builds import ModelUnavailable, NotHere

_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "*.tiktoken")
_IGNORED = ("*/*", "consolidated*")  # other formats and second copies of the same weights


def download(entry: ModelEntry) -> Path:
    """The hub's snapshot of the pinned commit, from the hub's own cache where it is complete there."""
    from huggingface_hub import errors

    what = f"{entry.name}: {entry.repo}@{str(entry.revision)[:12]}"
    client = hub_client.connect()
    try:
        folder = client.snapshot_download(
            str(entry.repo),
            revision=entry.revision,
            allow_patterns=list(_FILES),
            ignore_patterns=list(_IGNORED),
            local_files_only=not _answers(client, entry),
        )
    except errors.GatedRepoError:
        raise ModelUnavailable(f"{what} {_gated(f'{client.endpoint}/{entry.repo}', bool(client.token))}") from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise ModelUnavailable(f"{what} is not on the hub; check repo and revision, or set HF_TOKEN") from None
    except ModelUnavailable:
        raise
    except Exception as error:  # the hub's client passes on the many exceptions of its transports
        reason = type(error).__name__
        remedy = "check the network and HF_HUB_OFFLINE, or use an entry with source: path or package"
        raise ModelUnavailable(f"{what} cannot be downloaded and is not in the cache ({reason}); {remedy}") from error
    return Path(folder)


def cached(entry: ModelEntry) -> Path:
    """The snapshot of the pinned commit in the hub's cache. Raises NotHere."""
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(snapshot_download(str(entry.repo), revision=entry.revision, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        raise NotHere(f"{entry.repo} is not in the hub's cache") from None


def _gated(page: str, has_token: bool) -> str:
    """Why a gated model is unavailable, and what to do: as the end of a sentence."""
    if not has_token:
        return f"is gated; accept its terms at {page}, and set {hub_client.TOKEN_VARIABLE} to a token of that account"
    return (
        f"is gated, and the account of {hub_client.TOKEN_VARIABLE} has no access; accept the terms at {page} with it "
        "(some owners grant it manually), and let the token read gated repositories"
    )


def _answers(client: Any, entry: ModelEntry) -> bool:
    """Whether the hub answers, tried once: the download itself would retry a dead network for half a minute."""
    from huggingface_hub import errors

    try:
        client.model_info(str(entry.repo), revision=entry.revision, timeout=hub_client.TIMEOUT_S)
    except (errors.GatedRepoError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise
    except errors.HfHubHTTPError as error:
        if client.token and error.response.status_code in (401, 403):
            what = f"{entry.name}: the hub refuses {hub_client.TOKEN_VARIABLE} for {entry.repo}"
            raise ModelUnavailable(f"{what}; set it to a valid token that may read this repository") from None
        return False
    except Exception:
        return False
    return True
