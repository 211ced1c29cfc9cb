"""Who may come in, and what they may do: people and roles, sessions, tokens, one-time links, and the trail they leave.

`people.py` is what is known of people, `visits.py` what a route asks of who comes: `person` and `needs("modeller")`;
`deeds.py` keeps what was begun until it stands in the trail; `oidc.py` is the provider that says who somebody is,
`identities.py` who that is here.
"""
