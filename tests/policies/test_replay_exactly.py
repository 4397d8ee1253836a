"""The same things told to an engine in the same order leave the same log, to the byte, in whatever process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCENE = """
import sys
from pathlib import Path
from random import Random
from engines import Caller, engine
from policies.breaker import State
from policies.engine import BookedCall
from policies.model import Override, Who
from policies.transitions import TransitionLog
from switchgear.tier import Tier
from switchgear.usage import Usage
from decimal import Decimal

LADDER = "ladder: [{at: 30%, do: warn}, {at: 50%, do: throttle}, {at: 60%, do: queue}, {at: 80%, do: open}]"
caller = Caller(engine(f'''
  - {{name: minute, limit: 0.02 USD, window: 60s, cooldown: 5s, {LADDER}}}
  - {{name: each, limit: 0.01 USD, window: 5m, per: [tenant, model], {LADDER}}}
  - {{name: day, limit: 0.3 USD, window: {{calendar: day, zone: Europe/Berlin}}, {LADDER}}}
  - {{name: task, limit: 0.005 USD, per: task, ladder: [{{at: 30%, do: warn}}]}}
'''))
one, random, now, open_ = caller.engine, Random(9), 1_700_000_000.0, []
for step in range(1200):
    now += random.expovariate(2.0)
    tenant, task = random.choice(["acme", "zenith", "third"]), f"t{random.randrange(40)}"
    match random.randrange(8):
        case 0 | 1 | 2:
            tier = random.choice(["interactive", "batch", "background"])
            open_.append(caller.ask(now, tenant=tenant, task=task, tier=tier, output=random.randrange(1, 900)))
        case 3 | 4 if open_:
            ticket = open_.pop(random.randrange(len(open_)))
            if ticket.grant:
                one.settle(ticket.grant.lease, "m", Usage(output=random.randrange(900)), now)
        case 5:
            who = Who(tenant, "w", Tier.BATCH, task, "openai", random.choice(["m", "n"]))
            cost = Decimal(random.randrange(1000)) / 1_000_000
            one.booked([BookedCall(f"k{step}", who, None, cost, now - random.random(), None)], now)
        case 6 if step % 40 == 0:
            state = random.choice([State.DISABLED, State.FORCED_OPEN, None])
            one.by_hand.force({"each", "minute", "task"}, state, "ann", "a test", now + 20.0, now)
        case 7 if step % 50 == 0:
            one.by_hand.override(f"o{step}", Override("task", Decimal("0.01"), now + 30, "ann", "r"), now)
        case _:
            one.tick(now)
log = TransitionLog(Path(sys.argv[1]))
log.append(*one.outbox)
print(*sorted({line.after for line in one.outbox}))
"""


def test_the_same_events_leave_the_same_bytes(tmp_path: Path) -> None:
    logs = []
    for seed in ("1", "2"):
        path = tmp_path / seed
        support = Path(__file__).parents[1] / "support"
        places = os.pathsep.join([str(support), *filter(None, [os.environ.get("PYTHONPATH")])])
        ended = subprocess.run(
            [sys.executable, "-c", SCENE, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": places},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        moved = "closed disabled forced_open half_open open overridden throttled warned"
        assert set(moved.split()) <= set(ended.stdout.split())
        logs.append(path.read_bytes())
    assert logs[0] == logs[1]
