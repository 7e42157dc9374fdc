"""The schema of TFLite's model files, as data.

Facts of the public schema (tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, file mark ``TFL3``) as LiteRT
2.3 has it; a test compares them with the generated schema that comes with the runtime. The short form is that of
`pixelproof.measure.scan.flatbuffer_schema.parse_schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pixelproof.measure.scan.flatbuffer_schema import Schema, parse_schema

_WITH_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "CustomQuantization": "custom:[u1]",
        "BlockwiseQuantization": "scales:i4 zero_points:i4 block_size:i4 block_shape:[i4]",
        "MultiAxisQuantization": "scales:i4 zero_points:i4 block_size:i4 quantized_dimensions:[i4]",
        "QuantizationParameters": (
            "min:[f4] max:[f4] scale:[f4] zero_point:[i8] details_type:u1 details:QuantizationDetails? "
            "quantized_dimension:i4"
        ),
        "Int32Vector": "values:[i4]",
        "Uint16Vector": "values:[u2]",
        "Uint8Vector": "values:[u1]",
        "DimensionMetadata": (
            "format:i1 dense_size:i4 array_segments_type:u1 array_segments:SparseIndexVector? "
            "array_indices_type:u1 array_indices:SparseIndexVector?"
        ),
        "SparsityParameters": "traversal_order:[i4] block_map:[i4] dim_metadata:[DimensionMetadata]",
        "VariantSubType": "shape:[i4] type:i1 has_rank:u1",
        "Tensor": (
            "shape:[i4] type:i1 buffer:u4 name:str quantization:QuantizationParameters is_variable:u1 "
            "sparsity:SparsityParameters shape_signature:[i4] has_rank:u1 variant_tensors:[VariantSubType] "
            "external_buffer:u4"
        ),
        "StablehloGatherOptions": (
            "offset_dims:[i8] collapsed_slice_dims:[i8] start_index_map:[i8] index_vector_dim:i8 "
            "slice_sizes:[i8] indices_are_sorted:u1"
        ),
        "StablehloTransposeOptions": "permutation:[i8]",
        "StablehloDotGeneralOptions": (
            "lhs_batching_dimensions:[i8] rhs_batching_dimensions:[i8] lhs_contracting_dimensions:[i8] "
            "rhs_contracting_dimensions:[i8] precision_config:[u4]"
        ),
        "StablehloReduceWindowOptions": (
            "window_dimensions:[i8] window_strides:[i8] base_dilations:[i8] window_dilations:[i8] padding:[i8] "
            "body_subgraph_index:i4"
        ),
        "StablehloWhileOptions": "cond_subgraph_index:i4 body_subgraph_index:i4",
        "StablehloSortOptions": "dimension:i8 is_stable:u1 comparator_subgraph_index:i4",
        "StablehloConcatenateOptions": "dimension:i8",
        "StablehloBroadcastInDimOptions": "broadcast_dimensions:[i8]",
        "StablehloCompareOptions": "comparison_direction:u4 compare_type:u4",
        "StablehloDynamicSliceOptions": "slice_sizes:[i8]",
        "StablehloPadOptions": "edge_padding_low:[i8] edge_padding_high:[i8] interior_padding:[i8]",
        "StablehloIotaOptions": "iota_dimension:i8",
        "StablehloCustomCallOptions": (
            "call_target_name:str has_side_effect:u1 backend_config:str api_version:i4 called_computations:[i4] "
            "custom_attributes:[u1]"
        ),
        "StablehloReduceOptions": "dimensions:[i8] body_subgraph_index:i4",
        "StablehloSliceOptions": "start_indices:[i8] limit_indices:[i8] strides:[i8]",
        "StablehloConvolutionOptions": (
            "window_strides:[i8] padding:[i8] lhs_dilation:[i8] rhs_dilation:[i8] window_reversal:[u1] "
            "input_batch_dimension:i8 input_feature_dimension:i8 input_spatial_dimensions:[i8] "
            "kernel_input_feature_dimension:i8 kernel_output_feature_dimension:i8 "
            "kernel_spatial_dimensions:[i8] output_batch_dimension:i8 output_feature_dimension:i8 "
            "output_spatial_dimensions:[i8] feature_group_count:i8 batch_group_count:i8 precision_config:[u4]"
        ),
        "StablehloScatterOptions": (
            "indices_are_sorted:u1 update_window_dims:[i8] inserted_window_dims:[i8] "
            "scatter_dims_to_operand_dims:[i8] index_vector_dim:i8 unique_indices:u1 "
            "update_computation_subgraph_index:i4"
        ),
        "StablehloCaseOptions": "branch_subgraph_indices:[i4]",
        "StablehloRngBitGeneratorOptions": "algorithm:i1",
        "Conv2DOptions": (
            "padding:i1 stride_w:i4 stride_h:i4 fused_activation_function:i1 dilation_w_factor:i4=1 "
            "dilation_h_factor:i4=1 quantized_bias_type:i1"
        ),
        "Conv3DOptions": (
            "padding:i1 stride_d:i4 stride_w:i4 stride_h:i4 fused_activation_function:i1 dilation_d_factor:i4=1 "
            "dilation_w_factor:i4=1 dilation_h_factor:i4=1"
        ),
        "Pool2DOptions": (
            "padding:i1 stride_w:i4 stride_h:i4 filter_width:i4 filter_height:i4 fused_activation_function:i1"
        ),
        "DepthwiseConv2DOptions": (
            "padding:i1 stride_w:i4 stride_h:i4 depth_multiplier:i4 fused_activation_function:i1 "
            "dilation_w_factor:i4=1 dilation_h_factor:i4=1"
        ),
        "ConcatEmbeddingsOptions": (
            "num_channels:i4 num_columns_per_channel:[i4] embedding_dim_per_channel:[i4]"
        ),
        "LSHProjectionOptions": "type:i1",
        "SVDFOptions": "rank:i4 fused_activation_function:i1 asymmetric_quantize_inputs:u1",
        "RNNOptions": "fused_activation_function:i1 asymmetric_quantize_inputs:u1",
        "SequenceRNNOptions": "time_major:u1 fused_activation_function:i1 asymmetric_quantize_inputs:u1",
        "BidirectionalSequenceRNNOptions": (
            "time_major:u1 fused_activation_function:i1 merge_outputs:u1 asymmetric_quantize_inputs:u1"
        ),
        "FullyConnectedOptions": (
            "fused_activation_function:i1 weights_format:i1 keep_num_dims:u1 asymmetric_quantize_inputs:u1 "
            "quantized_bias_type:i1 quant_spec:[u1]"
        ),
        "SoftmaxOptions": "beta:f4",
        "ConcatenationOptions": "axis:i4 fused_activation_function:i1",
        "AddOptions": "fused_activation_function:i1 pot_scale_int16:u1=1",
        "MulOptions": "fused_activation_function:i1",
        "L2NormOptions": "fused_activation_function:i1",
        "LocalResponseNormalizationOptions": "radius:i4 bias:f4 alpha:f4 beta:f4",
        "LSTMOptions": (
            "fused_activation_function:i1 cell_clip:f4 proj_clip:f4 kernel_type:i1 "
            "asymmetric_quantize_inputs:u1"
        ),
        "UnidirectionalSequenceLSTMOptions": (
            "fused_activation_function:i1 cell_clip:f4 proj_clip:f4 time_major:u1 asymmetric_quantize_inputs:u1 "
            "diagonal_recurrent_tensors:u1"
        ),
        "BidirectionalSequenceLSTMOptions": (
            "fused_activation_function:i1 cell_clip:f4 proj_clip:f4 merge_outputs:u1 time_major:u1=1 "
            "asymmetric_quantize_inputs:u1"
        ),
        "ResizeBilinearOptions": "- - align_corners:u1 half_pixel_centers:u1",
        "ResizeNearestNeighborOptions": "align_corners:u1 half_pixel_centers:u1",
        "CallOptions": "subgraph:u4",
        "ReshapeOptions": "new_shape:[i4]",
        "SkipGramOptions": "ngram_size:i4 max_skip_size:i4 include_all_ngrams:u1",
        "SpaceToDepthOptions": "block_size:i4",
        "DepthToSpaceOptions": "block_size:i4",
        "SubOptions": "fused_activation_function:i1 pot_scale_int16:u1=1",
        "DivOptions": "fused_activation_function:i1",
        "EmbeddingLookupSparseOptions": "combiner:i1",
        "GatherOptions": "axis:i4 batch_dims:i4",
        "ReducerOptions": "keep_dims:u1",
        "SqueezeOptions": "squeeze_dims:[i4]",
        "SplitOptions": "num_splits:i4",
        "SplitVOptions": "num_splits:i4",
        "StridedSliceOptions": (
            "begin_mask:i4 end_mask:i4 ellipsis_mask:i4 new_axis_mask:i4 shrink_axis_mask:i4 offset:u1"
        ),
        "CastOptions": "in_data_type:i1 out_data_type:i1",
        "ArgMaxOptions": "output_type:i1",
        "ArgMinOptions": "output_type:i1",
        "TransposeConvOptions": (
            "padding:i1 stride_w:i4 stride_h:i4 fused_activation_function:i1 quantized_bias_type:i1"
        ),
        "SparseToDenseOptions": "validate_indices:u1",
        "ShapeOptions": "out_type:i1",
        "FakeQuantOptions": "min:f4 max:f4 num_bits:i4 narrow_range:u1",
        "PackOptions": "values_count:i4 axis:i4",
        "OneHotOptions": "axis:i4",
        "UnpackOptions": "num:i4 axis:i4",
        "LeakyReluOptions": "alpha:f4",
        "MirrorPadOptions": "mode:i1",
        "UniqueOptions": "idx_out_type:i1=2",
        "ReverseSequenceOptions": "seq_dim:i4 batch_dim:i4",
        "IfOptions": "then_subgraph_index:i4 else_subgraph_index:i4",
        "CallOnceOptions": "init_subgraph_index:i4",
        "WhileOptions": "cond_subgraph_index:i4 body_subgraph_index:i4",
        "BatchMatMulOptions": "adj_x:u1 adj_y:u1 asymmetric_quantize_inputs:u1",
        "CumsumOptions": "exclusive:u1 reverse:u1",
        "HashtableOptions": "table_id:i4 key_dtype:i1 value_dtype:i1",
        "VarHandleOptions": "container:str shared_name:str",
        "RandomOptions": "seed:i8 seed2:i8",
        "BucketizeOptions": "boundaries:[f4]",
        "GeluOptions": "approximate:u1",
        "ReduceWindowOptions": "reduce_function:i4",
        "OperatorCode": "deprecated_builtin_code:i1 custom_code:str version:i4=1 builtin_code:i4",
        "StableHLOCompositeOptions": (
            "name:str decomposition_subgraph_index:i4 composite_attributes:[u1] composite_attributes_format:i1 "
            "version:i4"
        ),
        "Operator": (
            "opcode_index:u4 inputs:[i4] outputs:[i4] builtin_options_type:u1 builtin_options:BuiltinOptions? "
            "custom_options:[u1] custom_options_format:i1 mutating_variable_inputs:[u1] intermediates:[i4] "
            "large_custom_options_offset:u8 large_custom_options_size:u8 builtin_options_2_type:u1 "
            "builtin_options_2:BuiltinOptions2? debug_metadata_index:i4=-1"
        ),
        "SubGraph": (
            "tensors:[Tensor] inputs:[i4] outputs:[i4] operators:[Operator] name:str debug_metadata_index:i4=-1"
        ),
        "Buffer": "data:[u1] offset:u8 size:u8",
        "ExternalBufferGroup": "name:str",
        "ExternalBuffer": "id:u4 group:u4 offset:u8 - packing:str",
        "Metadata": "name:str buffer:u4",
        "TensorMap": "name:str tensor_index:u4",
        "SignatureDef": "inputs:[TensorMap] outputs:[TensorMap] signature_key:str - subgraph_index:u4",
        "Model": (
            "version:u4 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:str buffers:[Buffer] "
            "metadata_buffer:[i4] metadata:[Metadata] signature_defs:[SignatureDef] "
            "external_buffer_groups:[ExternalBufferGroup] external_buffers:[ExternalBuffer]"
        ),
    }
)

_WITHOUT_FIELDS = (
    "PadOptions PadV2Options SpaceToBatchNDOptions BatchToSpaceNDOptions TopKV2Options "
    "TransposeOptions ExpOptions CosOptions LogSoftmaxOptions DequantizeOptions MaximumMinimumOptions "
    "TileOptions GreaterOptions GreaterEqualOptions LessOptions LessEqualOptions NegOptions "
    "SelectOptions SliceOptions ExpandDimsOptions EqualOptions NotEqualOptions RankOptions PowOptions "
    "LogicalOrOptions AbsOptions HardSwishOptions LogicalAndOptions LogicalNotOptions FloorDivOptions "
    "SquareOptions ZerosLikeOptions FillOptions FloorModOptions RangeOptions SquaredDifferenceOptions "
    "ReverseV2Options AddNOptions GatherNdOptions WhereOptions MatrixDiagOptions QuantizeOptions "
    "MatrixSetDiagOptions NonMaxSuppressionV4Options NonMaxSuppressionV5Options ScatterNdOptions "
    "SelectV2Options DensifyOptions SegmentSumOptions BroadcastToOptions Rfft2dOptions "
    "HashtableFindOptions HashtableImportOptions HashtableSizeOptions ReadVariableOptions "
    "AssignVariableOptions DynamicUpdateSliceOptions UnsortedSegmentProdOptions "
    "UnsortedSegmentMaxOptions UnsortedSegmentSumOptions ATan2Options UnsortedSegmentMinOptions "
    "SignOptions BitcastOptions BitwiseXorOptions RightShiftOptions DilateOptions "
    "StablehloShiftLeftOptions"
)

_UNIONS: Mapping[str, str] = MappingProxyType(
    {
        "SparseIndexVector": "NONE Int32Vector Uint16Vector Uint8Vector",
        "QuantizationDetails": ("NONE CustomQuantization BlockwiseQuantization MultiAxisQuantization"),
        "BuiltinOptions": (
            "NONE Conv2DOptions DepthwiseConv2DOptions ConcatEmbeddingsOptions LSHProjectionOptions "
            "Pool2DOptions SVDFOptions RNNOptions FullyConnectedOptions SoftmaxOptions ConcatenationOptions "
            "AddOptions L2NormOptions LocalResponseNormalizationOptions LSTMOptions ResizeBilinearOptions "
            "CallOptions ReshapeOptions SkipGramOptions SpaceToDepthOptions EmbeddingLookupSparseOptions "
            "MulOptions PadOptions GatherOptions BatchToSpaceNDOptions SpaceToBatchNDOptions TransposeOptions "
            "ReducerOptions SubOptions DivOptions SqueezeOptions SequenceRNNOptions StridedSliceOptions "
            "ExpOptions TopKV2Options SplitOptions LogSoftmaxOptions CastOptions DequantizeOptions "
            "MaximumMinimumOptions ArgMaxOptions LessOptions NegOptions PadV2Options GreaterOptions "
            "GreaterEqualOptions LessEqualOptions SelectOptions SliceOptions TransposeConvOptions "
            "SparseToDenseOptions TileOptions ExpandDimsOptions EqualOptions NotEqualOptions ShapeOptions "
            "PowOptions ArgMinOptions FakeQuantOptions PackOptions LogicalOrOptions OneHotOptions "
            "LogicalAndOptions LogicalNotOptions UnpackOptions FloorDivOptions SquareOptions ZerosLikeOptions "
            "FillOptions BidirectionalSequenceLSTMOptions BidirectionalSequenceRNNOptions "
            "UnidirectionalSequenceLSTMOptions FloorModOptions RangeOptions ResizeNearestNeighborOptions "
            "LeakyReluOptions SquaredDifferenceOptions MirrorPadOptions AbsOptions SplitVOptions "
            "UniqueOptions ReverseV2Options AddNOptions GatherNdOptions CosOptions WhereOptions RankOptions "
            "ReverseSequenceOptions MatrixDiagOptions QuantizeOptions MatrixSetDiagOptions HardSwishOptions "
            "IfOptions WhileOptions DepthToSpaceOptions NonMaxSuppressionV4Options NonMaxSuppressionV5Options "
            "ScatterNdOptions SelectV2Options DensifyOptions SegmentSumOptions BatchMatMulOptions "
            "CumsumOptions CallOnceOptions BroadcastToOptions Rfft2dOptions Conv3DOptions HashtableOptions "
            "HashtableFindOptions HashtableImportOptions HashtableSizeOptions VarHandleOptions "
            "ReadVariableOptions AssignVariableOptions RandomOptions BucketizeOptions GeluOptions "
            "DynamicUpdateSliceOptions UnsortedSegmentProdOptions UnsortedSegmentMaxOptions "
            "UnsortedSegmentMinOptions UnsortedSegmentSumOptions ATan2Options SignOptions BitcastOptions "
            "BitwiseXorOptions RightShiftOptions"
        ),
        "BuiltinOptions2": (
            "NONE StablehloConcatenateOptions StablehloBroadcastInDimOptions StablehloSliceOptions "
            "StablehloConvolutionOptions StablehloCustomCallOptions StablehloReduceOptions "
            "StablehloScatterOptions StablehloCompareOptions StablehloDynamicSliceOptions StablehloPadOptions "
            "StablehloIotaOptions StablehloDotGeneralOptions StablehloReduceWindowOptions "
            "StablehloSortOptions StablehloWhileOptions StablehloGatherOptions StablehloTransposeOptions "
            "DilateOptions StablehloRngBitGeneratorOptions ReduceWindowOptions StableHLOCompositeOptions "
            "StablehloShiftLeftOptions StablehloCaseOptions"
        ),
    }
)


@cache
def tflite_schema() -> Schema:
    """The schema; the root table is ``Model``."""
    empty = dict.fromkeys(_WITHOUT_FIELDS.split(), "")
    return parse_schema({**_WITH_FIELDS, **empty}, _UNIONS)
