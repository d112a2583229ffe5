"""What is known of a graph's inner tensors without running it."""

from onnx import ModelProto, TensorProto, shape_inference


def float_values(model: ModelProto) -> frozenset[str]:
    """Names of the float32 tensors that nodes give or the graph takes."""
    graph = shape_inference.infer_shapes(model).graph
    return frozenset(
        value.name
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    )


def maps_of_positions(model: ModelProto) -> dict[str, tuple[int, int]]:
    """The tensors [batch, channels, h, w] of more than one position: name -> (h, w)."""
    shapes = {
        value.name: value.type.tensor_type.shape.dim
        for value in shape_inference.infer_shapes(model).graph.value_info
    }
    return {
        name: (shape[2].dim_value, shape[3].dim_value)
        for name, shape in shapes.items()
        if len(shape) == 4 and shape[2].dim_value * shape[3].dim_value > 1
    }
