from hypothesis import settings

# The first call of a compiled function builds it: no deadline on an example. The same examples every time.
settings.register_profile("spectrafit", deadline=None, derandomize=True)
settings.load_profile("spectrafit")
