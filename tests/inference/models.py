"""Models made by hand, for tests of the inference room."""

from __future__ import annotations

import numpy as np

from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance

KAPPA = Parameter(name="kappa", kind="interest", constraint="free")


def counting(n=25.0, b=23.78, sigma=0.109, *, kind="linear", statistic="poisson", asimov=False):
    parameters, factors = [KAPPA], ()
    if sigma:
        parameters.append(Parameter(name="b", group="background"))
        factors = (Factor(parameter="b", kind=kind, values=(sigma,)),)
    return Model(
        parameters=tuple(parameters),
        components=(
            Component(sample="background", nominal=[b], factors=factors),
            Component(sample="signal", monomial=(("kappa", 1),), nominal=[1.0], factors=(Factor(parameter="kappa"),)),
        ),
        regions=(Span(name="window", start=0, stop=1),),
        data=[n],
        asimov=asimov,
        statistic=statistic,
    )


def spectrum(bins=20, *, shapes=3, mc=0.02, statistic="poisson", interpolation="code4p", scale=1.0, signal=12.0):
    """A falling background and a steeper signal over them, `shapes` morphs, a norm each, MC statistics."""
    x = (np.arange(bins) + 0.5) / bins
    background = scale * (80.0 * np.exp(-1.5 * x) + 10.0)
    wanted = scale * (signal * np.exp(-6.0 * x) + 0.5)
    parameters = [KAPPA, Parameter(name="norm", group="norm"), Parameter(name="flux", group="flux")]
    components = []
    for power, nominal in enumerate((background, wanted)):
        morphs = []
        for k in range(shapes):
            wave = 0.05 * np.sin(2.0 * (k + 1) * x + power)
            morphs.append(
                Morph(
                    parameter=f"shape{k}",
                    kind=interpolation,
                    templates=np.array([nominal * (1.0 - 0.9 * wave), nominal * (1.0 + wave)]),
                )
            )
        factors = (Factor(parameter="kappa"),) if power else (Factor(parameter="norm", kind="linear", values=(0.05,)),)
        factors += (Factor(parameter="flux", kind="exponential", values=(0.08,)),)
        components.append(
            Component(
                sample="all",
                monomial=(("kappa", power),) * bool(power),
                nominal=nominal,
                factors=factors,
                morphs=tuple(morphs),
            )
        )
    parameters += [Parameter(name=f"shape{k}", group="detector") for k in range(shapes)]
    variances = (
        Variance(first=0, second=0, values=mc * background),
        Variance(first=0, second=1, values=2.0 * mc * 0.5 * np.sqrt(background * wanted)),
        Variance(first=1, second=1, values=mc * wanted),
    )
    return Model(
        parameters=tuple(parameters),
        components=tuple(components),
        regions=(Span(name="spectrum", start=0, stop=bins),),
        data=background,
        asimov=True,
        variances=variances if mc else (),
        statistic=statistic,
    )
