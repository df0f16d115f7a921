"""Position ids of a batch whose sequences all have the same length.

M-RoPE's position ids are (4, T) per row. When every T of a batch is equal, torch takes the first dimension for the ragged one;
verl then declares the second ragged without moving the data, and splitting the batch fails with "The size of tensor a (4) must
match".
That happens whenever all rollouts are cut at the same length. Unnecessary once verl rebuilds the tensor itself.
"""

from __future__ import annotations

from typing import Any

FOR = {"verl": "0.9.1", "torch": "2.13.0"}


def apply() -> None:
    """Replaces verl's repair of position ids; its callers import it later than the plugin runs."""
    import verl.utils.tensordict_utils as target

    target.maybe_fix_3d_position_ids = repair


def repair(data: Any) -> None:
    """Twin of `verl.utils.tensordict_utils.maybe_fix_3d_position_ids`: makes the last dimension the ragged one, in place."""
    from verl.utils.tensordict_utils import nested_tensor_from_tensor_list

    if "position_ids" not in data.keys():
        return
    positions = data["position_ids"]
    if not positions.is_nested or positions.dim() != 3:
        return
    offsets, values = positions.offsets(), positions.values()
    rows = len(offsets) - 1
    if values.shape[0] == int(offsets[-1]):  # (rows · 4, T): the axes were taken for the ragged dimension
        data["position_ids"] = nested_tensor_from_tensor_list(list(values.view(rows, -1, values.shape[-1]).unbind()), ragged_idx=2)
    else:
        positions._ragged_idx = 2
