"""Words of the field lead to what they mean, which the site itself has."""

from __future__ import annotations

import re

from modelworks.website._glossary import EXPLAINED, Explainer, glossary

TERM = re.compile(r'<a class="term" href="([^"#]+)#([^"]+)" title="([^"]+)">')


def entries() -> list[str]:
    return [each.id for section in glossary().values() for each in section]


def test_every_word_that_pages_explain_is_in_the_glossary_once() -> None:
    """Otherwise a link would lead nowhere, or one word would have two meanings."""
    names = [name.lower() for section in glossary().values() for each in section for name in each.names]
    assert len(names) == len(set(names))
    assert len(entries()) == len(set(entries())) >= 40
    assert {name.lower() for name in EXPLAINED} <= set(names)


def test_a_word_is_explained_where_it_is_first_said_and_never_inside_a_link() -> None:
    """A page of dotted lines would be read by nobody, and a link in a link is none."""
    explain = Explainer("/glossary")
    first = str(explain("Priors, a prior_width and the posterior-like: 95% intervals < effective draws"))
    assert [name for _, name, _ in TERM.findall(first)] == ["prior", "interval", "effective-sample-size"]
    assert "&lt;" in first
    assert "prior_width" in first
    assert explain("The prior again, with its ESS") == "The prior again, with its ESS"
