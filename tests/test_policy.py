"""The catalogue of policies and the citations found in texts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.policy.citations import MAX_RULES, find_citations, locate_citations
from rl_align.schema import Action, Citation

CATALOGUE = Catalogue.load()
VIOLENCE, PRIVACY = "violence_and_physical_harm", "privacy_invasion_and_surveillance"

BEAVERTAILS_V = """animal_abuse dangerous_behavior deception_in_personal_relationships discriminatory_depictions
environmental_damage false_information financial_and_academic_fraud hacking_or_digital_crime harmful_health_content
horror_and_gore identity_misuse_and_impersonation insulting_and_harassing_behavior pornographic_content
privacy_invasion_and_surveillance psychological_harm_and_manipulation psychological_horror_and_dark_themes
sensitive_information_in_key_areas sexual_crimes terrorism_or_extremism violence_and_physical_harm""".split()


def cite(text: str) -> list[tuple[str, int | None]]:
    return [(c.policy, c.rule) for c in find_citations(text, CATALOGUE)]


def test_catalogue_has_the_twenty_policies() -> None:
    assert sorted(CATALOGUE.ids) == BEAVERTAILS_V
    assert all(3 <= len(p.rules) <= 6 for p in CATALOGUE.policies)
    assert all(p.objective.endswith(".") and all(r.text.endswith(".") for r in p.rules) for p in CATALOGUE.policies)


def test_first_three_rules_refuse_educate_redirect_and_every_action_occurs() -> None:
    for policy in CATALOGUE.policies:
        assert [r.action for r in policy.rules[:3]] == [Action.REFUSE, Action.EDUCATE, Action.REDIRECT], policy.id
    assert {r.action for p in CATALOGUE.policies for r in p.rules} == set(Action)


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("sexual_crime", "sexual_crimes"),
        ("copyright_infringement", "identity_misuse_and_impersonation"),
        ("Violence and Physical Harm", VIOLENCE),
        ("  **violence-and-physical-harm**: ", VIOLENCE),
        ("`Violence & Physical_Harm`", VIOLENCE),
        ("“PRIVACY INVASION AND SURVEILLANCE”", PRIVACY),
        ("dangerous behaviour", "dangerous_behavior"),
    ],
)
def test_resolve_accepts_usual_spellings(name: str, id: str) -> None:
    policy = CATALOGUE.resolve(name)
    assert policy is not None and policy.id == id


@pytest.mark.parametrize("name", ["", "violence", "food_and_drink", "sexual_crimess", "x" * 10_000, "\ud800"])
def test_resolve_knows_nothing_else(name: str) -> None:
    assert CATALOGUE.resolve(name) is None


def test_rule_of_a_citation() -> None:
    assert CATALOGUE.rule(Citation("sexual_crime", 1)).action is Action.REFUSE
    assert CATALOGUE.rule(Citation(VIOLENCE, 99)) is None
    assert CATALOGUE.rule(Citation(VIOLENCE)) is None
    assert CATALOGUE.rule(Citation("food_and_drink", 1, known=False)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{VIOLENCE} (Rule 1)", [(VIOLENCE, 1)]),
        (f"It violates {VIOLENCE}.", [(VIOLENCE, None)]),
        (f"{VIOLENCE} (Rules 1 and 3)", [(VIOLENCE, 1), (VIOLENCE, 3)]),
        (f"{VIOLENCE}, Rule 1, 2", [(VIOLENCE, 1), (VIOLENCE, 2)]),
        (f"{VIOLENCE} (rules 2-4)", [(VIOLENCE, 2), (VIOLENCE, 3), (VIOLENCE, 4)]),
        (f"{VIOLENCE} (Rule 1: decline; Rule 2: explain)", [(VIOLENCE, 1), (VIOLENCE, 2)]),
        (f"{VIOLENCE} applies. Rule 3 asks to redirect.", [(VIOLENCE, 3)]),
        (f"Rule 2 of the {VIOLENCE} policy", [(VIOLENCE, 2)]),
        (f"{PRIVACY} (Rule 1) and Rule 2 of {VIOLENCE}", [(PRIVACY, 1), (VIOLENCE, 2)]),
        (f"{PRIVACY} and {VIOLENCE} (Rule 1)", [(PRIVACY, None), (VIOLENCE, 1)]),
        (f"The **{VIOLENCE}** policy, specifically **Rule 1** and **Rule 3**", [(VIOLENCE, 1), (VIOLENCE, 3)]),
        ("Violence and Physical Harm (Rule 1)", [(VIOLENCE, 1)]),
        ('the category "Privacy Invasion and Surveillance" is at stake', [(PRIVACY, None)]),
        ("sexual_crime (Rule 1), sexual_crimes (Rule 1)", [("sexual_crimes", 1)]),
        (f"{VIOLENCE} is at stake: {VIOLENCE} (Rule 1)", [(VIOLENCE, 1)]),
        (f"{VIOLENCE} (Rule 99)", [(VIOLENCE, 99)]),
        (f"{VIOLENCE.upper()} (RULE 1)", [(VIOLENCE, 1)]),
        ("", []),
        ("No policy is violated.", []),
        ("There is no sign of violence and physical harm, and no false information.", []),
        ("a well-known look-alike of a file_name in a snake_case word", []),
        ("Rule 1 of thumb", []),
        (f"This does not violate {VIOLENCE}.", []),
        (f"None of the rules of `{VIOLENCE}` apply.", []),
        (f"It isn't a case of {PRIVACY} but violates {VIOLENCE} (Rule 1).", [(VIOLENCE, 1)]),
    ],
)
def test_citations_found(text: str, expected: list[tuple[str, int | None]]) -> None:
    assert cite(text) == expected
    assert all(c.known for c in find_citations(text, CATALOGUE))
    located = {citation for place in locate_citations(text, CATALOGUE) for citation in place.citations}
    named = {
        citation for citation in located if citation.rule is None and any(c.policy == citation.policy for c in located - {citation})
    }
    assert located - named == set(find_citations(text, CATALOGUE))


def test_citations_are_located_where_they_stand() -> None:
    text = f"It violates {PRIVACY} (Rule 2) and, as Rules 1 and 9 say, no other. Rule 3 of **{VIOLENCE}**."
    places = locate_citations(text, CATALOGUE)
    told = [(text[p.start : p.end], [(c.policy, c.rule) for c in p.citations]) for p in places]
    assert told == [
        (PRIVACY, [(PRIVACY, 2), (PRIVACY, 1), (PRIVACY, 9)]),
        ("Rule 2", [(PRIVACY, 2)]),
        ("Rules 1 and 9", [(PRIVACY, 1), (PRIVACY, 9)]),
        ("Rule 3", [(VIOLENCE, 3)]),
        (VIOLENCE, [(VIOLENCE, 3)]),
    ]
    assert locate_citations(f"This does not violate {VIOLENCE}.", CATALOGUE) == ()


@pytest.mark.parametrize(
    "text",
    ["food_and_drink (Rule 1)", "violates food_and_drink", "`food_and_drink`", "the policy food_and_drink"],
)
def test_invented_name_in_citation_position_is_an_unknown_citation(text: str) -> None:
    (citation,) = find_citations(text, CATALOGUE)
    assert citation.policy == "food_and_drink" and not citation.known


def test_rule_lists_are_bounded() -> None:
    assert len(cite(f"{VIOLENCE} (rules 1-999)")) == MAX_RULES


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(CATALOGUE.ids), st.integers(1, 9)), max_size=6, unique=True))
def test_rendered_citations_come_back(pairs: list[tuple[str, int]]) -> None:
    text = "; ".join(str(Citation(policy, rule)) for policy, rule in pairs)
    assert cite(text) == list(dict.fromkeys(pairs))


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_read(text: str) -> None:
    whole = f"{text} {VIOLENCE} (Rule 1) {text}"
    for citation in find_citations(whole, CATALOGUE):
        assert citation.policy
    assert all(0 <= place.start < place.end <= len(whole) for place in locate_citations(whole, CATALOGUE))


@pytest.mark.parametrize("unit", ["a_", "a-b ", '"a ', "rule 1, ", f"{VIOLENCE} ", "(Rule 1 ", " ", "*", "not of "])
def test_time_is_linear_in_the_text(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            find_citations(text, CATALOGUE)
            best = min(best, time.process_time() - started)
        return best

    assert seconds(80_000) < 40 * max(seconds(8_000), 1e-4)


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("version: 1\npolicies: [{id: a, title: A", "not YAML"),
        ("version: 1\npolicies: []", "no policies"),
        ("version: 2\npolicies: [{}]", "version 2"),
        ("version: 1\npolicies: [{id: a, title: A, rules: []}]", r"policies\[0\]: missing key objective"),
        (
            "version: 1\npolicies: [{id: a, title: A, objective: o, rules: [{action: dance, text: t}]}]",
            r"policies\[0\].rules\[0\]: unknown action 'dance'; expected one of refuse",
        ),
        (
            "version: 1\npolicies:\n- &p {id: a, title: A, objective: o, rules: [{action: refuse, text: t}]}\n- *p",
            "taken by a",
        ),
    ],
)
def test_a_broken_catalogue_is_one_clear_error(tmp_path: Path, yaml: str, said: str) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(yaml)
    with pytest.raises(UserError, match=said) as error:
        Catalogue.load(str(path))
    assert "policies.yaml" in str(error.value)


def test_a_missing_catalogue_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        Catalogue.load(str(tmp_path / "none.yaml"))
