"""Learning rates by step; a pure function of the step, so that a resumed run goes on exactly."""

from __future__ import annotations

from typing import Any

import keras

from pixelproof.models.training.recipe import Optimizer


@keras.saving.register_keras_serializable(package="pixelproof")
class Constant(keras.optimizers.schedules.LearningRateSchedule):
    """The same at every step; a schedule, so that every optimizer has the same variables whatever its rate does."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate

    def __call__(self, step: Any) -> Any:
        """The rate."""
        return keras.ops.convert_to_tensor(self.learning_rate, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"learning_rate": self.learning_rate}


def schedule_of(optimizer: Optimizer, *, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The rate of each step, counted from 0.

    Args:
        steps: of the whole run.
    """
    schedules = keras.optimizers.schedules
    rate = optimizer.learning_rate
    match optimizer.schedule:
        case "cosine":
            return schedules.CosineDecay(rate, decay_steps=steps)
        case "cosine-restarts":
            return schedules.CosineDecayRestarts(
                rate,
                first_decay_steps=optimizer.first_period,
                t_mul=optimizer.period_factor,
                m_mul=optimizer.restart_factor,
            )
        case "steps":
            rates = [rate * optimizer.gamma**passed for passed in range(len(optimizer.milestones) + 1)]
            return schedules.PiecewiseConstantDecay(list(optimizer.milestones), rates)
        case _:
            return Constant(rate)
