"""Which predictor a model has."""

from armillary.errors import ArmillaryError
from armillary.model.config import ModelConfig
from armillary.model.dynamics.gru import GRUPredictor
from armillary.model.dynamics.linear import CombinedPredictor, LinearPredictor
from armillary.model.dynamics.map import MapPredictor
from armillary.model.dynamics.mlp import MLPPredictor
from armillary.model.dynamics.predictor import Predictor
from armillary.model.dynamics.transformer import TransformerPredictor


def new_predictor(config: ModelConfig, action: int, grid: tuple[int, int, int]) -> Predictor:
    """A fresh predictor.

    Args:
        action: width of the action block.
        grid: (height, width, channels) of the map that stands behind the latent, if there is one.

    Raises:
        ArmillaryError: settings that do not go together.
    """
    if not 0 <= config.linear < 1 or (config.linear and config.map_channels):
        raise ArmillaryError(f"the share of a linear path is 0 or more and below 1, and 0 beside a map; got {config.linear:g}")
    network = _network(config, action, grid)
    if not config.linear:
        return network
    return CombinedPredictor(network, LinearPredictor(config.latent, action, config.context), config.linear)


def _network(config: ModelConfig, action: int, grid: tuple[int, int, int]) -> Predictor:
    if bool(config.map_channels) != (config.predictor == "map"):
        raise ArmillaryError(
            f"a predictor 'map' and map_channels go together; got {config.predictor!r} and {config.map_channels}"
        )
    if config.ahead and (config.predictor != "gru" or config.linear or min(config.ahead) < 2):
        raise ArmillaryError(f"steps ahead are 2 or more, of a predictor 'gru' without a linear path; got {config.ahead}")
    if config.predictor in ("mlp", "map") and config.context != 1:
        raise ArmillaryError(f"an MLP predictor sees one step; a context of {config.context} needs 'gru' or 'transformer'")
    if config.predictor == "map":
        return MapPredictor(config.latent, grid, action, config.predictor_width, config.predictor_depth)
    if config.predictor == "mlp":
        return MLPPredictor(config.latent, action, config.predictor_width, config.predictor_depth)
    if config.predictor == "gru":
        return GRUPredictor(config.latent, action, config.predictor_width, config.context, config.ahead)
    return TransformerPredictor(
        config.latent,
        action,
        depth=config.predictor_depth,
        heads=config.predictor_heads,
        hidden=config.predictor_width,
        context=config.context,
        dropout=config.dropout,
        head=config.predictor_head,
    )
