"""stablehlo.convolution. Dimension numbers: where in each operand's shape batch, feature and spatial dimensions are."""
from jax import lax

from ..seeded import Seeded
from .compiled import record

NHWC = ("NHWC", "HWIO", "NHWC")

CASES = {
    "valid": ((2, 5, 6, 3), (3, 3, 3, 4), dict(), NHWC),
    "strides": ((1, 7, 8, 2), (3, 2, 2, 3), dict(window_strides=(2, 3)), NHWC),
    "padding": ((1, 5, 5, 2), (3, 3, 2, 3), dict(padding=((1, 2), (0, 3))), NHWC),
    "padding/negative": ((1, 6, 6, 2), (2, 2, 2, 3), dict(padding=((-1, 0), (1, -2))), NHWC),
    "lhs_dilation": ((1, 4, 3, 2), (3, 3, 2, 3), dict(padding=((2, 2), (1, 2)), lhs_dilation=(2, 3)), NHWC),
    "rhs_dilation": ((1, 8, 7, 2), (3, 3, 2, 3), dict(rhs_dilation=(2, 3)), NHWC),
    "everything": ((2, 5, 4, 4), (3, 2, 2, 6), dict(window_strides=(2, 1), padding=((1, 0), (2, 1)), lhs_dilation=(1, 2),
                                                     rhs_dilation=(2, 1), feature_group_count=2), NHWC),
    "feature_groups": ((2, 4, 5, 6), (2, 2, 2, 9), dict(feature_group_count=3), NHWC),
    "depthwise": ((1, 5, 5, 3), (3, 3, 1, 6), dict(feature_group_count=3, padding=((1, 1), (1, 1))), NHWC),
    "batch_groups": ((4, 4, 4, 3), (2, 2, 3, 6), dict(batch_group_count=2), NHWC),
    "nchw": ((2, 3, 5, 4), (4, 3, 2, 3), dict(padding=((1, 0), (0, 1))), ("NCHW", "OIHW", "NCHW")),
    "weight_gradient_layout": ((3, 5, 5, 2), (3, 3, 3, 4), dict(), ("CHWN", "IHWO", "HWNC")),
    "one_dimension": ((2, 9, 3), (4, 3, 5), dict(window_strides=(2,)), ("NWC", "WIO", "NWC")),
    "no_window": ((3, 4), (4, 5), dict(), ("NC", "IO", "NC")),
}


def add(made):
    for name, (lhs, rhs, options, layout) in CASES.items():
        spatial = len(lhs) - 2
        full = dict(window_strides=(1,) * spatial, padding=((0, 0),) * spatial, lhs_dilation=(1,) * spatial, rhs_dilation=(1,) * spatial,
                    feature_group_count=1, batch_group_count=1) | options
        numbers = lax.conv_dimension_numbers(lhs, rhs, layout)
        where = lambda spec, batch, feature: {batch: spec[0], feature: spec[1], "spatial": list(spec[2:])}
        config = full | {"dimension_numbers": {"input": where(numbers.lhs_spec, "batch", "feature"),
                                               "kernel": where(numbers.rhs_spec, "output_feature", "input_feature"),
                                               "output": where(numbers.out_spec, "batch", "feature")}}
        record(made, f"convolution/{name}", "convolution", config,
               lambda a, b: lax.conv_general_dilated(a, b, dimension_numbers=numbers, precision=lax.Precision.HIGHEST, **full),
               Seeded(f"{name}/lhs").normal(*lhs), Seeded(f"{name}/rhs").normal(*rhs))
