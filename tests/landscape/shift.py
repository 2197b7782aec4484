#!/usr/bin/env python3
"""Worlds of the landscape generator with other shares of populations, other habits or more drift.

    shift.py FOLDER shares|habits|drift LEVEL SEED OUT

FOLDER holds the generator, `gen.py`. 50,000 hosts; what is written to OUT is what the generator writes. The weights of the
linkage are not fitted on such worlds: they show what it does where the ground is not the one it knows (docs/LINKAGE.md).
"""

import sys

HOSTS = 50_000
# A factor on how many there are: of the first and second kind of hosts without an operator that the generator adds (cloud
# machines, ordinary rented hosting), of all others without one, of content networks, and of benign fleets.
CLOUD, RENTED, OTHERS, CONTENT, BENIGN = 0.6, 1.5, 2.0, 1.5, 0.5


def other_shares(gen):
    """Half the benign fleets, fewer cloud machines, more rented hosting and content networks, twice all others of nobody."""
    add = gen.World.add

    def added(self, weight, operator, kind, *rest, **more):
        if operator and operator.startswith("cdn"):
            factor = CONTENT
        elif kind == "none":
            factor = (CLOUD, RENTED, OTHERS)[min(len(self.comps), 2)]
        else:
            factor = BENIGN if kind == "benign" else 1.0
        return add(self, weight * factor, operator, kind, *rest, **more)

    gen.World.add = added


def other_habits(level):
    """Fewer baked keys and own SSH setups, more own stacks and panels, fewer inherited traits, more prefixes."""
    level.update(clone=level["clone"] * 0.6, css=level["css"] * 0.7, stack=min(0.9, level["stack"] * 1.3),
                 panel=min(0.9, level["panel"] * 1.3), inherit=level["inherit"] * 0.8, pref=(1, 4))


def more_drift(level):
    """More drift, more customised hosts, more lost services."""
    level.update(drift=min(0.6, level["drift"] * 1.5 + 0.1), tenant=min(0.8, level["tenant"] * 1.2),
                 miss=min(0.35, level["miss"] * 1.5 + 0.02))


def main():
    """Writes one world."""
    if len(sys.argv) != 6 or sys.argv[2] not in ("shares", "habits", "drift"):
        sys.exit(__doc__.strip())
    folder, which, level, seed, out = sys.argv[1:]
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        import gen
    except ImportError:
        sys.exit(f"there is no generator `gen.py` in `{folder}`")
    if level not in gen.LEVELS:
        sys.exit(f"there is no level `{level}`: {', '.join(gen.LEVELS)}")
    if which == "shares":
        other_shares(gen)
    else:
        {"habits": other_habits, "drift": more_drift}[which](gen.LEVELS[level])
    gen.emit(gen.World(HOSTS, int(seed), level), out)


if __name__ == "__main__":
    main()
