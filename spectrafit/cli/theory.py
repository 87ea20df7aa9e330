"""Commands about physics alone: xsec, moment."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from spectrafit.cli.answers import Answer, Drawn, Json, Tables, checked_files, give

__all__ = ["moment", "xsec"]


def xsec(
    flavour: Annotated[str, typer.Option(help="nue, numu or nutau, or one of these with bar")] = "numu",
    e_nu: Annotated[float, typer.Option(help="neutrino energy, GeV")] = 2.0,
    mu: Annotated[list[float] | None, typer.Option(help="magnetic moment, mu_B; several may be drawn")] = None,
    t: Annotated[list[float] | None, typer.Option(help="electron kinetic energies of the table, GeV")] = None,
    sm: Annotated[Literal["tree", "effective", "bks"], typer.Option(help="Standard Model cross section")] = "tree",
    sin2_theta_w: Annotated[float, typer.Option(help="sin^2 theta_W")] = 0.23863,
    threshold: Annotated[float | None, typer.Option(help="detection threshold to show in the figure, GeV")] = None,
    output: Drawn = None,
    json: Json = False,
) -> None:
    """Print or draw the Standard Model and magnetic cross sections, their ratio and where they are equal."""
    from rich.console import Group

    from spectrafit.report.cross_sections import cross_section_numbers, cross_section_table, draw_cross_sections

    targets = checked_files(output, draws=True)
    moments = mu or [1e-9]
    found = [
        cross_section_numbers(flavour=flavour, e_nu=e_nu, mu=one, t=t or (), sm=sm, sin2_theta_w=sin2_theta_w)
        for one in moments
    ]
    answer = Answer(
        text=lambda: Group(*map(cross_section_table, found)),
        summary=lambda: {"cross_sections": found},
        rows=lambda: [{"mu": one["mu"], **point} for one in found for point in one["points"]],
        draw=lambda target: draw_cross_sections(
            target, flavour=flavour, e_nu=e_nu, mu=moments, sm=sm, sin2_theta_w=sin2_theta_w, threshold=threshold
        ),
    )
    give(answer, json=json, files=targets)


def moment(
    mu: Annotated[
        tuple[float, float, float],
        typer.Argument(
            metavar="MU1 MU2 MU3", help="mu_11, mu_22, mu_33 (Dirac) or mu_23, mu_31, mu_12 (Majorana), mu_B"
        ),
    ],
    nature: Annotated[Literal["dirac", "majorana"], typer.Option(help="what neutrinos are")] = "dirac",
    ordering: Annotated[Literal["normal", "inverted"], typer.Option(help="mixing of the PDG for")] = "normal",
    baseline: Annotated[float, typer.Option(help="km")] = 810.0,
    e_nu: Annotated[float, typer.Option(help="GeV")] = 2.0,
    lightest: Annotated[float, typer.Option(help="mass of the lightest neutrino, eV")] = 0.01,
    scale: Annotated[float, typer.Option(help="scale of new physics, TeV, for the naturalness bounds")] = 1.0,
    output: Tables = None,
    json: Json = False,
) -> None:
    """Print effective moments for moments of the mass states, with predictions and naturalness bounds for scale."""
    from spectrafit.report.moments import moment_numbers, moment_table

    targets = checked_files(output)
    found = moment_numbers(
        mu, nature=nature, ordering=ordering, baseline=baseline, e_nu=e_nu, lightest=lightest, scale=scale
    )
    answer = Answer(text=lambda: moment_table(found), summary=lambda: found, rows=lambda: found["rows"])
    give(answer, json=json, files=targets)
