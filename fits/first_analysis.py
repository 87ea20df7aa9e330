# %% [markdown]
# # A first analysis
#
# From a recipe for events to a limit on the magnetic moment of the muon neutrino, and to what stands behind it. Run it
# in the folder that `spectrafit demo` made, or in a clone: as a script (`python fits/first_analysis.py`), or as a
# notebook (`jupytext --to ipynb fits/first_analysis.py`).

# %%
import matplotlib.pyplot as plt
import numpy as np

import spectrafit as sf

# %% [markdown]
# ## The events
#
# The sample set says which flux, how many electrons, and how the detector responds. Its recipes make nu-e events.

# %%
samples = sf.load_samples("samples/nova_nd_fhc.toml")
files = sf.generate(samples)
print(sf.inspect(files[0]))

# %% [markdown]
# ## The templates
#
# The analysis names regions, systematics and the coupling. One pass over the events fills a template for each power of
# kappa = mu^2, so that the fit needs no event.

# %%
analysis = sf.load("fits/nova_nd_fhc.toml")
print(analysis)
templates = sf.build(analysis)
model = sf.assemble(analysis, templates)

# %% [markdown]
# ## The fit
#
# Without data that are asked for, the fit is to the expectation itself (Asimov data): the best kappa is 0.

# %%
best = sf.fit(model)
print(best)

# %% [markdown]
# ## The limit
#
# The default is the one-sided profile limit. The curve is 2NLL above its minimum, all nuisances refitted.

# %%
limit = sf.upper_limit(model, level=0.90)
print(limit)
curve = sf.profile(model, "kappa", np.linspace(-2.0, 5.0, 29))
figure, axes = plt.subplots(figsize=(6, 4))
axes.plot(curve.grid, curve.delta_2nll)
axes.axhline(1.64, color="0.5", lw=0.8)
axes.set(xlabel=r"kappa = $\mu_\nu^2$  [$(10^{-9}\,\mu_B)^2$]", ylabel=r"$\Delta$ 2NLL")
_ = axes.text(-1.9, 1.75, "90 % one-sided", color="0.4")

# %% [markdown]
# ## What stands behind it
#
# How far each nuisance is constrained, with and without the noise of the simulation, and what each moves kappa by.

# %%
print(sf.constraints(model, templates))
for impact in sf.impacts(model)[:5]:
    print(impact)

# %% [markdown]
# ## What would the limit be if mu = 1.4e-9 mu_B?
#
# Fake data of a known truth: kappa = 2.

# %%
there = sf.assemble(analysis, templates, data=sf.Asimov({"kappa": 2.0}))
print(sf.fit(there))

# %% [markdown]
# ## The page
#
# One folder with a page, figures, tables and the numbers as JSON.

# %%
folder = sf.report("results/first_analysis", analysis, templates, best, limit)
print(folder)
