"""Signs: what a text asks for or limits itself to, by the phrases that say so.

Each is looked for in the text's words, in small letters, with one space between and around them; a value stands there
as its kind in brackets, `[number]`. Two texts of one meaning have the same ones, as far as they say them at all: a
count is no list, "before" is not "since".
"""

from __future__ import annotations

import re

__all__ = ["CONFLICTS", "SIGNS", "STRICT"]

_AMOUNT = r"(?:the |a |an )?\[(?:number|share|currency|duration)\]"
_TIME = r"(?:the |its |their )?(?:start |end |beginning |close |first |last )?(?:of )?\[(?:date|month|quarter|time|weekday|number)\]"

SIGNS = {
    sign: re.compile(pattern)
    for sign, pattern in {
        # What is asked for.
        "count": r" (?:how many|count|counts|counted|counting|number of|tally|headcount|quantity of|numbers of) ",
        "average": r" (?:average|averages|averaged|mean|on average|typical|typically) ",
        "median": r" (?:median|p50) ",
        "total": r" (?:total|totals|totalled|sum|summed|altogether|combined|overall amount|add up|adds up|aggregate|cumulative|in all) ",
        "share": r" (?:percentage|proportion|share of|fraction|what percent|what share|ratio) ",
        "why": r" (?:why|reason|reasons|cause|causes|caused|root cause|explanation for|what led|led to|what made|behind) ",
        "when": r" (?:when|what time|which day|what day|what date|on which date|which date|how soon) (?!\[)",
        "who": r" (?:who|whom|which person|whose|name of the person) ",
        "where": r" (?:where|in which (?:city|country|place)|whereabouts|location of) ",
        "how": r" (?:how (?:do|does|can|to|should|would|is|are)|steps|procedure|instructions|way to|walk me through|guide) ",
        "how long": r" (?:how long|duration|how much time|how many (?:days|hours|minutes|weeks|months)) ",
        "how often": r" (?:how often|how frequently|frequency) ",
        "cost": r" (?:price of|how much does|how much do|what does .{1,40} cost|fee|fees|charge for) ",
        "whether": r" (?:whether|is it|is there|are there|does|did|is the|are the|check if|can i|yes or no|true or false) ",
        # To what it is limited.
        "at least": r" (?:at least|no less than|no fewer than|minimum of|or more|or above|or higher) ",
        "at most": r" (?:at most|no more than|up to \[|maximum of|or less|or fewer|or below) ",
        "above": rf" (?:above|over|exceeding|exceeds|exceed|exceeded|beyond|greater than|higher than|larger than|bigger than|more than|in excess of|older than|longer than) {_AMOUNT}",
        "below": rf" (?:below|under|beneath|less than|lower than|smaller than|fewer than|cheaper than|younger than|shorter than|short of) {_AMOUNT}",
        "before": rf" (?:before|prior to|earlier than|preceding|ahead of) {_TIME}",
        "after": rf" (?:after|later than|following|subsequent to|past) {_TIME}",
        "until": rf" (?:until|till|through|up to|ending(?: on| in)?|lapses?(?: on| in)?|expires?(?: on| in)?) {_TIME}",
        "by": r" (?:by|no later than|not later than|at the latest) (?:the )?(?:end of )?\[(?:date|month|quarter|weekday|time)\]",
        "since": rf" (?:since|starting(?: on| from| in)?|beginning(?: on| in)?|effective|from {_TIME} (?:on|onward|onwards)) ",
        "only": r" (?:only|solely|exclusively|nothing but|just the|limited to|restricted to|alone) ",
        "some": r" (?:at least one|one or more|a single|even one) ",
        "all": r" (?:all|every|each|everything|everyone|entire|whole|complete|always) ",
        "none": r" (?:none|no one|nobody|not a single|zero|not any|not one) ",
        "both": r" (?:both|and also|as well as) ",
        "either": r" (?:either|or) ",
        "must": r" (?:must|required|mandatory|obliged|obligatory|compulsory|has to|have to|requirement|requirements|obligation) ",
        "may": r" (?:may|allowed|permitted|optional|permissible|voluntary|might|permission|entitled) ",
        "per": r" (?:per|by|for each|for every|broken down by|grouped by|split by|breakdown by|each) (?!\[)",
        "without": r" (?:without|excluding|except|exclude|excludes|excluded|omit|omitting|leave out|leaving out|apart from|other than|but not|ignoring|ignore|not counting|disregarding|minus) ",
        "including": r" (?:including|include|includes|included|plus|together with|counting|also count) ",
        "latest": r" (?:latest|newest|most recent|last|most recently) ",
        "oldest": r" (?:oldest|earliest|first|longest ago) ",
        "next": r" (?:next|upcoming|coming|following) (?!\[)",
        "previous": r" (?:previous|prior|past|last|former|preceding) (?!\[)",
        "today": r" (?:today|today's|current day|this day) ",
        "yesterday": r" (?:yesterday|the day before) ",
        "tomorrow": r" (?:tomorrow|the day after) ",
        "not yet": r" (?:not yet|yet to|still) ",
        "shorter": r" (?:short|shorter|brief|briefly|one sentence|one line|concise|in a sentence|tl dr|in one) ",
        "detailed": r" (?:detailed|in detail|thorough|comprehensive|at length) ",
        "difference": r" (?:difference|differences|differ|versus|vs|compare|comparison|change between|gap between) ",
        "rank": r" (?:top|best|highest|largest|biggest|ranked|leading) ",
        "rank low": r" (?:bottom|worst|lowest|smallest|fewest|weakest) ",
    }.items()
}  # fmt: skip

# Signs that a reworded text has, too: without it, it says something else.
STRICT = frozenset(
    {"at least", "at most", "above", "below", "before", "after", "without", "median", "average",
     "yesterday", "tomorrow", "none"}
)  # fmt: skip
# Of two signs in one row, a text that has one and one that has the other say different things.
CONFLICTS = (
    frozenset({"count", "average", "median", "total", "share", "why", "when", "who", "where", "how long", "how often"}),
    frozenset({"some", "all", "none"}), frozenset({"must", "may"}), frozenset({"before", "after", "since", "until", "by"}),
    frozenset({"above", "below", "at least", "at most"}), frozenset({"without", "including", "only"}),
    frozenset({"latest", "oldest"}), frozenset({"next", "previous"}), frozenset({"today", "yesterday", "tomorrow"}),
    frozenset({"rank", "rank low"}), frozenset({"shorter", "detailed"}), frozenset({"both", "either"}),
)  # fmt: skip
