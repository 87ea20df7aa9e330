from spectrafit.config.responses import Response


def test_the_files_of_a_response_are_named():
    assert Response(quenching="lindhard").tables == ()
    named = Response(
        quenching="q.csv", efficiency_table="e.root:h", energy_matrix="m.root:m", energy_resolution="r.csv"
    )
    assert named.tables == ("q.csv", "r.csv", "m.root:m", "e.root:h")
