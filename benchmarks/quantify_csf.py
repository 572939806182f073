"""A virtual voxel of constant tissue concentration with more and more CSF: what is recovered.

Each tissue's water and metabolite signals are summed as the scanner would see them; tissue water holds 10 mmol/kg. The
right column is the mistake of dividing by one minus the volume fraction. Run: python benchmarks/quantify_csf.py
"""

from __future__ import annotations

import argparse
import math

from snakemrs.quantify.concentration import Timing
from snakemrs.quantify.propagation import Conditions
from snakemrs.study.relaxation import load_constants


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--te", type=float, default=0.030)
    parser.add_argument("--tr", type=float, default=2.0)
    arguments = parser.parse_args()
    known, te, tr = load_constants(3.0), arguments.te, arguments.tr
    metabolite = known.times("Glu")
    print("| CSF | molality recovered (10 put in) | error | with the volume fraction |")
    print("|---|---|---|---|")
    for percent in range(0, 45, 5):
        csf = percent / 100
        fractions = {"gm": 0.6 * (1 - csf), "wm": 0.4 * (1 - csf), "csf": csf}
        water = metabolites = 0.0
        for tissue, fraction in fractions.items():
            moles = fraction * known.content[tissue] * known.molal_pure
            left = (1 - math.exp(-tr / known.water.t1[tissue])) * math.exp(-te / known.water.t2[tissue])
            water += moles * left
            if tissue != "csf":
                kilograms = fraction * known.content[tissue]
                metabolites += 0.010 * kilograms * (1 - math.exp(-tr / metabolite.t1)) * math.exp(-te / metabolite.t2)
        conditions = Conditions(Timing(te, tr, te, tr), fractions, known)
        found = metabolites / water * conditions.factor("Glu", "molal")
        share = fractions["csf"] * known.content["csf"]
        share /= sum(f * known.content[t] for t, f in fractions.items())
        wrong = found * (1 - share) / (1 - csf)
        print(f"| {csf:.2f} | {found:.4f} | {10 * (found - 10):+.3f} % | {10 * (wrong - 10):+.1f} % |")


if __name__ == "__main__":
    main()
