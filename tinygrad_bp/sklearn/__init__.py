"""Networks as estimators of scikit-learn: in its pipelines, searches and cross-validations."""

from tinygrad_bp.errors import missing_extra

try:
    import sklearn  # noqa: F401 - scikit-learn, as all imports here are absolute
except ImportError as error:
    raise missing_extra("scikit-learn", "train", "tinygrad_bp.sklearn") from error

from tinygrad_bp.sklearn.classifier import NetworkClassifier
from tinygrad_bp.sklearn.regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
