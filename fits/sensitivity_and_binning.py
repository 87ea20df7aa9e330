# %% [markdown]
# # Sensitivity and binning
#
# What exposure, systematics and a lower threshold would buy, what limits the limit, and which bins are best. Run it in
# the folder that `spectrafit demo` made, or in a clone, after `spectrafit generate samples/nova_nd_fhc.toml`.

# %%
import matplotlib.pyplot as plt

import spectrafit as sf

analysis = sf.load("fits/nova_nd_fhc.toml")
templates = sf.build(analysis)
model = sf.assemble(analysis, templates)

# %% [markdown]
# ## More exposure
#
# A scan reads no event again: exposure and sizes of systematics are answered from the templates.

# %%
exposure = sf.scan(analysis, ["exposure=0.5:20:log6", "priors=0,1"], templates=templates)
print(exposure)
multiples, _ = exposure.values
values = [1e9 * limit.value if limit else float("nan") for limit in exposure.limits]
figure, axes = plt.subplots(figsize=(6, 4))
axes.plot(multiples, values[0::2], label="statistics alone")
axes.plot(multiples, values[1::2], label="with systematics")
axes.set(xscale="log", xlabel="exposure / 3.62e20 POT", ylabel=r"expected limit  [$10^{-9}\,\mu_B$]")
_ = axes.legend(frameon=False)

# %% [markdown]
# ## What limits the limit
#
# The expected limit with each group of systematics frozen and with each alone.

# %%
print(sf.breakdown(model, groups="group"))

# %% [markdown]
# ## A lower threshold
#
# The magnetic moment's cross section rises as 1/T, so the lowest bins matter.

# %%
print(sf.scan(analysis, ["regions.nd.axes.t_reco.low=0.15,0.35,0.6"], templates=templates))

# %% [markdown]
# ## Which bins
#
# A finer grid is filled once, in two halves of the simulation: edges are chosen on one and judged on the other.

# %%
cells = sf.fine_cells(analysis, fine=2)
mine = {"coarse": {"nd": {"t_reco": [0.15, 0.35, 0.8, 1.7, 5.0]}}}
print(sf.compare_binnings(analysis, cells, mine, rules=sf.Rules(bins=12)))
