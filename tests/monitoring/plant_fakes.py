"""A small plant with a valve: tables of it, and a model that learned it in a second."""

from pathlib import Path

import numpy as np

SENSORS = ("flow [l/min]", "pressure [bar]", "temperature [C]", "current [A]")


def plant(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A valve is turned now and then; flow and pressure follow it, temperature is slow, current is noise around a level."""
    rng = np.random.default_rng(seed)
    valve = np.repeat(rng.uniform(0, 1, rows // 25 + 1), 25)[:rows]
    flow, temperature = np.zeros(rows), np.zeros(rows)
    for t in range(1, rows):
        flow[t] = 0.7 * flow[t - 1] + 0.3 * valve[t - 1] + 0.01 * rng.normal()
        temperature[t] = 0.99 * temperature[t - 1] + 0.05 * rng.normal()
    noise = rng.normal(size=(2, rows))
    values = (30 + 20 * flow, 4 - 2 * flow + 0.02 * noise[0], 70 + temperature, 3 + 0.3 * noise[1])
    return {"t": np.arange(rows) * 0.5, "valve": valve, **dict(zip(SENSORS, values, strict=True))}


def write(path: Path, columns: dict[str, np.ndarray]) -> Path:
    """CSV with every digit."""
    rows = [",".join(columns), *(",".join(str(cell) for cell in row) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path
