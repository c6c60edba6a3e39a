"""Experiments: recipes, the training loop, run folders, pictures, checks and predictions."""

from tinygrad_bp.train.check import check_recipe
from tinygrad_bp.train.interrupt import Interrupted
from tinygrad_bp.train.predict import predict
from tinygrad_bp.train.recipe import Recipe, load_recipe, recipe_names
from tinygrad_bp.train.run import RunFolder, resume, train
from tinygrad_bp.train.samples import Samples, load_samples
from tinygrad_bp.train.trainer import Trainer

__all__ = [
    "Interrupted",
    "Recipe",
    "RunFolder",
    "Samples",
    "Trainer",
    "check_recipe",
    "load_recipe",
    "load_samples",
    "predict",
    "recipe_names",
    "resume",
    "train",
]
