"""Killing an engine: `kill -9` at random moments while agents ask for grants, and what must be there afterwards.

A campaign knows of each call that it asked for what it was answered. What a kill left unanswered is asked again after
the restart, as an SDK does; then the engine must count exactly what the campaign was told, to the last digit.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from server import Policies

__all__ = ["Campaign", "Moment", "Outcome"]

AGENTS = 4
GRANTS_PER_S = 200
UNDER_LOAD_S = (0.1, 1.5)
# A token without a price counts at a thousandth of a dollar: money can be read off token counts.
POLICIES = (
    'version: 1\nunpriced_rate: 1000 USD\nceilings: [{name: "all", limit: "1000000000 USD", window: "30d"}]\n'
)
EACH_TOKEN = Decimal("0.001")
# No collector is there to be waited for, and segments are folded as often as it takes for kills to meet that. On Linux
# it ends with whoever started it, who may be killed too: 1 is PR_SET_PDEATHSIG.
OFTEN = (
    "import ctypes, signal, sys\n"
    "sys.platform != 'linux' or ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    "import policies.feed, policies.journal, cli.main\n"
    "policies.feed._START_WITHOUT_S = 0.0\n"
    "policies.journal.Journal.__init__.__kwdefaults__['segment_bytes'] = 16384\n"
    "cli.main.main()"
)


class Moment(StrEnum):
    """What the engine was doing when it was killed."""

    LOAD = "granting"
    START = "starting"


class Step(StrEnum):
    """How far a call has come, as far as its agent was told."""

    ASKED = "asked"
    GRANTED = "granted"
    SETTLING = "settling"
    SETTLED = "settled"
    RELEASING = "releasing"
    RELEASED = "released"


@dataclass(slots=True)
class Call:
    """One call of an agent: `held` is what its grant holds once that is known, `tokens` what it turns out to take."""

    id: str
    tokens: int
    step: Step = Step.ASKED
    held: Decimal = Decimal(0)


@dataclass(slots=True)
class Outcome:
    """What a campaign found. `wrong` says of each restart whose counters were not what the agents had been told."""

    kills: Counter[Moment] = field(default_factory=Counter)
    granted: int = 0
    wrong: list[str] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether no grant was lost, doubled or came back."""
        return not self.wrong

    def __str__(self) -> str:
        kills = ", ".join(f"{count} while {moment}" for moment, count in sorted(self.kills.items()))
        return "\n".join(
            [
                f"kills                 {self.kills.total()}: {kills}",
                f"grants given          {self.granted}",
                f"restarts with another counter than the agents' own  {len(self.wrong)}",
                *self.wrong,
                f"ready after           {statistics.median(self.ready_s):.1f} s median, "
                f"{max(self.ready_s):.1f} s at most, of {len(self.ready_s)} starts",
            ]
        )


class Campaign:
    """An engine on one folder that is killed and started again and again."""

    def __init__(self, data: Path, *, seed: int, note: Callable[[str], None] = lambda _: None) -> None:
        self._data = data
        self._random = Random(seed)
        self._note = note
        self._open: list[Call] = []
        self._spent = Decimal(0)
        self._asked = 0
        self._version = 0
        self.outcome = Outcome()
        data.mkdir(parents=True)
        self._file = data / "policies.yaml"
        self._file.write_text(POLICIES)

    def run(self, moments: Iterable[Moment]) -> Outcome:
        """Kill the engine at each of `moments` in turn; what was found."""
        for moment in moments:
            if moment is Moment.START:
                engine = self._begun()
                time.sleep(self._random.uniform(0, max(self.outcome.ready_s, default=1.0)))
            else:
                engine = self._checked()
                self._load(engine)
            engine.kill()
            self.outcome.kills[moment] += 1
            self._note(f"{self.outcome.kills.total()}: killed while {moment}; {self._asked} asked for")
        self._checked().stop()
        return self.outcome

    def _begun(self) -> Policies:
        return Policies(
            self._data, self._file, collector="http://127.0.0.1:9", program=(sys.executable, "-c", OFTEN)
        )

    def _checked(self) -> Policies:
        """An engine that is ready and counts what the agents were told; what they have open is then ended."""
        engine = self._begun()
        self.outcome.ready_s.append(engine.wait_ready())
        self._later(engine)
        agent = Agent(engine.url)
        with closing(agent):
            for call in self._open:
                agent.go_on(call)
            self._compare(engine)
            for call in self._open:
                if call.step is Step.GRANTED:
                    call.step = self._random.choice([Step.SETTLING, Step.RELEASING])
                    agent.go_on(call)
            self._compare(engine)
        self._spent += sum(call.tokens * EACH_TOKEN for call in self._open if call.step is Step.SETTLED)
        self._open = []
        return engine

    def _later(self, engine: Policies) -> None:
        """Its decisions have a higher version than those of the engine before."""
        scope = {"tenant": "acme", "workload": "w"}
        version = engine.http.get("/v1/decisions", params=scope).json()["version"]
        if version <= self._version:
            self.outcome.wrong.append(f"version {version} after {self._version}")
        self._version = version

    def _compare(self, engine: Policies) -> None:
        budget = engine.budget("all")
        found = Decimal(budget["held"]), Decimal(budget["spent"]), budget["calls_in_flight"]
        granted = [call for call in self._open if call.step is Step.GRANTED]
        held = sum((call.held for call in granted), Decimal(0))
        spent = sum(
            (call.tokens * EACH_TOKEN for call in self._open if call.step is Step.SETTLED), self._spent
        )
        if found != (held, spent, len(granted)):
            kills = self.outcome.kills.total()
            self.outcome.wrong.append(
                f"after kill {kills}: held, spent and in flight are {found}, not {(held, spent, len(granted))}"
            )

    def _load(self, engine: Policies) -> None:
        over = threading.Event()
        agents = [
            threading.Thread(target=self._work, args=(engine.url, seed, over))
            for seed in self._random.sample(range(1 << 30), AGENTS)
        ]
        for agent in agents:
            agent.start()
        time.sleep(self._random.uniform(*UNDER_LOAD_S))
        engine.process.kill()
        over.set()
        for agent in agents:
            agent.join()

    def _work(self, url: str, seed: int, over: threading.Event) -> None:
        """Ask, and settle or release two of three calls, until the engine is gone."""
        random = Random(seed)
        with closing(Agent(url)) as agent, suppress(OSError, http.client.HTTPException):
            for number in range(sys.maxsize):
                call = Call(f"call-{seed}-{number}", random.randrange(1, 500))
                self._open.append(call)
                self._asked += 1
                agent.go_on(call)
                self.outcome.granted += 1
                after = random.choice([Step.GRANTED, Step.SETTLING, Step.RELEASING])
                if after is not Step.GRANTED:
                    call.step = after
                    agent.go_on(call)
                if over.wait(AGENTS / GRANTS_PER_S):
                    break


class Agent:
    """Tells one engine of calls, over one connection."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)

    def go_on(self, call: Call) -> None:
        """Say again what an answer is missing to. Raises OSError or HTTPException where the engine is gone."""
        if call.step is Step.ASKED:
            scope = {"tenant": "acme", "workload": "w", "provider": "none", "model": "none"}
            asked = {"id": call.id, "input_bytes": 0, "max_output_tokens": call.tokens, "wait": 0, **scope}
            call.held = Decimal(self._post("/v1/grants", asked)["grant"]["amount"])
            call.step = Step.GRANTED
        elif call.step is Step.SETTLING:
            self._post(f"/v1/grants/{call.id}:1:settle", {"usage": {"output": call.tokens}})
            call.step = Step.SETTLED
        elif call.step is Step.RELEASING:
            self._post(f"/v1/grants/{call.id}:1:release", {})
            call.step = Step.RELEASED

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == http.client.OK, content
        found: dict[str, Any] = json.loads(content)
        return found
