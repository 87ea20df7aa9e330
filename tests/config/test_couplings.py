"""The keys `coupling` and `[[couplings]]`: what they mean, and how mistakes are told."""

import json
import pickle
import re
import shutil
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest
from msgspec import UNSET

from spectrafit.config import Analysis, digest, load, schema
from spectrafit.config.couplings import Coupling, settle, table_of_interest
from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling, Monomials

SAMPLES = """
[[samples]]
name = "numu"
role = "signal"
files = "numu.root"
"""
FIT = """
samples = "set.toml"
pot = 3.62e20
{couplings}

[[regions]]
name = "nd"
axes = [{{ observable = "t_reco", edges = [0.3, 0.6, 0.9] }}]

[[systematics]]
kind = "norm"
name = "flux"
sigma = 0.1
"""
NUMU, NUE = (14, -14), (12, -12)
MOMENTS = """
[[couplings]]
name = "magnetic_moment"

[[couplings]]
name = "magnetic_moment"
carriers = ["nue", "nuebar"]
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(couplings: str = "") -> Path:
        # Keys of the file itself stand before its tables.
        top, tables = ("", couplings) if "[[" in couplings else (couplings, "")
        (tmp_path / "set.toml").write_text(SAMPLES)
        (tmp_path / "fit.toml").write_text(FIT.format(couplings=top) + tables)
        return tmp_path / "fit.toml"

    return write


def fitted(name: str, parameter: str = "kappa", carriers: tuple = NUMU, fixed: tuple = ()) -> FittedCoupling:
    return FittedCoupling(parameter=parameter, coupling=COUPLINGS[name], carriers=carriers, fixed=fixed)


def test_without_a_key_it_is_the_magnetic_moment(write) -> None:
    analysis = load(write())
    assert analysis.fitted_couplings == (fitted("magnetic_moment"),)
    assert analysis.interest == "kappa"
    assert analysis.coupling_options.name == "magnetic_moment"


@pytest.mark.parametrize("name", sorted(COUPLINGS))
def test_the_short_form_and_the_list_of_one_say_the_same(write, name: str) -> None:
    one = load(write(f'coupling = "{name}"'))
    assert one.fitted_couplings == (fitted(name, carriers=COUPLINGS[name].carriers),)
    for same in (f'coupling = {{ name = "{name}" }}', f'[[couplings]]\nname = "{name}"'):
        assert load(write(same)).fitted_couplings == one.fitted_couplings
        assert load(write(same)).interest == one.interest == "kappa"


def test_a_table_says_carriers_fixed_values_and_a_parameter(write) -> None:
    table = 'coupling = { name = "magnetic_moment", carriers = ["numu"], fixed = { nue = 1e-10 }, parameter = "mu2" }'
    analysis = load(write(table))
    assert analysis.fitted_couplings == (fitted("magnetic_moment", "mu2", (14,), ((12, 1e-10),)),)
    assert analysis.interest == "mu2"


def test_the_order_of_flavours_says_nothing(write) -> None:
    one, other = (
        f'coupling = {{ name = "magnetic_moment", carriers = {carriers}, fixed = {{ {fixed} }} }}'
        for carriers, fixed in (
            (["numubar", "numu"], "nuebar = 1e-10, nue = 2e-10"),
            (["numu", "numubar", "numu"], "nue = 2e-10, nuebar = 1e-10"),
        )
    )
    assert load(write(one)).fitted_couplings == load(write(other)).fitted_couplings


@pytest.mark.parametrize(
    ("text", "expected", "interest", "monomials"),
    [
        pytest.param(
            MOMENTS,
            (fitted("magnetic_moment"), fitted("magnetic_moment", "kappa_nue", NUE)),
            "kappa",
            ((0, 0), (1, 0), (0, 1)),
            id="moments of nu_mu and nu_e",
        ),
        pytest.param(
            '[[couplings]]\nname = "charge_radius"\n[[couplings]]\nname = "weak_mixing_angle"\n',
            (
                fitted("charge_radius"),
                fitted("weak_mixing_angle", "kappa_weak_mixing_angle", (12, -12, 14, -14, 16, -16)),
            ),
            "kappa",
            ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)),
            id="charge radius and weak mixing angle",
        ),
        pytest.param(
            '[[couplings]]\nname = "charge_radius"\n[[couplings]]\nname = "magnetic_moment"\ninterest = true\n',
            (fitted("charge_radius"), fitted("magnetic_moment", "kappa_magnetic_moment")),
            "kappa_magnetic_moment",
            ((0, 0), (1, 0), (0, 1), (2, 0)),
            id="moment and charge radius, the second of interest",
        ),
        pytest.param(
            '[[couplings]]\nname = "charge_radius"\nfixed = { numu = 1e-32, numubar = 2e-32 }\n' + MOMENTS,
            (
                fitted("charge_radius", "kappa_charge_radius", (), ((14, 1e-32), (-14, 2e-32))),
                fitted("magnetic_moment"),
                fitted("magnetic_moment", "kappa_nue", NUE),
            ),
            "kappa",
            ((0, 0), (1, 0), (0, 1)),
            id="a coupling that is held",
        ),
        pytest.param(
            '[[couplings]]\nname = "magnetic_moment"\nprofiled = false\nfixed = { nue = 1e-10 }\n'
            '[[couplings]]\nname = "magnetic_moment"\n',
            (
                fitted("magnetic_moment", "kappa_magnetic_moment", (), ((12, 1e-10),)),
                fitted("magnetic_moment", "kappa"),
            ),
            "kappa",
            ((0,), (1,)),
            id="held for one flavour, fitted for another",
        ),
        pytest.param(
            MOMENTS.replace('"magnetic_moment"', '"charge_radius"')
            + '[[couplings]]\nname = "magnetic_moment"\n'
            + '[[couplings]]\nname = "magnetic_moment"\ncarriers = ["nuebar", "nutau"]\n',
            (
                fitted("charge_radius"),
                fitted("charge_radius", "kappa_nue", NUE),
                fitted("magnetic_moment", "kappa_magnetic_moment"),
                fitted("magnetic_moment", "kappa_magnetic_moment_nuebar_nutau", (-12, 16)),
            ),
            "kappa",
            ((0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (2, 0, 0, 0), (0, 2, 0, 0)),
            id="four with names of their own",
        ),
    ],
)
def test_several_couplings(write, text: str, expected: tuple, interest: str, monomials: tuple) -> None:
    analysis = load(write(text))
    assert analysis.fitted_couplings == expected
    assert analysis.interest == interest
    assert Monomials.of(analysis.fitted_couplings).exponents == monomials
    assert pickle.loads(pickle.dumps(analysis)) == analysis
    jsonschema.validate(json.loads(json.dumps(tomllib.loads(write(text).read_text()))), schema(Analysis))


SECOND = '[[couplings]]\nname = "charge_radius"\n[[couplings]]\nname = "magnetic_moment"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'coupling = "magnetic"',
            r"\$\.coupling: no coupling 'magnetic'; did you mean 'magnetic_moment'",
        ),
        (
            'coupling = { name = "charge_radii" }',
            r"\$\.coupling\.name: no coupling 'charge_radii'; did you mean 'charge_radius'",
        ),
        (SECOND.replace("magnetic_moment", "moment"), r"\$\.couplings\[1\]\.name: no coupling 'moment'"),
        (SECOND + 'carriers = ["mu"]', r"\$\.couplings\[1\]\.carriers\[0\]: no choice 'mu'; did you mean 'numu'"),
        (SECOND + 'paramter = "x"', r"\$\.couplings\[1\]\.paramter: unknown key; did you mean 'parameter'"),
        (SECOND + "fixed = { nue = inf }", r"\$\.couplings\[1\]\.fixed.*(inf|finite)"),
        (
            SECOND + "fixed = { numu = 1e-10 }",
            r"\$\.couplings\[1\]\.fixed: numu has a fixed value, but magnetic_moment is fitted for numu, numubar",
        ),
        (
            SECOND + 'carriers = ["numu", "nue"]\nfixed = { nue = 1e-10, nutau = 1e-10 }',
            r"\$\.couplings\[1\]\.fixed: nue carries the fitted coupling",
        ),
        (
            SECOND + 'carriers = ["numu"]\nprofiled = false',
            r"\$\.couplings\[1\]\.carriers: carriers are fitted, but profiled = false",
        ),
        (SECOND + "profiled = false", r"\$\.couplings\[1\]\.profiled: false holds the coupling at the values of fixed"),
        (
            SECOND + "profiled = false\ninterest = true\nfixed = { nue = 1e-10 }",
            r"\$\.couplings\[1\]\.interest: this coupling has fixed values only",
        ),
        (
            SECOND.replace('radius"', 'radius"\ninterest = true') + "interest = true",
            r"\$\.couplings\[1\]\.interest: another coupling is of interest already",
        ),
        (
            'coupling = { name = "magnetic_moment", fixed = { numu = 1e-10, numubar = 1e-10 } }',
            r"\$\.coupling\.fixed: every coupling has fixed values only",
        ),
        (
            MOMENTS + 'parameter = "kappa"',
            r"\$\.couplings\[1\]\.parameter: two couplings have the parameter 'kappa'",
        ),
        (MOMENTS + 'parameter = "kappa e"', r"\$\.couplings\[1\]\.parameter: 'kappa e' is no name for a parameter"),
        (
            MOMENTS + 'parameter = "flux"',
            r"\$\.systematics\[0\]\.name: 'flux' cannot be a systematic's name \(a coupling's parameter has it",
        ),
        (
            MOMENTS.replace('"nuebar"', '"numu"'),
            r"\$\.couplings\[1\]: magnetic_moment of numu is listed before, as parameter 'kappa'",
        ),
    ],
)
def test_mistakes_name_the_key_and_the_remedy(write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError, match=message) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: $.")
    assert "\n" not in str(raised.value)


def test_both_forms_at_once_are_refused(write) -> None:
    path = write(MOMENTS)
    with pytest.raises(ConfigError, match=r"\$\.couplings: the file has the key coupling too"):
        load(path, overrides=["coupling=charge_radius"])


def test_keys_of_the_list_can_be_set_from_outside(write) -> None:
    analysis = load(write(MOMENTS), overrides=["couplings.1.interest=true", "couplings.1.parameter=mu2_e"])
    assert analysis.interest == "mu2_e"
    assert analysis.coupling_options.carriers == ("nue", "nuebar")


def test_an_analysis_made_in_python_is_checked_when_asked(write) -> None:
    analysis = load(write(MOMENTS))
    twice = msgspec.structs.replace(analysis, couplings=(analysis.couplings[0],) * 2)
    with pytest.raises(ConfigError, match=r"fit\.toml: \$\.couplings\[1\]: magnetic_moment of numu, numubar is listed"):
        _ = twice.fitted_couplings


def test_the_digest_follows_the_couplings(write) -> None:
    digests = [digest(load(write(text))) for text in (MOMENTS, MOMENTS + "interest = true", SECOND)]
    assert len(set(digests)) == 3


def test_the_examples_of_the_page_about_fits_load(write, tmp_path) -> None:
    project = Path(__file__).parents[2]
    page = (project / "fits" / "README.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    variations = [example for example in examples if example.startswith("include")]
    assert variations
    for folder in ("fits", "samples"):
        shutil.copytree(project / folder, tmp_path / "shipped" / folder)
    for variation in variations:
        varied = tmp_path / "shipped" / "fits" / "varied.toml"
        varied.write_text(variation)
        assert load(varied).title != load(varied.parent / "nova_nd_fhc.toml").title
    whole = [example for example in examples if example.startswith("exposure")]
    for example in whole:
        (tmp_path / "whole.toml").write_text(example)
        assert load(tmp_path / "whole.toml").tables
    # test_readme fits the examples of every systematic.
    systematics = [example for example in examples if example.startswith("[[systematics]]")]
    others = [example for example in examples if example not in variations + whole + systematics]
    assert len(others) >= 5
    for example in others:
        found = [coupling.coupling for coupling in load(write(example)).fitted_couplings]
        assert len(found) == max(1, example.count("[[couplings]]"))
    for coupling in COUPLINGS.values():
        assert f"| `{coupling.name}` |" in page


def test_settle_takes_keys_without_a_file() -> None:
    tables = (Coupling(name="charge_radius"), Coupling(name="weak_mixing_angle", interest=True))
    found, interest = settle(UNSET, tables, "x.toml")
    assert [coupling.coupling for coupling in found] == [COUPLINGS[table.name] for table in tables]
    assert table_of_interest(UNSET, tables, "x.toml") is tables[interest] is tables[1]
    with pytest.raises(ConfigError, match=r"x\.toml: \$\.couplings: the file has the key coupling too"):
        settle("millicharge", tables, "x.toml")
