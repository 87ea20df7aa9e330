"""Hypothesis strategies for small HistFactory workspaces of every modifier type."""

from hypothesis import strategies as st


def _floats(low, high):
    return st.floats(low, high, allow_nan=False).map(lambda x: round(x, 4))


@st.composite
def _modifiers(draw, channel, sample, nominal, shapefactor):
    n = len(nominal)

    def bins(low, high):
        return [draw(_floats(low, high)) for _ in range(n)]

    def scaled(low, high):
        return [round(y * f, 4) for y, f in zip(nominal, bins(low, high), strict=True)]

    found = []
    if draw(st.booleans()):
        found.append({"name": draw(st.sampled_from(("mu", "mu", "rate"))), "type": "normfactor", "data": None})
    for name in ("a", "b"):
        if draw(st.booleans()):
            data = {"lo": draw(_floats(0.6, 1.2)), "hi": draw(_floats(0.8, 1.5))}
            found.append({"name": name, "type": "normsys", "data": data})
    for name in ("b", "c"):
        if draw(st.booleans()):
            low = -0.2 if draw(st.integers(0, 9)) == 0 else 0.6
            data = {"lo_data": scaled(low, 1.2), "hi_data": [round(x + 0.1, 4) for x in scaled(0.8, 1.5)]}
            found.append({"name": name, "type": "histosys", "data": data})
    if draw(st.booleans()):
        found.append({"name": "lumi", "type": "lumi", "data": None})
    if draw(st.booleans()):
        found.append({"name": f"shape_{channel}_{sample}", "type": "shapesys", "data": scaled(0.0, 0.8)})
    if draw(st.booleans()):
        found.append({"name": f"stat_{channel}", "type": "staterror", "data": bins(0.0, 3.0)})
    if shapefactor and draw(st.booleans()):
        found.append({"name": "free", "type": "shapefactor", "data": None})
    return found


@st.composite
def workspaces(draw):
    """Up to three channels of up to four bins and three samples; parameters shared between them; empty bins."""
    channels, observations = [], []
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    # The first channel in alphabetical order is the longest: pyhf needs that of a shared shapefactor.
    sizes.sort(reverse=True)
    for i, n in enumerate(sizes):
        name, samples = f"channel{i}", []
        for s in range(draw(st.integers(1, 3))):
            nominal = [draw(st.one_of(st.just(0.0), _floats(0.5, 60.0))) for _ in range(n)]
            modifiers = draw(_modifiers(name, s, nominal, shapefactor=s == 0))
            samples.append({"name": f"sample{s}", "data": nominal, "modifiers": modifiers})
        channels.append({"name": name, "samples": samples})
        expected = [sum(sample["data"][b] for sample in samples) for b in range(n)]
        seen = [y * draw(_floats(0.7, 1.3)) + draw(st.sampled_from((0.0, 0.0, 1.0))) for y in expected]
        digits = draw(st.sampled_from((0, 0, 2)))
        observations.append({"name": name, "data": [round(y, digits) for y in seen]})
    settings = [{"name": "lumi", "inits": [1.0], "bounds": [[0.5, 1.5]], "auxdata": [1.01], "sigmas": [0.03]}]
    if draw(st.booleans()):
        settings.append({"name": "a", "fixed": True, "inits": [0.3]})
    if draw(st.booleans()):
        settings.append({"name": "mu", "bounds": [[draw(_floats(-1.5, 0.0)), 4.0]], "inits": [0.5]})
    if draw(st.booleans()):
        settings.append({"name": "c", "auxdata": [0.4]})
    return {
        "channels": draw(st.permutations(channels)),
        "observations": observations,
        "measurements": [{"name": "fit", "config": {"poi": "mu", "parameters": settings}}],
        "version": "1.0.0",
    }
