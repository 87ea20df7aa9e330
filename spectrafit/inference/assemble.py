"""An `Analysis` and its `Templates` in, the `Model` its likelihood is made of out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from spectrafit import config
from spectrafit.config import Analysis, chosen
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Monomial, Morph, Parameter, Span, Variance
from spectrafit.templates.store import Templates, Variation

__all__ = ["as_fitted", "assemble"]

Floats = npt.NDArray[np.float64]

_FLOOR = "floor of empty bins"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """One sample, from templates or from counts: (V, 1+P, B) counts, (1+2P, B) squares, and the scale they are at."""

    name: str
    title: str
    counts: Floats
    squares: Floats
    scale: float = 1.0


def assemble(
    analysis: Analysis,
    templates: Templates,
    *,
    unblind: bool = False,
    data: npt.ArrayLike | None = None,
) -> Model:
    """Return the model of an analysis, with Asimov data at kappa = 0 unless asked otherwise.

    Parameters
    ----------
    analysis : Analysis
    templates : Templates
        Built from the same analysis.
    unblind : bool
        Use the data of the samples with role "data" and the counts in the TOML.
    data : (B,) array_like, optional
        Use these counts.

    Raises
    ------
    ConfigError
        Names, lengths or options that do not fit the templates.
    DataError
        Bins without a prediction, under `zero_bins = "error"`; no data to unblind.
    """
    names = [r.name for r in templates.regions]
    counts = None if data is None else np.asarray(data, dtype=np.float64)
    if unblind and counts is None:
        counts = _unblinded(analysis, templates)
    sources = _normalised(analysis, templates, list(_sources(analysis, templates)))
    residual = _residual(templates, sources)
    spans = tuple(Span(name=r.name, start=r.start, stop=r.stop) for r in templates.regions)
    if analysis.fit.terms == "norm":
        starts = [s.start for s in spans]
        sources = [
            dataclasses.replace(
                s, counts=np.add.reduceat(s.counts, starts, -1), squares=np.add.reduceat(s.squares, starts, -1)
            )
            for s in sources
        ]
        residual = np.add.reduceat(residual, starts, -1)
        counts = None if counts is None else np.add.reduceat(counts, starts)
        spans = tuple(Span(name=s.name, start=i, stop=i + 1) for i, s in enumerate(spans))
    parameters = {"kappa": Parameter(name="kappa", kind="interest", constraint="free")}
    _declare(analysis, templates, parameters, names)
    components, variances, steady = _components(analysis, templates, sources, spans)
    residual = residual + steady
    model = Model(
        parameters=tuple(parameters.values()),
        components=tuple(components),
        regions=spans,
        data=np.zeros(spans[-1].stop) if counts is None else counts,
        asimov=counts is None,
        couplings={"kappa": analysis.coupling_options.name},
        statistic=analysis.fit.statistic,
        terms=analysis.fit.terms,
        variances=tuple(variances) if analysis.fit.mc_statistics != "none" else (),
        residual=residual if np.any(residual) else np.zeros((0, 0)),
        residual_monomials=tuple(_monomial(k) for k in range(len(residual))) if np.any(residual) else (),
        correlations=tuple((c.parameters[0], c.parameters[1], c.value) for c in analysis.fit.correlations),
        titles={s.name: s.title or s.name for s in sources},
    )
    model = _ruled(analysis, model)
    return (
        model if counts is not None else model.with_data(np.maximum(Likelihood(model).predict().mean, 0.0), asimov=True)
    )


def as_fitted(analysis: Analysis, templates: Templates) -> Templates:
    """Return the templates as the likelihood takes them: scaled as `normalise` asks, with the samples of `counts`.

    Errors as in `assemble`.
    """
    if not analysis.normalise and not analysis.counts:
        return templates
    sources = _normalised(analysis, templates, list(_sources(analysis, templates)))
    more = len(analysis.counts)
    scales = np.array([s.scale for s in sources])
    flow = np.concatenate([templates.flow, np.zeros((more, *templates.flow.shape[1:]))])
    return dataclasses.replace(
        templates,
        samples=tuple(s.name for s in sources),
        roles=(*templates.roles, *(sample.role for sample in analysis.counts)),
        titles=tuple(s.title for s in sources),
        counts=np.stack([s.counts for s in sources]),
        squares=np.stack([s.squares for s in sources]),
        residual=_residual(templates, sources),
        entries=np.concatenate([templates.entries, np.zeros((more, templates.bins), dtype=np.int64)]),
        flow=flow * scales[:, None, None],
    )


def _sources(analysis: Analysis, templates: Templates) -> Iterator[_Source]:
    """Yield the samples of the templates, then those known by their counts only."""
    for i, (name, title) in enumerate(zip(templates.samples, templates.titles, strict=True)):
        yield _Source(name=name, title=title, counts=templates.counts[i], squares=templates.squares[i])
    for sample in analysis.counts:
        where = f"{analysis.path}: counts {sample.name!r}"
        expected = np.zeros((len(templates.variations), 1 + templates.powers, templates.bins))
        squares = np.zeros((1 + 2 * templates.powers, templates.bins))
        for region, values in sample.counts.items():
            expected[:, 0, _bins(templates, region, where, len(values))] = values
        for region, values in sample.errors.items():
            squares[0, _bins(templates, region, where, len(values))] = np.square(values)
        yield _Source(name=sample.name, title=sample.title, counts=expected, squares=squares)


def _bins(templates: Templates, region: str, where: str, length: int) -> slice:
    """Return a region's bins after checking its name and the number of values given for it."""
    known = {r.name: r for r in templates.regions}
    if region not in known:
        raise ConfigError(f"{where}: no region {region!r}{nearest(region, known)}")
    if length != known[region].size:
        shape = " x ".join(map(str, known[region].shape))
        raise ConfigError(f"{where}: {length} values for region {region!r}, which has {shape} bins; give one per bin")
    return known[region].bins


def _unblinded(analysis: Analysis, templates: Templates) -> Floats:
    """Return the real data: data samples plus the counts in the TOML."""
    _refuse_other_exposure(analysis, templates)
    counts = np.zeros(templates.bins) if templates.data is None else np.array(templates.data)
    for region, values in analysis.data.items():
        counts[_bins(templates, region, f"{analysis.path}: data", len(values))] += values
    missing = [r.name for r in templates.regions if r.name not in analysis.data]
    if templates.data is None and missing:
        raise DataError(
            f"{analysis.path}: no data for region {', '.join(missing)}; add a sample with role = 'data', or counts "
            "under [data], or fit Asimov data without --unblind"
        )
    return counts


def _refuse_other_exposure(analysis: Analysis, templates: Templates) -> None:
    """Refuse data that are said, by their files or their TOML, to be of another exposure than the expectation.

    Of data in a sample set of their own it is not known which of the expectations is theirs.
    """
    said = {i["sample"]: i["pot"] for i in templates.inventories if i["role"] == "data"}
    for sample_set in analysis.sample_sets:
        exposures = [said[sample.name] for sample in sample_set.samples if sample.name in said]
        alone = all(sample.role == "data" for sample in sample_set.samples)
        if alone or not exposures or None in exposures:
            continue
        found, wanted = sum(exposures), analysis.exposure(sample_set)
        if not np.isclose(found, wanted, rtol=0.01):
            raise ConfigError(
                f"{analysis.path}: $.pot: the expectation is at {wanted:.6g} POT, the data of {sample_set.name!r} are"
                f" of {found:.6g}; correct pot, here or in the data sample if its files count otherwise"
            )


def _normalised(analysis: Analysis, templates: Templates, sources: list[_Source]) -> list[_Source]:
    """Return the sources scaled as `normalise` asks, rule by rule."""
    for rule in analysis.normalise:
        where = f"{analysis.path}: normalise"
        known = tuple(s.name for s in sources)
        picked = chosen(rule.samples, known)
        if not picked:
            raise ConfigError(f"{where}: no sample {rule.samples[0]!r}{nearest(rule.samples[0], known)}")
        if rule.region not in [r.name for r in templates.regions]:
            raise ConfigError(
                f"{where}: no region {rule.region!r}{nearest(rule.region, [r.name for r in templates.regions])}"
            )
        bins = templates.region(rule.region).bins
        total = sum(float(s.counts[0, 0, bins].sum()) for s in sources if s.name in picked)
        if not total > 0:
            raise DataError(
                f"{where}: {', '.join(picked)} expect {total:g} events in region {rule.region!r}, which cannot be "
                f"scaled to {rule.expected:g}; check the cut and the files"
            )
        scale = rule.expected / total
        sources = [
            dataclasses.replace(s, counts=s.counts * scale, squares=s.squares * scale**2, scale=s.scale * scale)
            if s.name in picked
            else s
            for s in sources
        ]
    return sources


def _residual(templates: Templates, sources: list[_Source]) -> Floats:
    """Return what principal components leave of the variance, (1+2P, B): it grows with the expectation it is of."""
    before = templates.counts[:, 0, 0].sum(axis=0)
    after = sum((s.counts[0, 0] for s in sources[: len(templates.samples)]), np.zeros(templates.bins))
    growth = np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0)
    scaled: Floats = templates.residual * growth**2
    return scaled


def _declare(analysis: Analysis, templates: Templates, parameters: dict[str, Parameter], regions: list[str]) -> None:
    """Add the parameters of the systematics, and the free normalisations of `terms = "shape"`."""
    for effect in analysis.systematics:
        if not isinstance(effect, config.Norm):
            continue
        free = Parameter(name=effect.name, initial=1.0, constraint="free", group=effect.group)
        parameters[effect.name] = free if effect.free else Parameter(name=effect.name, group=effect.group)
    for variation in templates.variations[1:]:
        if variation.parameter not in parameters:
            parameters[variation.parameter] = Parameter(name=variation.parameter, group=variation.group)
    if analysis.fit.terms == "shape":
        for region in regions:
            name = f"norm[{region}]"
            parameters[name] = Parameter(name=name, initial=1.0, constraint="free")


def _components(
    analysis: Analysis, templates: Templates, sources: list[_Source], spans: tuple[Span, ...]
) -> tuple[list[Component], list[Variance], Floats]:
    """Return the components, their variances, and the variance that follows kappa but no nuisance."""
    components: list[Component] = []
    variances: list[Variance] = []
    steady = np.zeros((1 + 2 * templates.powers, spans[-1].stop))
    for source in sources:
        for span in spans:
            bins = slice(span.start, span.stop)
            places: dict[int, int] = {}
            for power in range(1 + templates.powers):
                if np.any(source.counts[:, power, bins]):
                    places[power] = len(components)
                    components.append(_component(analysis, templates, source, span, power))
            nominal = {p: components[c].nominal for p, c in places.items()}
            for k in range(1 + 2 * templates.powers):
                values = source.squares[k, bins]
                pair = _pair(k, places)
                if pair is None or not np.any(values):
                    steady[k, bins] += values
                    continue
                follows = _follows(pair, nominal)
                steady[k, bins] += np.where(follows, 0.0, values)
                first, second = places[pair[0]], places[pair[1]]
                variances.append(Variance(first=first, second=second, values=np.where(follows, values, 0.0)))
    if analysis.fit.mc_statistics == "none":
        steady[:] = 0.0
    return components, variances, steady


def _monomial(power: int) -> Monomial:
    """Return the monomial of a power of kappa."""
    return (("kappa", power),) if power else ()


def _pair(k: int, places: dict[int, int]) -> tuple[int, int] | None:
    """Return the powers whose yields the variance's kappa^k follows: without interference if possible, balanced."""
    pairs = [(p, k - p) for p in places if p <= k - p and k - p in places]
    return min(pairs, key=lambda pq: (pq[0] % 2 + pq[1] % 2 if len(places) > 2 else 0, pq[1] - pq[0]), default=None)


def _follows(pair: tuple[int, int], nominal: dict[int, Floats]) -> npt.NDArray[np.bool_]:
    """Return in which bins the yields are far enough from zero for a variance to be scaled with them.

    An interference template changes sign; where it nearly cancels, its relative change says nothing about variances.
    """
    follows: npt.NDArray[np.bool_] = (nominal[pair[0]] != 0) & (nominal[pair[1]] != 0)
    if 1 in pair and 0 in nominal and 2 in nominal:
        follows &= np.abs(nominal[1]) > 0.1 * np.sqrt(np.abs(nominal[0] * nominal[2]))
    return follows


def _component(analysis: Analysis, templates: Templates, source: _Source, span: Span, power: int) -> Component:
    """Return one sample's template of one power in one region."""
    factors = [Factor(parameter="kappa", values=(float(power),))] if power else []
    for effect in analysis.systematics:
        if not isinstance(effect, config.Norm) or (power and effect.powers == "sm"):
            continue
        if not chosen(effect.samples, (source.name,)) or not chosen(effect.regions, (span.name,)):
            continue
        if effect.free:
            factors.append(Factor(parameter=effect.name))
        elif effect.constraint == "log-normal":
            factors.append(Factor(parameter=effect.name, kind="exponential", values=(float(np.log1p(effect.sigma)),)))
        else:
            factors.append(Factor(parameter=effect.name, kind="linear", values=(effect.sigma,)))
    if analysis.fit.terms == "shape":
        factors.append(Factor(parameter=f"norm[{span.name}]"))
    counts = source.counts[:, power, span.start : span.stop]
    return Component(
        sample=source.name,
        monomial=_monomial(power),
        start=span.start,
        nominal=counts[0],
        factors=tuple(factors),
        morphs=tuple(_morphs(templates, source.name, counts)),
    )


def _morphs(templates: Templates, sample: str, counts: Floats) -> Iterator[Morph]:
    """Yield the morphs of a component; `counts` is (V, n)."""
    rows: dict[str, list[tuple[float, int, Variation]]] = {}
    for v, variation in enumerate(templates.variations):
        if v and sample in variation.samples and np.any(counts[v] != counts[0]):
            rows.setdefault(variation.parameter, []).append((variation.sigma, v, variation))
    for parameter, found in rows.items():
        every = sorted(
            (other.sigma, v)
            for v, other in enumerate(templates.variations)
            if other.parameter == parameter and sample in other.samples
        )
        yield Morph(
            parameter=parameter,
            kind=found[0][2].interpolation,
            sigmas=tuple(sigma for sigma, _ in every),
            templates=counts[[v for _, v in every]],
        )


def _ruled(analysis: Analysis, model: Model) -> Model:
    """Return the model with `zero_bins` applied to the bins that expect no event at kappa = 0."""
    mean = Likelihood(model).predict().mean
    empty = np.flatnonzero(~(mean > 0))
    if empty.size == 0:
        return model
    names = tuple(model.bin_name(int(b)) for b in empty)
    if analysis.fit.zero_bins == "error":
        shown = ", ".join(f"{n} ({mean[b]:g})" for n, b in zip(names[:8], empty, strict=False))
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        raise DataError(
            f"{analysis.path}: {empty.size} of {model.n_bins} bins expect no events at kappa = 0: {shown}{more}; merge "
            "bins, or choose zero_bins = 'drop' or 'floor' under [fit]"
        )
    if analysis.fit.zero_bins == "drop":
        used = model.used.copy()
        used[empty] = False
        return dataclasses.replace(model, used=used, zero_bins=names)
    raised = []
    for span in model.regions:
        short = np.maximum(analysis.fit.floor - mean[span.start : span.stop], 0.0)
        lift = np.where(mean[span.start : span.stop] > 0, 0.0, short)
        if lift.any():
            raised.append(Component(sample=_FLOOR, start=span.start, nominal=lift))
    return dataclasses.replace(model, components=(*model.components, *raised), floor=np.zeros(0), zero_bins=names)
