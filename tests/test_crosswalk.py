"""The crosswalk is complete, names policies of the catalogue only, and claims no more than it knows."""

from __future__ import annotations

import pytest

from rl_align.errors import UserError
from rl_align.policy import crosswalk
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Citation

SIZES = {
    "ailuminate": 15,
    "llama_guard": 14,
    "beavertails_v": 20,
    "mm_safetybench": 13,
    "figstep": 10,
    "siuo": 9,
    "vlguard": 9,
    "holisafe": 19,
    "jailbreakv_28k": 17,
    "mis": 9,
    "hades": 5,
    "or_bench": 10,
    "strong_reject": 6,
    "harmbench": 7,
    "msts": 5,
}


def test_every_category_of_a_taxonomy_has_its_line():
    assert {name: len(categories) for name, categories in crosswalk.taxonomies().items()} == SIZES


def test_beavertails_v_is_the_catalogue_itself():
    table = crosswalk.taxonomies()["beavertails_v"]
    assert {name: ids for name, ids in table.items()} == {policy: (policy,) for policy in Catalogue.load().ids}


@pytest.mark.parametrize("taxonomy", ["ailuminate", "llama_guard"])
def test_both_ways_agree(taxonomy):
    for policy in Catalogue.load().ids:
        for category in crosswalk.categories(taxonomy, policy):
            assert policy in crosswalk.policies(taxonomy, category)


def test_a_category_that_covers_several_policies_or_none_cites_none():
    assert crosswalk.policies("llama_guard", "s1") == ("violence_and_physical_harm", "terrorism_or_extremism")
    assert crosswalk.cited("llama_guard", "S1") == crosswalk.cited("siuo", "morality") == ()
    assert crosswalk.cited("siuo", "never heard of") == crosswalk.cited("siuo", None) == ()
    assert crosswalk.cited("siuo", "discrimination & stereotyping") == (Citation("discriminatory_depictions"),)


def test_names_of_one_policy_that_differ_between_files_agree():
    """JailBreakV-28K calls one policy "Child Abuse" and "Child Abuse Content"."""
    one, other = (crosswalk.policies("jailbreakv_28k", name) for name in ("Child Abuse", "Child Abuse Content"))
    assert one == other != ()
    assert crosswalk.policies("mis", "violent") == crosswalk.policies("mis", "Violence") != ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x: {source: 'https://e.org', categories: {a: [no_such_policy]}}", "unknown policy no_such_policy"),
        ("x: {categories: {a: []}}", "no source"),
        ("x: {source: 'https://e.org', categories: {a b: [], A_B: []}}", "occurs twice"),
    ],
)
def test_a_broken_file_is_an_error_with_its_place(tmp_path, monkeypatch, content, message):
    (tmp_path / "crosswalk.yaml").write_text(content)
    monkeypatch.setattr(crosswalk, "PATH", tmp_path / "crosswalk.yaml")
    crosswalk.taxonomies.cache_clear()
    with pytest.raises(UserError, match=message):
        crosswalk.taxonomies()
    monkeypatch.undo()
    crosswalk.taxonomies.cache_clear()
    assert crosswalk.taxonomies()
