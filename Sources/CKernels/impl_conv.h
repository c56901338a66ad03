// Convolutions: what the table of kernels offers, put together from one file for each direction.
#include "impl_conv_layout.h"
#include "impl_conv_tile.h"
#include "impl_conv_depthwise.h"
#include "impl_conv_narrow.h"
#include "impl_conv_pointwise.h"
#include "impl_conv_winograd.h"
#include "impl_conv_forward.h"
#include "impl_conv_data.h"
#include "impl_conv_weights_tile.h"
#include "impl_conv_winograd_weights.h"
#include "impl_conv_weights.h"
#include "impl_conv_taps.h"
#include "impl_conv_weight_rows.h"
#include "impl_conv_pool_tile.h"
#include "impl_conv_pool.h"
#include "impl_conv_winners.h"

INLINE bool conv_has_work(const AccConv *c) {
  return c->groups > 0 && c->C > 0 && !conv_is_empty(c) && c->KH > 0 && c->KW > 0;
}

static long conv_packed_bytes(const AccConv *c, int direction) {
  if (!conv_has_work(c) || direction == accConvBackwardWeights) return 0;
  Carver packed = {0}, scratch = {0};
  if (direction == accConvForward) forward_plan(c, &packed, &scratch);
  else data_plan(c, &packed, &scratch);
  return packed.used;
}

static void conv_pack(const AccConv *c, int direction, const float *w, const float *scale, void *packed, long part, long parts) {
  if (!conv_has_work(c) || direction == accConvBackwardWeights) return;
  Carver to = {packed, 0}, scratch = {0};
  if (direction == accConvForward) {
    const ForwardPlan p = forward_plan(c, &to, &scratch);
    forward_pack(c, &p, w, scale, part, parts);
  } else {
    const DataPlan p = data_plan(c, &to, &scratch);
    data_pack(c, &p, w, part, parts);
  }
}

static ForwardPlan conv_part_plan(const AccConv *c) {
  Carver packed = {0}, scratch = {0};
  return forward_plan(c, &packed, &scratch);
}
static long conv_part_rows(const AccConv *c) {
  if (!conv_has_work(c)) return 1;
  const ForwardPlan p = conv_part_plan(c);
  return forward_part_rows(&p);
}
static long conv_part_outputs(const AccConv *c) {
  if (!conv_has_work(c)) return max_l(c->O, 1);
  const ForwardPlan p = conv_part_plan(c);
  return forward_part_outputs(c, &p);
}

static long conv_scratch_bytes(const AccConv *c) {
  if (!conv_has_work(c)) return 64;
  Carver f = {0}, d = {0}, w = {0};
  forward_plan(c, &f, &f);
  data_plan(c, &d, &d);
  weight_plan(c, &w);
  return max_l(f.used, max_l(d.used, w.used)) + 64;
}

static long conv_pool_scratch_bytes(const AccConv *c, const AccPool *p) {
  if (!conv_has_work(c)) return 64;
  Carver packed = {0}, scratch = {0};
  const ForwardPlan plan = forward_plan(c, &packed, &scratch);
  return scratch.used + pool_ring_bytes(c, p, forward_row_step(&plan)) + 64;
}
