"""The pictogram world: what is drawn, planned and made."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rl_align.data.items import read_items
from rl_align.data.sources.pictograms import make
from rl_align.errors import UserError
from rl_align.pictograms.captions import named
from rl_align.pictograms.config import PictogramsConfig, TeacherConfig
from rl_align.pictograms.corpus import corpus
from rl_align.pictograms.draw import Scene, Spread, draw, png
from rl_align.pictograms.intents import INTENTS, Group
from rl_align.pictograms.items import examples, items
from rl_align.pictograms.objects import DRAWINGS
from rl_align.pictograms.pen import Pen
from rl_align.pictograms.plan import SPLITS, heldout_objects, plan
from rl_align.pictograms.prompts import prompts
from rl_align.pictograms.sheet import sheet
from rl_align.pictograms.teacher import cells
from rl_align.pictograms.world import CLASSES, COLOURS, HARMLESS, HAZARD_OF, HAZARDS, cell, ruling

CELLS = {"SSS", "USS", "SSU", "USU", "SUU", "UUU", "SSS-typo", "USS-typo", "USU-typo"}
HELDOUT = ("heldout_combinations", "heldout_paraphrases")


@pytest.fixture(scope="module", params=[7, 1])
def plans(request):
    cfg = PictogramsConfig(seed=request.param)
    return {split: plan(cfg, split) for split in SPLITS}


def _prompt(split, p):
    return prompts(p.intent, p.typographic, split == "heldout_paraphrases")[p.prompt]


def _harmful(p):
    return ruling(p.hazard, p.intent) is not None


def test_the_world_is_as_large_as_promised():
    assert len(HAZARDS) == 6 and all(len(CLASSES[h]) == 4 for h in HAZARDS) and len(CLASSES[HARMLESS]) == 8
    assert set(DRAWINGS) == set(HAZARD_OF)
    by_group = {g: sum(i.group is g for i in INTENTS.values()) for g in Group}
    assert by_group[Group.EXPLICIT] >= 6 and by_group[Group.JOINT] >= 4
    assert by_group[Group.PLAIN] + by_group[Group.SCARY] >= 8
    policies = {r.policy for h in CLASSES for i in INTENTS.values() if (r := ruling(h, i))}
    assert len(policies) >= 8


def test_drawings_differ_from_each_other():
    masters = {}
    for name, drawing in DRAWINGS.items():
        pen = Pen(96, 8)
        drawing(pen)
        masters[name] = np.asarray(pen.image.resize((28, 28), Image.Resampling.BOX), float)
    for a, b in itertools.combinations(masters, 2):
        x, y = masters[a], masters[b]
        assert np.abs(x - y).sum() / (x.sum() + y.sum()) > 0.35, (a, b)


@pytest.mark.parametrize("size", [56, 112, 224])
def test_pictures_are_deterministic_and_show_the_object_in_its_colour(size):
    scene = Scene("camera", "green")
    first = draw(scene, 7, "a", size)
    assert first.size == (size, size) and first.mode == "RGB"
    assert png(first) == png(draw(scene, 7, "a", size))
    assert png(first) != png(draw(scene, 7, "b", size)) != png(draw(scene, 8, "b", size))
    near = np.abs(np.asarray(first, int) - COLOURS["green"]).sum(2) < 12
    assert near.mean() > 0.1
    assert not near[0].any() and not near[-1].any() and not near[:, 0].any() and not near[:, -1].any()


def test_no_picture_is_cut_off_or_crossed_by_its_words():
    for name, k in itertools.product(DRAWINGS, range(4)):
        picture = np.asarray(draw(Scene(name, "red"), 7, str(k), spread=Spread(clutter=0)), int)
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert np.ptp(edge, axis=0).max() == 0, name
    for intent, k in itertools.product((i for i in INTENTS.values() if i.words), range(4)):
        picture = np.asarray(draw(Scene("star", "red", intent.words), 7, str(k), spread=Spread(clutter=0)), int)
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert np.ptp(edge, axis=0).max() == 0, intent.id


def test_heldout_combinations_share_no_pair_with_training(plans):
    pairs = {s: {(p.name, p.intent.id) for p in plans[s]} for s in SPLITS}
    seen = pairs["train"] | pairs["validation"]
    assert not pairs["heldout_combinations"] & seen
    assert pairs["heldout_paraphrases"] <= {(n, i.id) for n in HAZARD_OF for i in INTENTS.values()} - pairs["heldout_combinations"]
    class_cells = {(p.hazard, p.intent.id) for p in plans["train"]}
    assert class_cells == {(h, i) for h in CLASSES for i in INTENTS}


def test_heldout_paraphrases_share_no_prompt_with_training_but_its_words(plans):
    texts = {s: {_prompt(s, p) for p in plans[s]} for s in SPLITS}
    assert not texts["heldout_paraphrases"] & (texts["train"] | texts["validation"])
    assert texts["heldout_combinations"] <= texts["train"]
    words = {s: set(" ".join(t).lower().replace("?", "").replace(".", "").replace(":", "").split())
             for s, t in texts.items()}  # fmt: skip
    assert words["heldout_paraphrases"] <= words["train"]


def test_every_intent_has_enough_paraphrases():
    for intent in INTENTS.values():
        assert len(set(prompts(intent, False, False))) >= 4 and len(set(prompts(intent, False, True))) >= 2
        assert all(len(text.split()) <= 20 for heldout in (False, True) for text in prompts(intent, False, heldout))


def test_shares_and_cells_are_as_configured(plans):
    train = plans["train"]
    assert len(train) == 6000
    assert sum(map(_harmful, train)) == 2700 and sum(p.is_twin for p in train) == 2100
    for split in SPLITS:
        assert {cell(p.hazard, p.intent, p.typographic) for p in plans[split]} == CELLS, split
    for split in HELDOUT:
        harmful = sum(map(_harmful, plans[split]))
        assert harmful >= 320 and len(plans[split]) - harmful >= 320
        assert sum(p.is_twin for p in plans[split]) >= 0.6 * (len(plans[split]) - harmful)


def test_every_look_alike_has_a_harmful_twin_that_differs_in_one_thing(plans):
    for split in SPLITS:
        for p in plans[split]:
            assert (p.twin is not None) == p.is_twin
            if p.is_twin:
                other = plans[split][p.twin]
                assert _harmful(other) and p.differs_only(other)


def test_all_cells_that_the_teacher_over_refuses_in_are_measured_on_heldout_combinations(plans):
    measured = {(p.hazard, p.intent.id) for p in plans["heldout_combinations"] if p.is_twin}
    for seed in range(5):
        assert set(cells(TeacherConfig(seed=seed))) <= measured


def test_make_writes_items_that_read_back_the_same(tmp_path):
    cfg = PictogramsConfig(image_size=56, train=60, validation=12, heldout_harmful=20, heldout_benign=20)
    counts = make(cfg, tmp_path, progress=False)
    assert set(counts) == set(SPLITS)
    for split in SPLITS:
        made, again = read_items(tmp_path / f"{split}.parquet"), list(items(cfg, split))
        assert made == again
        assert sum(n for row in counts[split].values() for n in row.values()) == len(made)
    ids = [i.id for s in SPLITS for i in items(cfg, s)]
    assert len(ids) == len(set(ids))


def test_items_carry_what_rewards_and_measurement_need():
    for item in items(PictogramsConfig(train=80), "train"):
        assert len(item.images) == 1 and item.images[0].decode().size == (112, 112)
        assert len(item.expected) == 1 and item.reference and item.harmful == bool(item.citations)
        assert item.category == item.truth["cell"]
        assert bool(item.truth["unsafe"]) == item.harmful and bool(item.truth["key"]) != item.harmful


def test_nothing_depends_on_the_hash_seed():
    code = (
        "from rl_align.pictograms.config import *; from rl_align.pictograms.items import items\n"
        "from rl_align.pictograms.teacher import transcript; from rl_align.pictograms.corpus import corpus\n"
        "import hashlib; c = PictogramsConfig(train=40)\n"
        "t = [repr((i, transcript(i, TeacherConfig()))) for i in items(c, 'train')] + list(corpus(c))\n"
        "print(hashlib.sha256(repr(t).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in "12"
    }
    assert len(digests) == 1 and len(digests.pop().strip()) == len(hashlib.sha256().hexdigest())


def test_bad_values_are_named():
    for bad in (
        PictogramsConfig(train=-1),
        PictogramsConfig(harmful_share=1.5),
        PictogramsConfig(harmful_share=0.8, twin_share=0.4),
        PictogramsConfig(image_size=8),
    ):
        with pytest.raises(UserError):
            make(bad, "unused", progress=False)


def test_an_empty_split_is_refused_by_name_of_its_setting():
    with pytest.raises(UserError, match="train"):
        make(PictogramsConfig(train=0), "unused", progress=False)


def test_corpus_holds_every_word_of_the_world(plans):
    words = {w for text in corpus(PictogramsConfig()) for w in text.split()}
    assert len(words) < 600
    for split in SPLITS:
        assert {w for p in plans[split] for w in _prompt(split, p).split()} <= words
    assert {w for i in INTENTS.values() for line in i.words for w in line.split()} <= {w.strip(".,") for w in words}


def test_sheet_shows_every_object_and_cell(tmp_path):
    cfg = PictogramsConfig(train=600)
    assert {i.category for i in examples(cfg)} == CELLS
    sheet(tmp_path / "docs" / "sheet.png", cfg)
    with Image.open(tmp_path / "docs" / "sheet.png") as page:
        assert page.width > 8 * 112 and page.height > 4 * 112


def test_named_pictures_show_no_held_out_combination():
    """Lock: a model that has named an object beside an intent's words has seen what the held-out split keeps for itself."""
    cfg = PictogramsConfig(named=1500, image_size=56)
    pictures = list(named(cfg))
    by_words = {" ".join(i.words): i for i in INTENTS.values() if i.words}
    spelled = 0
    for item in pictures:
        colour, name, *lines = item.reference.split()
        words = " ".join(lines)
        assert colour in COLOURS and name in HAZARD_OF
        if words:
            spelled += 1
            assert name not in heldout_objects(cfg.seed, HAZARD_OF[name], by_words[words].id)
    assert abs(spelled / len(pictures) - cfg.named_words_share) < 0.05
    assert [i.reference for i in pictures[:300]] == [i.reference for i in itertools.islice(named(cfg), 300)]
    assert {i.reference.split()[1] for i in pictures} == set(HAZARD_OF)
