"""The command `chart`: tables and results in, a table on the terminal, JSON and files out."""

import json

import pytest

from spectrafit.cli import charts, main
from spectrafit.errors import ConfigError
from tests.report.test_chart import result


def test_the_command_takes_tables_and_results(tmp_path, capsys):
    table, folder = tmp_path / "own.toml", tmp_path / "lsnd"
    table.write_text(
        '[[limits]]\nexperiment = "Next"\nyear = 2030\nflavour = "numu"\nkind = "projected"\n'
        'reference = "proposal"\nvalue = 1e-10\n',
        encoding="utf-8",
    )
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps(result()), encoding="utf-8")
    charts.chart([table, folder], [tmp_path / "c.csv"], json=True, sky=False)
    said = json.loads(capsys.readouterr().out)["limits"]
    assert {"Next", "LSND"} <= {row["experiment"] for row in said}
    assert (tmp_path / "c.csv").read_text(encoding="utf-8").count("\n") == len(said) + 1
    charts.chart([table], literature=False, sky=False)
    assert "1e-10" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="is an input"):
        charts.chart([table], [table])


def test_other_files_are_a_mistake(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["chart", "-o", str(tmp_path / "c.doc")])
    assert left.value.code == 2
    assert "no format" in capsys.readouterr().err
