from tests.report.conftest import case

__all__ = ["case"]
