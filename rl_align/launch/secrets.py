"""Values of secret variables do not belong into command lines, scripts and records: only names of variables are passed.

SLURM takes the named variables from the environment that `sbatch` is called in (`--export=NAME,…`) and keeps their values in the
controller's own state, which no command shows; they are not in the script. Ray's only way to hand on variables, a job's runtime
environment, is shown in its dashboard and logs, so with Ray the variables must be set where the cluster was started.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rl_align.errors import UserError

#: Variables that a shell and the usual tools need; taken along where they are set.
USUAL = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TERM", "LD_LIBRARY_PATH", "MODULEPATH", "MODULESHOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "HF_HOME", "XDG_CACHE_HOME",
)  # fmt: skip
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_WHERE = re.compile(r"_(PATH|FILE|DIR|FOLDER|SOCK|NAME|ID|URL)$", re.IGNORECASE)
#: A shorter value may well be in a text by chance.
SHORTEST = 8


def refuse_secrets(texts: Iterable[str], environment: Mapping[str, str]) -> None:
    """Raises UserError when a text spells the value of a variable whose name says that it is secret; the value is not shown."""
    secrets = {
        name: value
        for name, value in environment.items()
        if _SECRET.search(name) and not _WHERE.search(name) and len(value.strip()) >= SHORTEST
    }
    for text in texts:
        for name, value in secrets.items():
            if value.strip() in text:
                what = f"a setting spells the value of the variable {name}, and would stand in scripts and logs"
                raise UserError(what, fix="name the variable in it instead (such as api_key_env), and in job.env")


def missing(names: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Which of the named variables are not set."""
    return [name for name in names if not environment.get(name)]
