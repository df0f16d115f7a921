"""Whether the Hub is reached, which commit a name stands for, and what its errors mean, each in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rl_align.data.hub.place import Spot
from rl_align.errors import UserError

_TIMEOUT_S = 10


class NotReached(UserError):
    """The Hub did not answer. What is cached may do."""


def commit(spot: Spot) -> str:
    """The commit of a dataset on the Hub.

    Raises:
        NotReached: The Hub did not answer, or is not to be asked (HF_HUB_OFFLINE).
        UserError: There is no such dataset or revision, access is not granted, or the client is not installed.
    """
    with explained(spot):
        from huggingface_hub import HfApi

        return str(HfApi().dataset_info(spot.repo, revision=spot.revision, timeout=_TIMEOUT_S).sha)


@contextmanager
def explained(spot: Spot) -> Iterator[None]:
    """Turns whatever the Hub's client, `datasets` and the readers below them raise into one line for a person."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        what = f"the package {error.name or 'datasets'} is not installed"
        raise UserError(what, where=str(spot), fix="install the extra: pip install 'rl_align[hub]'") from error
    except Exception as error:  # three libraries and an HTTP client below them raise what they like
        raise _explain(error, spot) from error


def _explain(error: Exception, spot: Spot) -> UserError:
    names = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
    page = f"https://huggingface.co/datasets/{spot.repo}"
    where = str(spot)
    if "GatedRepoError" in names or "gated" in said:
        fix = f"ask for it at {page} and set HF_TOKEN, or give a local copy: --from FOLDER"
        return UserError("access is granted on request only", where=where, fix=fix)
    if "RevisionNotFoundError" in names:
        return UserError(f"no revision {spot.revision}", where=where, expected="a branch, tag or commit of the dataset")
    if "RepositoryNotFoundError" in names or "DatasetNotFoundError" in names:
        fix = "check the name; HF_TOKEN opens private ones"
        return UserError("no such dataset on the Hub, or it is private", where=where, fix=fix)
    if "OfflineModeIsEnabled" in names:
        fix = "unset HF_HUB_OFFLINE, or give a local copy: --from FOLDER"
        return NotReached("HF_HUB_OFFLINE is set, and the dataset is in neither cache", where=where, fix=fix)
    if {"HfHubHTTPError", "TransportError", "ConnectionError", "TimeoutError"} & names:
        fix = "check the network, or give a local copy: --from FOLDER"
        return NotReached(f"the Hub is not reached ({said})", where=where, fix=fix)
    return UserError(f"cannot be read ({said})", where=where, fix="give a local copy instead: --from FOLDER")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__
