"""`rl-align eval export-predictions` and `rl-align eval crosscheck`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rl_align.endpoints.fake import Fake, Script
from rl_align.endpoints.secret import Secret
from rl_align.errors import UserError
from rl_align.eval.vlmevalkit.compare import compare, lines
from rl_align.eval.vlmevalkit.replay import Replay
from rl_align.eval.vlmevalkit.scorer import KitJudge, score
from rl_align.eval.vlmevalkit.tables import LOST, Table, table_of
from rl_align.eval.vlmevalkit.write import write_tables


def export(
    logs: Sequence[str], to: str, *, kind: str = "xlsx", model: str | None = None, epoch: int = 1, whole: bool = False
) -> list[str]:
    """Writes the prediction files of logs.

    Args:
        logs: Logs of Inspect's.
        to: The folder, `--work-dir` of the kit.
        kind: xlsx or tsv.
        model: Name of the model in the kit's files.
        epoch: Which answer to each item.
        whole: Predictions are all that was generated.

    Returns:
        What was written, and what was left out.

    Raises:
        UserError: As `table_of` and `write_tables`.
    """
    tables = [table_of(log, model=model, epoch=epoch, whole=whole) for log in logs]
    written = write_tables(tables, Path(to), kind)
    return [line for path, (table, replaced) in written.items() for line in _told(path, table, replaced)]


def _told(path: Path, table: Table, replaced: int) -> list[str]:
    lost = sum(row["prediction"] in LOST for row in table.rows)
    notes = [f"left out: {n} {why}" for why, n in table.left_out.items()]
    notes += [f"{replaced} cells with characters that the format cannot hold: replaced"] if replaced else []
    notes += [f"{lost} answers that are empty, or a word that the kit reads as an empty cell"] if lost else []
    return [f"{path}: {len(table.rows)} rows", *(f"  {note}" for note in notes)]


def crosscheck(
    logs: Sequence[str],
    kit: str,
    *,
    judge_base_url: str | None = None,
    judge_model: str | None = None,
    judge_api_key_env: str | None = None,
    epoch: int = 1,
    whole: bool = False,
) -> tuple[list[str], bool]:
    """Has the kit score the answers of logs with its own code, and says what differs.

    Args:
        logs: Logs of Inspect's; of one model, of different benchmarks.
        kit: The Python of the kit's environment.
        judge_base_url: The kit's judge. Without one it is told what ours said.
        judge_model: Its name.
        judge_api_key_env: Environment variable that holds its key.
        epoch: Which answer to each item.
        whole: The kit reads all that was generated.

    Returns:
        Lines, and whether every difference has a reason.

    Raises:
        UserError: As `export`, `score` and `Secret.from_environment`; two logs of one benchmark; the kit did not ask as it should.
    """
    if (judge_base_url is None) != (judge_model is None):
        raise UserError("one of the two is missing", where="--judge-base-url, --judge-model", expected="both, or neither")
    key = Secret.from_environment(judge_api_key_env, "--judge-api-key-env")
    tables = [table_of(log, epoch=epoch, whole=whole) for log in logs]
    with ExitStack() as stack:
        # The kit keeps its judge's replies beside the files: a folder that nobody has used.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rl_align-vlmevalkit-")))
        files = [(table.dataset, path) for path, (table, _) in write_tables(tables, folder).items()]
        replay = None
        if judge_base_url is not None and judge_model is not None:
            judge = KitJudge(judge_base_url, judge_model, key)
        else:
            replay = Replay(tables)
            fake = stack.enter_context(Fake(Script(answer=replay)))
            judge = KitJudge(fake.base_url, "replay", calls_at_once=1, direct=True)
        found = score(kit, files, judge, folder / "found.json")
    if replay is not None and (replay.strayed is not None or replay.left):
        missing = f"{replay.left} calls missing" if replay.strayed is None else f"not about {replay.strayed!r} when it was due"
        raise UserError(f"the kit did not ask its judge as expected ({missing})", where=kit, fix="name a judge for it")
    made = [(table, compare(table, one)) for table, one in zip(tables, found, strict=True)]
    explained = all(number.explained for _, numbers in made for number in numbers)
    return [line for table, numbers in made for line in lines(table, numbers)], explained
