"""The analysis of nova_nd_fhc.toml as a script: run it where the TOML's `spectrafit fit` was run."""

import spectrafit as sf

analysis = sf.load("fits/nova_nd_fhc.toml")
templates = sf.build(analysis)
model = sf.assemble(analysis, templates)
best = sf.fit(model)
limit = sf.upper_limit(model, level=0.90)
print(best, limit, sep="\n")
sf.report("results/nova_nd_fhc", analysis, templates, best, limit)
