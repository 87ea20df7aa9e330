"""Assembling: an `Analysis` and its `Templates` become the `Model` that the likelihood is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from spectrafit import config
from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis, chosen
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.inference.fake import Asimov, Fake, Injected, Simulated, Toy
from spectrafit.inference.faking.counts import Made, made
from spectrafit.inference.faking.simulated import simulate
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance
from spectrafit.inference.observed import observed
from spectrafit.inference.pairing import follows_in, pair_of
from spectrafit.templates.templates import Templates
from spectrafit.templates.variations import Variation

__all__ = ["as_fitted", "assemble", "fake_data", "resolved", "simulated"]

_FLOOR = "floor of empty bins"


def assemble(
    analysis: Analysis,
    templates: Templates,
    *,
    unblind: bool = False,
    data: npt.ArrayLike | Fake | None = None,
) -> Model:
    """Return the model of an analysis, with Asimov data at kappa = 0 unless asked otherwise.

    Parameters
    ----------
    analysis : Analysis
    templates : Templates
        Built from the same analysis.
    unblind : bool
        Use the data of the samples with role "data" and the counts in the TOML.
    data : (B,) array_like, Asimov, Toy or Simulated, optional
        Use these counts; or make them as a choice of `spectrafit.inference.fake` says, and label them so.

    Raises
    ------
    ConfigError
        Names, lengths or options that do not fit the templates; fake data together with `unblind`.
    DataError
        Bins without a prediction, under `zero_bins = "error"`; no data to unblind.
    """
    if isinstance(data, Fake):
        if unblind:
            raise ConfigError(
                f"{analysis.path}: real data are not unblinded beside fake data ({data.label}); choose one"
            )
        return _with_fake(analysis, templates, data)
    counts = None if data is None else np.asarray(data, dtype=np.float64)
    label = None
    if unblind and counts is None:
        counts, label = observed(analysis, templates)
    shown = {region.name for region in analysis.regions if not region.fit}
    spans = tuple(
        Span(name=region.name, start=region.start, stop=region.stop, fitted=region.name not in shown)
        for region in templates.regions
    )
    templates = as_fitted(analysis, templates)
    expected, squares, residual = templates.counts, templates.squares, templates.residual
    if analysis.fit.terms == "norm":
        # Each region becomes one bin. The Poisson likelihood of all bins is that of their total times that of the
        # shape, so the total's may be fitted alone.
        starts = [span.start for span in spans]
        expected, squares, residual = (np.add.reduceat(array, starts, -1) for array in (expected, squares, residual))
        counts = None if counts is None else np.add.reduceat(counts, starts)
        spans = tuple(dataclasses.replace(span, start=index, stop=index + 1) for index, span in enumerate(spans))
    fitted = [span.name for span in spans if span.fitted]
    parameters, monomials = _parameters(analysis, templates, fitted), templates.monomials
    components, variances, steady = _components(analysis, templates, expected, squares, spans)
    residual = residual + steady
    full = analysis.fit.mc_statistics == "barlow-beeston"
    model = Model(
        parameters=parameters,
        components=tuple(components),
        regions=spans,
        data=np.zeros(spans[-1].stop) if counts is None else counts,
        asimov=counts is None,
        fake=label,
        poi=analysis.interest,
        couplings={
            fitted_coupling.parameter: fitted_coupling.coupling.name
            for fitted_coupling in analysis.fitted_couplings
            if fitted_coupling.carriers
        },
        statistic=analysis.fit.statistic,
        terms=analysis.fit.terms,
        mc_statistics="barlow-beeston" if full else "barlow-beeston-lite",
        variances=tuple(variances) if analysis.fit.mc_statistics != "none" else (),
        residual=residual if np.any(residual) else np.zeros((0, 0)),
        residual_monomials=tuple(map(monomials.factors, monomials.products)) if np.any(residual) else (),
        correlations=tuple(
            (correlation.parameters[0], correlation.parameters[1], correlation.value)
            for correlation in analysis.fit.correlations
        ),
        used=np.concatenate([np.full(span.stop - span.start, span.fitted) for span in spans]),
        titles=dict(zip(templates.samples, templates.titles, strict=True)),
        given=templates.tabulated,
    )
    model = _ruled(analysis, model)
    if counts is not None:
        return model
    return model.with_data(np.maximum(Likelihood(model).predict().mean, 0.0), asimov=True)


def resolved(analysis: Analysis, templates: Templates, choice: Fake, **options: Any) -> Fake:
    """Return a choice of fake data with the counts of another simulation made, if it asks for one.

    Parameters
    ----------
    analysis, templates : Analysis, Templates
        As for `assemble`.
    choice : Asimov, Toy, Simulated or Injected
    **options
        How the ntuples are read: those of `spectrafit.templates.build.build`.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.inference.faking.simulated.simulate`.
    """
    of = choice.of if isinstance(choice, Toy) else choice
    if not isinstance(of, Simulated):
        return choice
    of = simulated(analysis, templates, of, **options)
    return dataclasses.replace(choice, of=of) if isinstance(choice, Toy) else of


def simulated(analysis: Analysis, templates: Templates, choice: Simulated, **options: Any) -> Simulated:
    """Return another simulation with its counts; `options` are those of `simulate`, and parameters as in `resolved`."""
    counted = templates.with_counts(analysis)
    scales = dict(zip(counted.samples, _scales(analysis, counted).tolist(), strict=True))
    return simulate(choice, analysis, as_fitted(analysis, templates), scales=scales, **options)


def fake_data(analysis: Analysis, templates: Templates, choice: Fake) -> tuple[Model, Made]:
    """Return the fake data of a choice, in every bin, with the model whose expectation they were made from.

    With `terms = "norm"` the data are still made bin by bin. Parameters and errors are those of `resolved`.
    """
    fit = msgspec.structs.replace(analysis.fit, terms="shape+norm") if analysis.fit.terms == "norm" else analysis.fit
    source = assemble(msgspec.structs.replace(analysis, fit=fit), templates)
    return source, made(source, resolved(analysis, templates, choice))


def _with_fake(analysis: Analysis, templates: Templates, choice: Fake) -> Model:
    """Return the model with fake data: their counts, their auxiliary measurements, and the words for them."""
    if choice == Asimov():
        return assemble(analysis, templates)
    if isinstance(choice, Injected):
        return assemble(analysis, templates, unblind=True)
    source, found = fake_data(analysis, templates, choice)
    centres = dict(zip(source.names, found.centres.tolist(), strict=True))
    model = assemble(analysis, templates, data=found.counts)
    parameters = tuple(
        dataclasses.replace(parameter, centre=centres.get(parameter.name, parameter.centre))
        for parameter in model.parameters
    )
    return dataclasses.replace(model, parameters=parameters, fake=found.fake)


def as_fitted(analysis: Analysis, templates: Templates) -> Templates:
    """Return the templates as the likelihood takes them: with the analysis' counts, scaled as `normalise` asks.

    Errors as in `assemble`.
    """
    templates = templates.with_counts(analysis)
    if not analysis.normalise:
        return templates
    scales = _scales(analysis, templates)
    # Principal components leave a residual variance. It is relative to the expectation of the samples that were filled
    # from events, so it grows with the square of that expectation.
    filled = [index for index, name in enumerate(templates.samples) if name not in templates.tabulated]
    before = templates.counts[filled, 0, 0].sum(axis=0)
    after = (templates.counts[filled, 0, 0] * scales[filled, None]).sum(axis=0)
    growth = np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0)
    return dataclasses.replace(
        templates,
        counts=templates.counts * scales[:, None, None, None],
        squares=templates.squares * scales[:, None, None] ** 2,
        residual=templates.residual * growth**2,
        flow=templates.flow * scales[:, None, None],
    )


def _scales(analysis: Analysis, templates: Templates) -> Floats:
    """Return what `normalise` multiplies each sample by, (S,), rule by rule."""
    scales = np.ones(len(templates.samples))
    regions = [region.name for region in templates.regions]
    for rule in analysis.normalise:
        where = f"{analysis.path}: normalise"
        picked = chosen(rule.samples, templates.samples)
        if not picked:
            raise ConfigError(f"{where}: no sample {rule.samples[0]!r}{nearest(rule.samples[0], templates.samples)}")
        if rule.region not in regions:
            raise ConfigError(f"{where}: no region {rule.region!r}{nearest(rule.region, regions)}")
        bins = templates.region(rule.region).bins
        mine = [templates.sample(name) for name in picked]
        total = sum(float((templates.counts[sample, 0, 0, bins] * scales[sample]).sum()) for sample in mine)
        if not total > 0:
            raise DataError(
                f"{where}: {', '.join(picked)} expect {total:g} events in region {rule.region!r}, which cannot be "
                f"scaled to {rule.expected:g}; check the cut and the files"
            )
        scales[mine] *= rule.expected / total
    return scales


def _parameters(analysis: Analysis, templates: Templates, regions: list[str]) -> tuple[Parameter, ...]:
    """Return the couplings, the systematics' parameters, and the free normalisations of `terms = "shape"`.

    Every coupling besides the one of interest is a free nuisance. No coupling is bounded in the fit: a boundary would
    change the distribution of the best fit, and Cowan et al. (EPJC 71, 1554) put it into the test statistic instead.
    """
    interest, known = analysis.interest, templates.monomials.parameters
    found = {interest: Parameter(name=interest, kind="interest", constraint="free")}
    found |= {name: Parameter(name=name, constraint="free") for name in known if name != interest}
    # A `norm` is a factor and needs no template. All other systematics are seen through their variations.
    for effect in analysis.systematics:
        if not isinstance(effect, config.Norm):
            continue
        free = Parameter(name=effect.name, initial=1.0, constraint="free", group=effect.group)
        tied = Parameter(name=effect.name, group=effect.group, width=effect.prior_width)
        found[effect.name] = free if effect.free else tied
    for variation in templates.variations[1:]:
        if variation.parameter not in found:
            found[variation.parameter] = Parameter(
                name=variation.parameter, group=variation.group, width=variation.width
            )
        elif found[variation.parameter].width != variation.width:
            raise ConfigError(
                f"{analysis.path}: $.systematics: {variation.parameter!r} is one parameter of two systematics whose"
                f" prior_width is {found[variation.parameter].width:g} and {variation.width:g}; give both the same"
            )
    if analysis.fit.terms == "shape":
        for region in regions:
            name = f"norm[{region}]"
            found[name] = Parameter(name=name, initial=1.0, constraint="free")
    return tuple(found.values())


def _components(
    analysis: Analysis, templates: Templates, counts: Floats, squares: Floats, spans: tuple[Span, ...]
) -> tuple[list[Component], list[Variance], Floats]:
    """Return the components, their variances, and the variance that follows the couplings but no nuisance.

    A nuisance that raises a yield by a factor f weighs its events by f, so the simulation's variance grows by f^2. A
    `Variance` therefore follows the yields of two components. Where a yield is near zero the ratio of yields means
    nothing; there the variance follows the couplings alone.

    `counts` are (S, V, M, B) and `squares` (S, Q, B), in the bins of `spans`.
    """
    components: list[Component] = []
    variances: list[Variance] = []
    monomials = templates.monomials
    steady = np.zeros((len(monomials.products), spans[-1].stop))
    for at, sample in enumerate(templates.samples):
        for span in spans:
            bins = slice(span.start, span.stop)
            places: dict[int, int] = {}
            for monomial in range(len(monomials)):
                rows = counts[at, :, monomial, bins]
                if np.any(rows):
                    places[monomial] = len(components)
                    components.append(_component(analysis, templates, sample, span, monomial, rows))
            nominal = {monomial: components[place].nominal for monomial, place in places.items()}
            for product in range(len(monomials.products)):
                values = squares[at, product, bins]
                pair = pair_of(monomials, product, places)
                if pair is None or not np.any(values):
                    steady[product, bins] += values
                    continue
                follows = follows_in(monomials, pair, nominal)
                steady[product, bins] += np.where(follows, 0.0, values)
                first, second = places[pair[0]], places[pair[1]]
                variances.append(Variance(first=first, second=second, values=np.where(follows, values, 0.0)))
    if analysis.fit.mc_statistics == "none":
        steady[:] = 0.0
    return components, variances, steady


def _component(
    analysis: Analysis, templates: Templates, sample: str, span: Span, monomial: int, counts: Floats
) -> Component:
    """Return one sample's template of one monomial in one region; `counts` is (V, n)."""
    couplings = templates.monomials.factors(templates.monomials.exponents[monomial])
    factors = [Factor(parameter=name, values=(float(power),)) for name, power in couplings]
    for effect in analysis.systematics:
        if not isinstance(effect, config.Norm) or (couplings and effect.powers == "sm"):
            continue
        if not chosen(effect.samples, (sample,)) or not chosen(effect.regions, (span.name,)):
            continue
        if effect.free:
            factors.append(Factor(parameter=effect.name))
        elif effect.constraint == "log-normal":
            factors.append(Factor(parameter=effect.name, kind="exponential", values=(float(np.log1p(effect.sigma)),)))
        else:
            factors.append(Factor(parameter=effect.name, kind="linear", values=(effect.sigma,)))
    if analysis.fit.terms == "shape" and span.fitted:
        factors.append(Factor(parameter=f"norm[{span.name}]"))
    return Component(
        sample=sample,
        monomial=couplings,
        start=span.start,
        nominal=counts[0],
        factors=tuple(factors),
        morphs=tuple(_morphs(templates, sample, counts)),
    )


def _morphs(templates: Templates, sample: str, counts: Floats) -> Iterator[Morph]:
    """Yield the morphs of a component; `counts` is (V, n)."""
    rows: dict[str, list[tuple[float, int, Variation]]] = {}
    for place, variation in enumerate(templates.variations):
        if place and sample in variation.samples and np.any(counts[place] != counts[0]):
            rows.setdefault(variation.parameter, []).append((variation.sigma, place, variation))
    for parameter, found in rows.items():
        every = sorted(
            (other.sigma, place)
            for place, other in enumerate(templates.variations)
            if other.parameter == parameter and sample in other.samples
        )
        yield Morph(
            parameter=parameter,
            kind=found[0][2].interpolation,
            sigmas=tuple(sigma for sigma, _ in every),
            templates=counts[[place for _, place in every]],
        )


def _ruled(analysis: Analysis, model: Model) -> Model:
    """Return the model with `zero_bins` applied to the bins that expect no event at kappa = 0."""
    mean = Likelihood(model).predict().mean
    empty = np.flatnonzero(~(mean > 0) & model.used)
    if empty.size == 0:
        return model
    names = tuple(model.bin_name(int(place)) for place in empty)
    if analysis.fit.zero_bins == "error":
        shown = ", ".join(f"{name} ({mean[place]:g})" for name, place in zip(names[:8], empty, strict=False))
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        raise DataError(
            f"{analysis.path}: {empty.size} of {int(model.used.sum())} bins expect no events at kappa = 0:"
            f" {shown}{more}; merge bins, or choose zero_bins = 'drop' or 'floor' under [fit]"
        )
    if analysis.fit.zero_bins == "drop":
        used = model.used.copy()
        used[empty] = False
        return dataclasses.replace(model, used=used, zero_bins=names)
    # "floor": a background without uncertainty lifts empty bins. The model's own floor is then made anew.
    raised = []
    for span in model.regions:
        short = np.maximum(analysis.fit.floor - mean[span.start : span.stop], 0.0)
        lift = np.where(mean[span.start : span.stop] > 0, 0.0, short)
        if lift.any():
            raised.append(Component(sample=_FLOOR, start=span.start, nominal=lift))
    return dataclasses.replace(model, components=(*model.components, *raised), floor=np.zeros(0), zero_bins=names)
