"""The couplings of an analysis: the fitted ones, their flavours, and the one that the limit is for.

`coupling` is the short form for one, `[[couplings]]` lists several. `settle` gives both the same meaning.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType, field

from spectrafit.config.numbers import Finite
from spectrafit.config.samples import Flavour, Keys
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling, Monomials
from spectrafit.physics.flavours import FLAVOURS

__all__ = ["Coupling", "settle", "table_of_interest"]


class Coupling(Keys, frozen=True, kw_only=True):
    """One coupling of neutrinos to electrons: which flavours have it fitted, and which have a fixed value.

    A coupling whose usual carriers are all in `fixed` is not fitted.

    Attributes
    ----------
    name
        Which coupling: magnetic_moment, charge_radius, millicharge or weak_mixing_angle.
        Example: ``name = "magnetic_moment"``
    carriers
        The flavours whose value is fitted; an antineutrino is a flavour of its own. Without the key, the coupling's
        usual ones. Example: ``carriers = ["numu", "numubar"]``
    parameter
        The name of the parameter in results, figures and options. The first fitted coupling has "kappa"; another has
        "kappa_" and its name, or its flavours where the coupling is the same: "kappa_charge_radius", "kappa_nue".
        Example: ``parameter = "mu_nue"``
    fixed : mu_B, cm^2, e, or none, as the coupling is reported
        Values of other flavours; flavours that are neither here nor carriers have the Standard Model.
        Example: ``fixed = { nue = 1e-10 }``
    interest
        `true` marks the coupling that limits are for; without it, the first fitted one. All other fitted couplings are
        profiled. Example: ``interest = true``
    profiled
        `false`: the coupling is not fitted, and only the values of `fixed` act. Example: ``profiled = false``
    """

    name: str
    carriers: tuple[Flavour, ...] = ()
    parameter: str = ""
    fixed: dict[Flavour, Finite] = field(default_factory=dict)
    interest: bool = False
    profiled: bool = True


def settle(
    coupling: str | Coupling | UnsetType, couplings: tuple[Coupling, ...], path: str
) -> tuple[tuple[FittedCoupling, ...], int]:
    """Return the couplings of an analysis, and the place of the coupling of interest among them.

    Parameters
    ----------
    coupling, couplings : what the file says under these keys; without either it is the magnetic moment.
    path : of the file, for messages.

    Raises
    ------
    ConfigError
        Both keys; an unknown coupling; flavours or parameters that clash; no coupling of interest, or more than one.
    """
    if couplings and coupling is not UNSET:
        raise ConfigError(
            f"{path}: $.couplings: the file has the key coupling too, which is the short form for one; move it into"
            " [[couplings]] and leave out coupling"
        )
    tables = _tables(coupling, couplings)
    keys = [f"{path}: $.couplings[{index}]" for index in range(len(tables))] if couplings else [f"{path}: $.coupling"]
    settled: list[FittedCoupling] = []
    for key, table in zip(keys, tables, strict=True):
        if table.name not in COUPLINGS:
            key_of_name = key if isinstance(coupling, str) else f"{key}.name"
            raise ConfigError(
                f"{key_of_name}: no coupling {table.name!r}{nearest(table.name, COUPLINGS)} (there are:"
                f" {', '.join(COUPLINGS)})"
            )
        settled.append(_settled(key, table, settled))
    interest = _interest(keys, tables, settled)
    try:
        Monomials.of(settled)
    except ValueError as error:
        raise ConfigError(f"{path}: $.couplings: {error}") from None
    return tuple(settled), interest


def table_of_interest(coupling: str | Coupling | UnsetType, couplings: tuple[Coupling, ...], path: str) -> Coupling:
    """Return the table of the coupling of interest as the file has it. Raises ConfigError as `settle` does."""
    return _tables(coupling, couplings)[settle(coupling, couplings, path)[1]]


def _tables(coupling: str | Coupling | UnsetType, couplings: tuple[Coupling, ...]) -> tuple[Coupling, ...]:
    if couplings:
        return couplings
    if isinstance(coupling, Coupling):
        return (coupling,)
    return (Coupling(name=coupling if isinstance(coupling, str) else "magnetic_moment"),)


def _settled(key: str, table: Coupling, before: list[FittedCoupling]) -> FittedCoupling:
    """Return one coupling, after those listed before it."""
    coupling = COUPLINGS[table.name]
    carriers = _carriers(key, table)
    fixed = tuple((code, table.fixed[name]) for name, code in FLAVOURS.items() if name in table.fixed)
    acting = {*carriers, *(code for code, _ in fixed)}
    for other in before:
        taken = acting.intersection((*other.carriers, *(code for code, _ in other.fixed)))
        if other.coupling is coupling and taken:
            raise ConfigError(
                f"{key}: {coupling.name} of {_listed(taken)} is listed before, as parameter {other.parameter!r}; a"
                " flavour has one value of a coupling, so give each table its own carriers and fixed flavours"
            )
    if table.parameter and not table.parameter.isidentifier():
        raise ConfigError(
            f"{key}.parameter: {table.parameter!r} is no name for a parameter; use letters, digits and _ (kappa_nue)"
        )
    parameter = table.parameter or _parameter(table.name, carriers, acting.intersection(carriers or acting), before)
    if parameter in (other.parameter for other in before):
        raise ConfigError(
            f"{key}.parameter: two couplings have the parameter {parameter!r}; give each a name of its own"
        )
    try:
        return FittedCoupling(parameter=parameter, coupling=coupling, carriers=carriers, fixed=fixed)
    except ValueError as error:
        raise ConfigError(f"{key}.fixed: {error}") from None


def _carriers(key: str, table: Coupling) -> tuple[int, ...]:
    """Return the PDG codes of the flavours whose value is fitted."""
    given, fixed = (
        tuple(FLAVOURS[name] for name in FLAVOURS if name in names) for names in (table.carriers, table.fixed)
    )
    if not table.profiled:
        if given:
            raise ConfigError(
                f"{key}.carriers: carriers are fitted, but profiled = false fits no flavour of this coupling;"
                " leave out one of the two, and give values in fixed"
            )
        if not fixed:
            raise ConfigError(
                f"{key}.profiled: false holds the coupling at the values of fixed, and there are none; give"
                " fixed = {numu = ...}, or leave out the coupling"
            )
        return ()
    if given:
        if both := set(given).intersection(fixed):
            raise ConfigError(
                f"{key}.fixed: {_listed(both)} carries the fitted coupling; leave it out of carriers or of fixed"
            )
        return given
    usual = COUPLINGS[table.name].carriers
    both = set(usual).intersection(fixed)
    if both and both != set(usual):
        raise ConfigError(
            f"{key}.fixed: {_listed(both)} has a fixed value, but {table.name} is fitted for {_listed(usual)} where"
            " carriers do not say otherwise; name in carriers the flavours to be fitted, or give all of these a value"
        )
    return () if both else usual


def _parameter(name: str, carriers: tuple[int, ...], flavours: set[int], before: list[FittedCoupling]) -> str:
    """Return a parameter's name where the file gives none."""
    first = next((other.coupling.name for other in before if other.carriers), None)
    if carriers and first is None:
        return "kappa"
    parts = ["kappa"] if name == first else ["kappa", name]
    if name in (other.coupling.name for other in before):
        # Where neutrino and antineutrino are both there, the neutrino's name stands for both.
        parts += [word for word, code in FLAVOURS.items() if code in flavours and (code > 0 or -code not in flavours)]
    return "_".join(parts)


def _interest(keys: list[str], tables: tuple[Coupling, ...], settled: list[FittedCoupling]) -> int:
    """Return the place of the coupling of interest."""
    fitted = [place for place, coupling in enumerate(settled) if coupling.carriers]
    marked = [place for place, table in enumerate(tables) if table.interest]
    if len(marked) > 1:
        raise ConfigError(f"{keys[marked[1]]}.interest: another coupling is of interest already; mark one with true")
    if marked and marked[0] not in fitted:
        raise ConfigError(
            f"{keys[marked[0]]}.interest: this coupling has fixed values only; the coupling of interest is fitted, so"
            " name the flavours to be fitted in carriers"
        )
    if not fitted:
        raise ConfigError(
            f"{keys[0]}.fixed: every coupling has fixed values only; name flavours in carriers to fit one"
        )
    return marked[0] if marked else fitted[0]


def _listed(codes: set[int] | tuple[int, ...]) -> str:
    return ", ".join(name for name, code in FLAVOURS.items() if code in codes)
