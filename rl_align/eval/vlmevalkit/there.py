"""Runs VLMEvalKit's own scorer over prediction files. The Python of the kit's environment executes it: it imports
nothing of ours.

Standard input: {"files": [[dataset, path], …], "judge": {"model", "api_base", "nproc"}, "out": path}; the judge's key is in
OPENAI_API_KEY. It writes to `out` a list of {"scores": rows, "items": rows}, one a file: the rows of the kit's table of results
and of its detailed table.

A dataset is made without its `__init__`, which downloads the kit's table of the items: the scorers read the prediction file only.
"""

import json
import os
import sys


def main():
    from vlmeval.dataset.mmsafetybench import MMSafetyBenchDataset
    from vlmeval.dataset.siuo_gen import SIUOGenDataset
    from vlmeval.dataset.siuo_mcq import SIUOMCQDataset
    from vlmeval.dataset.xstest import XSTestDataset

    classes = {
        "XSTest": XSTestDataset,
        "MMSafetyBench": MMSafetyBenchDataset,
        "SIUO_GEN": SIUOGenDataset,
        "SIUO_MCQ": SIUOMCQDataset,
    }
    task = json.load(sys.stdin)
    found = [score(classes[dataset], path, task["judge"]) for dataset, path in task["files"]]
    with open(task["out"], "w", encoding="utf-8") as file:
        json.dump(found, file)


def score(kind, path, judge):
    from vlmeval.smp import load

    dataset = kind.__new__(kind)
    scores = dataset.evaluate(path, **judge)
    stem = os.path.splitext(path)[0]
    named = [f"{stem}_{judge['model']}_detailed.xlsx", f"{stem}_detailed.xlsx"]
    return {"scores": rows(scores), "items": rows(load(next(name for name in named if os.path.exists(name))))}


def rows(table):
    return json.loads(table.to_json(orient="records"))


if __name__ == "__main__":
    main()
