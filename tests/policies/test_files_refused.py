"""Bad policy files: what is no YAML, and what is wrong beside the ceilings, is refused with its place and a hint."""

from __future__ import annotations

from itertools import pairwise

import pytest
from policy_texts import VERSION

from policies.files import PolicyFileError, parse

# Ten lists, each of nine times the one before.
ALIASES = f"{VERSION}a: &a [x, x]\n" + "".join(
    f"{later}: &{later} [{', '.join([f'*{earlier}'] * 9)}]\n" for earlier, later in pairwise("abcdefghijkl")
)
LEVELS = f"{VERSION}tenants:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 200))

BAD_YAML = {
    "nothing": (
        "",
        'p.yaml:1:1: the file holds no mapping; it starts with "version: 1"',
    ),
    "a comment alone": (
        "# nothing\n",
        'p.yaml:1:1: the file holds no mapping; it starts with "version: 1"',
    ),
    "a list": (
        "- a\n",
        'p.yaml:1:1: the file holds no mapping; it starts with "version: 1"',
    ),
    "a word": (
        "policies\n",
        'p.yaml:1:1: the file holds no mapping; it starts with "version: 1"',
    ),
    "two documents": (
        "version: 1\n---\nversion: 1\n",
        'p.yaml:2:1: not YAML that can be used: a second document begins; a file holds one: leave out "---"',
    ),
    "an open bracket": (
        "version: 1\nceilings: [\n",
        "p.yaml:3:1: not YAML that can be used: did not find expected node content; look at the "
        "indentation, the brackets and the quotes, here and above",
    ),
    "an open quote": (
        'version: 1\ncurrency: "USD\n',
        "p.yaml:3:1: not YAML that can be used: found unexpected end of stream; look at the indentation, "
        "the brackets and the quotes, here and above",
    ),
    "a tab": (
        "version: 1\nceilings:\n\t- name: c\n",
        "p.yaml:3:1: not YAML that can be used: found character that cannot start any token; there is a "
        "tab: indent with blanks",
    ),
    "a colon in a word": (
        "version: 1\ncurrency: US: D\n",
        "p.yaml:2:13: not YAML that can be used: mapping values are not allowed in this context; put text"
        ' with ": " in it in quotes, or look at the indentation',
    ),
    "bad indentation": (
        "version: 1\nceilings:\n  - name: c\n   limit: 5 USD\n",
        "p.yaml:4:4: not YAML that can be used: did not find expected '-' indicator; look at the "
        "indentation, the brackets and the quotes, here and above",
    ),
    "a key twice": (
        "version: 1\nversion: 1\n",
        'p.yaml:2:1: not YAML that can be used: found duplicate key "version"; it stands in line 1 already',
    ),
    "a key twice in a ceiling": (
        VERSION + "ceilings:\n  - {name: c, limit: 5 USD, limit: 6 USD, window: 1h}\n",
        'p.yaml:3:29: not YAML that can be used: found duplicate key "limit"; it stands in line 3 already',
    ),
    "a NUL": (
        "version: 1\n\x00",
        "p.yaml:2:1: not YAML that can be used: the character U+0000 is not allowed; leave it out",
    ),
    "a control character": (
        "version: 1\ncurrency: U\x07SD\n",
        "p.yaml:2:12: not YAML that can be used: the character U+0007 is not allowed; leave it out",
    ),
    "half a surrogate pair": (
        "version: 1\n# \ud800\n",
        "p.yaml:2:3: not YAML that can be used: there is half a character; leave it out",
    ),
    "a tag": (
        "version: !!float w\n",
        "p.yaml:1:10: not YAML that can be used: the tag !!float has no meaning here; leave it out",
    ),
    "a tag that would make an object": (
        "version: 1\ntenants: !!python/object/apply:os.system [ls]\n",
        "p.yaml:2:10: not YAML that can be used: the tag !!python/object/apply:os.system has no meaning "
        "here; leave it out",
    ),
    "a thousand brackets": (
        "[" * 1000,
        "p.yaml:1:51: not YAML that can be used: lists and mappings stand more than 50 deep in each "
        "other; no setting does",
    ),
    "two hundred levels": (
        LEVELS,
        "p.yaml:52:51: not YAML that can be used: lists and mappings stand more than 50 deep in each "
        "other; no setting does",
    ),
    "aliases that double without end": (
        ALIASES,
        "p.yaml:9:8: not YAML that can be used: the file has more than 2,000,000 parts, aliases counted "
        "in full; split it",
    ),
    "an alias of nothing": (
        "version: 1\nceilings: [*c]\n",
        "p.yaml:2:12: not YAML that can be used: *c stands for nothing before it; write &c where it is first",
    ),
    "an alias of what it stands in": (
        "version: 1\nceilings: &c [*c]\n",
        "p.yaml:2:15: not YAML that can be used: *c stands for nothing before it; write &c where it is first",
    ),
    "a merge of a number": (
        "version: 1\nceilings:\n  - {<<: 5, name: c}\n",
        "p.yaml:3:10: not YAML that can be used: << takes in mappings, and this is none; write << with an"
        " alias of one",
    ),
    "a list as a key": (
        "version: 1\n[a]: 1\n",
        "p.yaml:2:1: not YAML that can be used: a list or mapping is no key; a key is a word, or a text "
        "in quotes",
    ),
    "a number of 5000 digits": (
        "version: " + "9" * 5000 + "\n",
        "p.yaml:1:10: not YAML that can be used: a number of 5000 digits is none that can be meant; write"
        " it in quotes, if it is text",
    ),
    "a day that there is not": (
        "version: 1\nplans: [{cost_centre: a, month: 2026-02-30, amount: 1 USD}]\n",
        "p.yaml:2:33: not YAML that can be used: there is no day or time 2026-02-30; look at each of its "
        "numbers",
    ),
}

BAD_FILE = {
    "no version": (
        "currency: USD\n",
        "p.yaml:1:1: version: is missing; write version: 1",
    ),
    "another version": (
        "version: 2\n",
        "p.yaml:1:10: version: 2 is not known; write 1",
    ),
    "the version as text": (
        "version: '1'\n",
        'p.yaml:1:10: version: "1" is not known; write 1',
    ),
    "a number as a setting": (
        "version: 1\n1: 2\n",
        "p.yaml:2:1: [1]: 1 is no setting; a setting is a word; there are: cache, capacity, ceilings, currency, "
        "overrides, plans, tenants, tiers, unpriced_rate, version",
    ),
    "a setting misspelt": (
        VERSION + "ceiling: []\n",
        'p.yaml:2:1: ceiling: no such setting here; did you mean "ceilings"?',
    ),
    "a setting that there is not": (
        VERSION + "budget: 5\n",
        "p.yaml:2:1: budget: no such setting here; there are: cache, capacity, ceilings, currency, overrides, "
        "plans, tenants, tiers, unpriced_rate, version",
    ),
    "a currency's name": (
        VERSION + "currency: dollars\n",
        'p.yaml:2:11: currency: "dollars" is no currency; write its code, such as USD',
    ),
    "a rate without a currency": (
        VERSION + "unpriced_rate: 60\n",
        'p.yaml:2:16: unpriced_rate: 60 has no currency; write "60 USD"',
    ),
    "a rate of nothing": (
        VERSION + "unpriced_rate: 0 USD\n",
        'p.yaml:2:16: unpriced_rate: "0 USD" is not above zero; write what may be spent, such as "40 USD"',
    ),
    "a rate in another currency": (
        VERSION + "unpriced_rate: 60 EUR\n",
        'p.yaml:2:16: unpriced_rate: "60 EUR" is not in the file\'s currency USD; write it in USD, or set '
        "currency: EUR",
    ),
    "a tier that weighs nothing": (
        VERSION + "tiers: {interactive: 0}\n",
        "p.yaml:2:22: tiers.interactive: 0 is no weight; write a number above 0 and up to 1000",
    ),
    "a tier misspelt": (
        VERSION + "tiers: {interactiv: 1}\n",
        'p.yaml:2:9: tiers.interactiv: no such setting here; did you mean "interactive"?',
    ),
    "a thirteenth month": (
        VERSION + 'plans: [{cost_centre: a, month: "2026-13", amount: 1 USD}]\n',
        'p.yaml:2:33: plans[0].month: "2026-13" is no month; write "2026-11"',
    ),
    "a plan in another currency": (
        VERSION + 'plans: [{cost_centre: a, month: "2026-12", amount: 1 EUR}]\n',
        'p.yaml:2:52: plans[0].amount: "1 EUR" is not in the file\'s currency USD; write it in USD, or set'
        " currency: EUR",
    ),
}

BAD_TENANTS_AND_WORKLOADS = {
    "tenants as a list": (
        VERSION + "tenants: [acme]\n",
        'p.yaml:2:10: tenants: a list is no mapping; write its entries below it, each "name: value"',
    ),
    "tenants left empty": (
        VERSION + "tenants:\nceilings: []\n",
        'p.yaml:2:9: tenants: nothing is no mapping; write its entries below it, each "name: value"',
    ),
    "a tenant left empty": (
        VERSION + "tenants: {acme: }\n",
        'p.yaml:2:17: tenants.acme: nothing is no mapping; write its settings below it, each "name: value"',
    ),
    "true as a tenant": (
        VERSION + "tenants: {true: {}}\n",
        "p.yaml:2:11: tenants[1]: true is no text as it stands; write a text, in quotes",
    ),
    "a number as a tenant": (
        VERSION + "tenants: {12: {}}\n",
        "p.yaml:2:11: tenants[12]: 12 is no text as it stands; write a text, in quotes",
    ),
    "a name of 300 characters": (
        VERSION + "tenants: {" + "x" * 300 + ": {}}\n",
        'p.yaml:2:11: tenants."xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...": '
        '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..." has 300 characters; write at most'
        " 128",
    ),
    "a name that ends with a blank": (
        VERSION + "tenants: {'acme ': {}}\n",
        'p.yaml:2:11: tenants."acme ": "acme " begins or ends with a blank; write "acme"',
    ),
    "an empty name": (
        VERSION + "tenants: {'': {}}\n",
        'p.yaml:2:11: tenants."": the text is empty; write at least one letter',
    ),
    "a name of two lines": (
        VERSION + 'tenants: {"a\\nb": {}}\n',
        'p.yaml:2:11: tenants."a\\nb": "a\\nb" has the unprintable character U+000A; leave it out',
    ),
    "a name that turns the direction of writing": (
        VERSION + 'tenants: {"a\\u202eb": {}}\n',
        'p.yaml:2:11: tenants."a\\u202eb": "a\\u202eb" has the unprintable character U+202E; leave it out',
    ),
    "a weight of 0": (
        VERSION + "tenants: {acme: {weight: 0}}\n",
        "p.yaml:2:26: tenants.acme.weight: 0 is no weight; write a number above 0 and up to 1000",
    ),
    "a weight that is no number": (
        VERSION + "tenants: {acme: {weight: .nan}}\n",
        "p.yaml:2:26: tenants.acme.weight: nan is no weight; write a number above 0 and up to 1000",
    ),
    "true as a weight": (
        VERSION + "tenants: {acme: {weight: true}}\n",
        "p.yaml:2:26: tenants.acme.weight: true is no weight; write a number above 0 and up to 1000",
    ),
    "a workload's setting misspelt": (
        VERSION + "tenants: {acme: {workloads: {w: {ower: x}}}}\n",
        'p.yaml:2:34: tenants.acme.workloads.w.ower: no such setting here; did you mean "owner"?',
    ),
    "a tier that is none": (
        VERSION + "tenants: {acme: {workloads: {w: {tier: batches}}}}\n",
        'p.yaml:2:40: tenants.acme.workloads.w.tier: "batches" is none of: interactive, batch, '
        'background; did you mean "batch"?',
    ),
    "support for something misspelt": (
        VERSION + "tenants: {acme: {workloads: {w: {degrade: [{from: a, to: b, supports: [tool]}]}}}}\n",
        'p.yaml:2:72: tenants.acme.workloads.w.degrade[0].supports[0]: "tool" is none of: tools, schema, '
        'thinking; did you mean "tools"?',
    ),
    "a stand-in for nothing": (
        VERSION + "tenants: {acme: {workloads: {w: {degrade: [{to: b}]}}}}\n",
        "p.yaml:2:44: tenants.acme.workloads.w.degrade[0].from: is missing; write from: gpt-4o",
    ),
    "a minimum below 0": (
        VERSION + "tenants: {acme: {workloads: {w: {degrade: [{from: a, to: b, min_output_tokens: -1}]}}}}\n",
        "p.yaml:2:80: tenants.acme.workloads.w.degrade[0].min_output_tokens: -1 is no whole number from 0"
        " to 1000000000000000; write one, such as 600",
    ),
}

BAD_CAPACITY = {
    "no requests at all": (
        VERSION + "capacity: [{provider: openai, requests_per_minute: 0}]\n",
        "p.yaml:2:52: capacity[0].requests_per_minute: 0 is no whole number from 1 to 1000000000000000; "
        "write one, such as 600",
    ),
    "half a token a minute": (
        VERSION + "capacity: [{provider: openai, tokens_per_minute: 1.5}]\n",
        "p.yaml:2:50: capacity[0].tokens_per_minute: 1.5 is no whole number from 1 to 1000000000000000; "
        "write one, such as 600",
    ),
    "true as a number": (
        VERSION + "capacity: [{provider: openai, tokens_per_minute: true}]\n",
        "p.yaml:2:50: capacity[0].tokens_per_minute: true is no whole number from 1 to 1000000000000000; "
        "write one, such as 600",
    ),
    "a number with a unit": (
        VERSION + "capacity: [{provider: openai, tokens_per_minute: 2M}]\n",
        'p.yaml:2:50: capacity[0].tokens_per_minute: "2M" is no whole number from 1 to 1000000000000000; '
        "write one, such as 600",
    ),
    "the same capacity twice": (
        VERSION + "capacity: [{provider: openai}, {provider: openai}]\n",
        "p.yaml:2:32: capacity[1]: capacity[0] is for the same provider, model and account; keep one of "
        "the two",
    ),
    "one capacity without its dash": (
        VERSION + "capacity: {provider: openai}\n",
        'p.yaml:2:11: capacity: a mapping is no list; write each entry below it, after "- "',
    ),
}

BAD = BAD_YAML | BAD_FILE | BAD_TENANTS_AND_WORKLOADS | BAD_CAPACITY


@pytest.mark.parametrize(("text", "lines"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_with_its_place_the_reason_and_what_to_write(text: str, lines: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        parse(text, name="p.yaml")
    assert str(refused.value) == lines
