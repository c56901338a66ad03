// All kernels, written once in clang vector types; each kernels_<isa>.c includes this with its own vector width
// (VL lanes), tile height (MR_MAX) and table name. No include guard on purpose: one inclusion per instruction set.
#pragma STDC FP_CONTRACT OFF // a fused multiply-add happens where vfma is written, nowhere else
#include "impl_vector.h"
#include "impl_tile.h"
#include "impl_pack.h"
#include "impl_gemm.h"
#include "impl_sparse.h"
#include "impl_math.h"
#include "impl_random.h"
#include "impl_vm.h"
#include "impl_reduce.h"
#include "impl_softmax.h"
#include "impl_norm.h"
#include "impl_channels.h"
#include "impl_pool.h"
#include "impl_maxpool.h"
#include "impl_conv.h"
#include "impl_optim.h"
#include "impl_move.h"
#include "impl_attention.h"

const AccKernels TABLE = {
    .isa = TABLE_ISA,
    .vector_lanes = VL,
    .sgemm = sgemm,
    .sgemm_scratch_bytes = sgemm_scratch_bytes,
    .sgemm_packed_bytes = sgemm_packed_bytes,
    .sgemm_panels = sgemm_panels,
    .sgemm_panel_columns = sgemm_panel_columns,
    .sgemm_pack = sgemm_pack,
    .sgemm_prepacked = sgemm_prepacked,
    .sgemv = sgemv,
    .sgemm_dots = sgemm_dots,
    .sparse_nonzeros = sparse_nonzeros,
    .sparse_bytes = sparse_bytes,
    .sparse_pack = sparse_pack,
    .sparse_pack_scratch_bytes = sparse_pack_scratch_bytes,
    .sparse_panels = sparse_panels,
    .sparse_product = sparse_product,
    .sparse_scratch_bytes = sparse_scratch_bytes,
    .conv_forward = conv_forward,
    .conv_backward_data = conv_backward_data,
    .conv_packed_bytes = conv_packed_bytes,
    .conv_pack = conv_pack,
    .conv_forward_packed = conv_forward_packed,
    .conv_forward_part = conv_forward_part,
    .conv_part_rows = conv_part_rows,
    .conv_part_outputs = conv_part_outputs,
    .conv_backward_data_packed = conv_backward_data_packed,
    .conv_forward_pool = conv_forward_pool,
    .conv_pool_scratch_bytes = conv_pool_scratch_bytes,
    .conv_backward_weights = conv_backward_weights,
    .conv_taps_pay = conv_taps_pay,
    .conv_taps_scratch_bytes = conv_taps_scratch_bytes,
    .conv_taps = conv_taps,
    .conv_weight_rows_pay = conv_weight_rows_pay,
    .conv_weight_rows_scratch_bytes = conv_weight_rows_scratch_bytes,
    .conv_backward_weight_rows = conv_backward_weight_rows,
    .conv_winners_fit = conv_winners_fit,
    .conv_winners_scratch_bytes = conv_winners_scratch_bytes,
    .conv_winners_backward_weights = conv_winners_backward_weights,
    .conv_scratch_bytes = conv_scratch_bytes,
    .vm_run = vm_run,
    .vm_scratch_bytes = vm_scratch_bytes,
    .reduce_f32 = reduce_f32,
    .reduce_columns = reduce_columns,
    .arg_extreme_f32 = arg_extreme_f32,
    .softmax_f32 = softmax_f32,
    .log_softmax_f32 = log_softmax_f32,
    .softmax_backward_f32 = softmax_backward_f32,
    .log_softmax_backward_f32 = log_softmax_backward_f32,
    .sparse_cross_entropy_f32 = sparse_cross_entropy_f32,
    .sparse_cross_entropy_backward_f32 = sparse_cross_entropy_backward_f32,
    .layer_norm_f32 = layer_norm_f32,
    .layer_norm_backward_f32 = layer_norm_backward_f32,
    .layer_norm_scale_backward_f32 = layer_norm_scale_backward_f32,
    .channel_moments = channel_moments,
    .channel_moments_fold = channel_moments_fold,
    .channel_sums = channel_sums,
    .channel_sums_fold = channel_sums_fold,
    .channel_scale = channel_scale,
    .channel_gradient = channel_gradient,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .attention_scratch_bytes = attention_scratch_bytes,
    .maxpool_forward = maxpool_forward,
    .maxpool_backward = maxpool_backward,
    .maxpool_forward_index = maxpool_forward_index,
    .maxpool_backward_index = maxpool_backward_index,
    .sumpool_forward = sumpool_forward,
    .sumpool_backward = sumpool_backward,
    .adam = adam,
    .sgd_momentum = sgd_momentum,
    .sgd = sgd,
    .scatter_add_rows_i32 = scatter_add_rows_i32,
    .scatter_add_rows_i64 = scatter_add_rows_i64,
};
