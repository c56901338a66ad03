// CKernels: the numeric inner loops of Accelerando.
//
// Everything here is mechanism: no allocation, no threads, no global state beyond read-only tables. The caller picks an
// instruction set once, keeps the table of functions, owns every buffer, and splits the work among its own threads.
//
// Conventions
//  * All numbers are float32 unless a name says otherwise. Sizes and strides are counted in elements.
//  * A size of zero is always legal: the function does what the mathematics says (usually nothing).
//  * Inputs and outputs must not overlap unless a comment says they may.
//  * `scratch` is caller-owned memory of at least the size that the matching `..._scratch_bytes` reports, 64-byte aligned,
//    private to the call (one per thread). It may be NULL when that size is 0. Its contents mean nothing between calls.
//  * Deterministic: the same call on the same instruction set gives the same bits. Where a comment says "split-invariant",
//    one output element also has the same bits however the caller divides the outputs among calls.
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------------- instruction sets

/// The instruction sets a table exists for. `accISABaseline` runs everywhere (SSE2 on x86-64, NEON on arm64).
typedef enum AccISA { accISABaseline = 0, accISAAVX2 = 1, accISAAVX512 = 2 } AccISA;
enum { accISACount = 3 };

typedef struct AccKernels AccKernels;

/// Whether this build has the table and this processor can run it.
bool acc_isa_available(AccISA isa);
/// The fastest available instruction set.
AccISA acc_best_isa(void);
/// The table for `isa`, or NULL when it is not available.
const AccKernels *acc_kernels(AccISA isa);

/// Sets flush-to-zero and denormals-are-zero for the calling thread; returns the previous state (true: both were on).
bool acc_set_flush_denormals(bool on);

/// How often the calling thread had to leave its core to others so far; 0 where the system does not tell.
long acc_preemptions(void);

/// A set of cores.
typedef struct AccCores { uint64_t bits[16]; } AccCores;

/// The core that the calling thread runs on; -1 where the system does not tell.
long acc_current_core(void);
/// The calling thread's number for the system.
long acc_current_thread(void);
/// The cores that the calling thread may run on.
AccCores acc_allowed_cores(void);
/// Takes a core out of the set; false, and nothing done, when it is not there or the only one.
bool acc_remove_core(AccCores *cores, long core);
/// Lets a thread run on these cores only, from now on.
void acc_restrict_thread(long thread, AccCores cores);

/// Asks for memory that will be read soon.
static inline void acc_prefetch(const void *p, long bytes) {
  for (long i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)p + i);
}

/// Tells the processor that the calling thread is waiting in a loop for another one.
static inline void acc_spin_hint(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// -------------------------------------------------------------------------------------------------------------- shapes

typedef enum AccActivation { accActivationNone = 0, accActivationRelu = 1 } AccActivation;

/// What happens to a result before it is stored: activation(value + bias[column] + residual). Relu keeps NaN. `bias` and
/// `residual` may be NULL. Only conv_forward, conv_forward_packed and conv_forward_part take a residual, which is laid out as
/// their result and may be the same memory.
typedef struct AccEpilogue {
  const float *bias;
  const float *residual;
  int32_t activation; // AccActivation
} AccEpilogue;

/// A two-dimensional convolution: x is NHWC, w is [KH][KW][C/groups][O], y is [N][OH][OW][O].
/// Tap (kh,kw) of output (oh,ow) reads row oh*stride_h - pad_top + kh*dil_h, column ow*stride_w - pad_left + kw*dil_w;
/// outside the image it reads 0 (so the bottom and right padding follow from OH and OW). Pads are not negative.
/// Group g maps channels g*C/groups... to outputs g*O/groups....
typedef struct AccConv {
  long N, H, W, C, KH, KW, O, OH, OW;
  long stride_h, stride_w, pad_top, pad_left, dil_h, dil_w, groups;
} AccConv;

/// A part of a convolution's results: samples n0..<n1, of each the output rows row0..<row1, of each pixel the outputs
/// out0..<out1.
typedef struct AccConvPart {
  long n0, n1, row0, row1, out0, out1;
} AccConvPart;

/// A two-dimensional pooling of NHWC x to [N][OH][OW][C].
typedef struct AccPool {
  long N, H, W, C, window_h, window_w, stride_h, stride_w, pad_top, pad_left, OH, OW;
} AccPool;

/// Attention of H heads in each sample: queries q are [N][T][H][D], keys k [N][S][H][D], values v [N][S][H][E].
/// Scores are scale * (q . k); with `causal`, query t sees the keys 0...t.
/// With `key` (two words; NULL: no dropout), the share of key s for query t in unit u is dropped unless the XOR of the words of
/// threefry(key, *position + (u*T + t)*S + s) is at most `kept`; the others are multiplied by `boost`. `position` may be NULL: 0.
typedef struct AccAttention {
  long T, S, H, D, E;
  float scale;
  bool causal;
  const uint32_t *key, *position;
  uint32_t kept;
  float boost;
} AccAttention;

/// What a convolution's weights are packed for.
typedef enum AccConvDirection { accConvForward = 0, accConvBackwardData = 1, accConvBackwardWeights = 2 } AccConvDirection;

/// How a matrix of many zeros is packed.
typedef enum AccSparseForm {
  accSparseNone = 0,    // not at all
  accSparseColumns = 1, // for a few rows of A: lanes are columns of B
  accSparseRows = 2     // for many rows of A: lanes are these rows
} AccSparseForm;

/// What stands at the beginning of a packed matrix.
typedef struct AccSparse {
  int32_t form;  // AccSparseForm
  long K, N;
  long nonzeros; // numbers that are not zero
  long steps;    // by columns: of VL lanes each, some of them idle; by rows: numbers, with those that fill up
  long bytes;    // that a product reads
} AccSparse;

typedef enum AccReduce { accReduceSum = 0, accReduceProduct = 1, accReduceMax = 2, accReduceMin = 3 } AccReduce;

// ------------------------------------------------------------------------------------- elementwise programs (AccVM)

/// Lanes in one block. A register of the machine is one block of 32-bit lanes.
enum { accVMBlock = 512, accVMMaxRank = 8 };

/// How an element is stored in memory. In a register: f16, bf16 and f32 are float32; i8 and i32 are int32; u8 and u32 are
/// uint32; bool is a mask, 0 or all ones (stored as byte 0 or 1; any nonzero byte loads as true).
typedef enum AccType {
  accTypeBool = 0, accTypeI8, accTypeU8, accTypeI32, accTypeU32, accTypeF16, accTypeBF16, accTypeF32
} AccType;

/// Which element of the buffer output element i reads.
typedef enum AccAddress {
  accAddressContiguous = 0,   // offset + i
  accAddressScalar,           // offset
  accAddressPeriodic,         // offset + i % period
  accAddressRepeat,           // offset + i / count
  accAddressRepeatPeriodic,   // offset + (i / count) % period
  accAddressStrided           // offset + sum over d of index_d * stride[d], index = i unravelled over size[0..<rank], row major
} AccAddress;

/// One buffer as a program sees it. Stores use accAddressContiguous only.
typedef struct AccVMAccess {
  uint16_t pointer;   // index into vm_run's `pointers`
  uint8_t type;       // AccType
  uint8_t address;    // AccAddress
  int32_t rank;       // strided: number of dimensions, 0...accVMMaxRank
  long offset;        // first element, in elements
  long count;         // repeat, repeat-periodic
  long period;        // periodic, repeat-periodic
  long size[accVMMaxRank];
  long stride[accVMMaxRank]; // 0 and negative allowed
} AccVMAccess;

/// One instruction: registers dst = op(a, b, c), with an immediate where the operation says so. dst may equal a, b or c.
/// Operands that the operation does not use must be 0.
typedef struct AccVMInst {
  uint16_t op, dst, a, b, c, d;
  union { float f; int32_t i; uint32_t u; } imm;
} AccVMInst;

typedef struct AccVM {
  const AccVMInst *code;
  long code_count;
  const AccVMAccess *accesses;
  long access_count;
  long register_count;
  /// The first so many instructions give the same in every block, and their registers are not overwritten later: they run
  /// once. Scalar loads may be among them, and periodic ones whose period divides accVMBlock.
  long invariant_count;
} AccVM;

/// Operations. F: float32 lanes, I: int32, U: uint32, M: mask (bool), X: any 32-bit lane.
/// Worst errors of the vectorised functions (all float32 inputs, against correctly rounded double): see each line.
typedef enum AccOp {
  // memory. a is the index of the access (an index into AccVM.accesses, not a register)
  accOpLoad = 0,     // dst = accesses[a]
  accOpStore,        // accesses[a] = register b
  accOpConst,        // dst = imm in every lane
  accOpIota,         // dst (I) = (i / count) % period as int32, count and period from accesses[a]; period 0: no remainder
  accOpMove,         // dst = a

  // float32 arithmetic
  accOpAddF = 16, accOpSubF, accOpMulF, accOpDivF,
  accOpMaxF, accOpMinF,  // NaN if either is NaN
  accOpPowF,             // libm
  accOpRemF,             // fmod: sign of the dividend
  accOpAtan2F,           // libm
  accOpFmaF,             // a * b + c (one rounding where the processor has fma)
  accOpAffineF,          // (a - accesses[b]) * accesses[c] + accesses[d], all periodic float32 with one period
  accOpClampF,           // min(max(b, a), c): a is the lower bound, b the value, c the upper bound; NaN propagates
  accOpNegF, accOpAbsF,
  accOpExpF,             // 1.0 ULP
  accOpExpm1F,           // 1.5 ULP
  accOpLogF,             // 0.9 ULP
  accOpLog1pF,           // 0.9 ULP
  accOpSqrtF,            // correctly rounded
  accOpRsqrtF,           // 1/sqrt with both correctly rounded
  accOpCbrtF,            // libm
  accOpTanhF,            // 1.3 ULP
  accOpLogisticF,        // 2.3 ULP
  accOpSinF, accOpCosF, accOpTanF, // libm
  accOpErfF,             // 1.1 ULP
  accOpFloorF, accOpCeilF,
  accOpRoundEvenF,       // to nearest, ties to even
  accOpRoundAwayF,       // to nearest, ties away from zero
  accOpSignF,            // -1, 1; a zero keeps its sign; NaN stays NaN
  accOpIsFiniteF,        // dst is M
  accOpRoundF16, accOpRoundBF16, // through the narrow type and back, nearest even

  // comparisons: dst is M. A comparison with NaN is false, except Ne. Bools compare as U.
  accOpEqF = 64, accOpNeF, accOpLtF, accOpLeF, accOpGtF, accOpGeF,
  accOpEqI, accOpNeI, accOpLtI, accOpLeI, accOpGtI, accOpGeI,
  accOpEqU, accOpNeU, accOpLtU, accOpLeU, accOpGtU, accOpGeU,

  accOpSelect = 96,      // a (M) ? b : c, any lanes

  // integers; arithmetic wraps
  accOpAddI = 112, accOpSubI, accOpMulI, // also for U
  accOpDivI,             // truncates; x/0 = -1; INT_MIN/-1 = INT_MIN
  accOpDivU,             // x/0 = all ones
  accOpRemI,             // sign of the dividend; x%0 = x; INT_MIN%-1 = 0
  accOpRemU,             // x%0 = x
  accOpMaxI, accOpMinI, accOpMaxU, accOpMinU,
  accOpClampI, accOpClampU, // min(max(b, a), c)
  accOpNegI, accOpAbsI, accOpSignI,
  accOpSignU,            // 0 or 1
  accOpAnd, accOpOr, accOpXor, accOpNot, // bitwise; right for M too
  accOpShl,              // by 32 or more (b as U): 0
  accOpShrLogical,       // by 32 or more: 0
  accOpShrArithmetic,    // by 32 or more: all sign
  accOpPopcount, accOpClz, // clz(0) = 32
  accOpWrapI8,           // low 8 bits, sign extended
  accOpWrapU8,           // low 8 bits, zero extended

  // Threefry-2x32-20 of the number 0:c with the key a:b (U): the first word of the block, the second, the XOR of both
  accOpThreefryFirst, accOpThreefrySecond, accOpThreefryXor,

  // conversions
  accOpIToF = 160, accOpUToF, // nearest even
  accOpFToI, accOpFToU,  // truncate toward zero, saturate, NaN gives 0
  accOpFToI8, accOpFToU8, // the same, saturating at 8 bits
  accOpFToM, accOpIToM,  // nonzero (NaN is true)
  accOpMToF, accOpMToI,  // 0 or 1

  // the same with an immediate right operand: dst = a op imm
  accOpAddImmF = 192, accOpSubImmF, accOpMulImmF, accOpDivImmF, accOpMaxImmF, accOpMinImmF,
  accOpRSubImmF,         // imm - a
  accOpRDivImmF          // imm / a
} AccOp;

// ---------------------------------------------------------------------------------------------------- the table

struct AccKernels {
  AccISA isa;
  long vector_lanes; // float32 lanes in one vector

  // ---- matrix product

  /// C[m][n] (+)= sum over k of A[m*a_rs + k*a_cs] * B[k*b_rs + n*b_cs], then the epilogue (per column n; NULL: none).
  /// C's rows are contiguous, ldc apart. `accumulate`: start from what C holds. Split-invariant over M and N: every element
  /// is one chain over k = 0, 1, 2, ..., so any division of rows and columns gives the same bits; and consecutive ranges of
  /// k, accumulated one after another, give the bits of one call.
  void (*sgemm)(long M, long N, long K, const float *A, long a_rs, long a_cs, const float *B, long b_rs, long b_cs, float *C,
                long ldc, bool accumulate, const AccEpilogue *ep, void *scratch);
  /// Scratch for sgemm, sgemm_prepacked, sgemm_dots and sgemv; grows with its arguments, so the bytes for a whole product serve
  /// every part of it.
  long (*sgemm_scratch_bytes)(long M, long N, long K);

  /// A B that several calls or threads use can be packed once. It is cut into `sgemm_panels(N)` panels of columns; callers may
  /// share out the packing (panels panel0..<panel1) and the product (the same) as they like. `packed` has at least
  /// `sgemm_packed_bytes(K, N)` bytes, 64-byte aligned; its layout is private to the instruction set and to (K, N).
  long (*sgemm_packed_bytes)(long K, long N);
  long (*sgemm_panels)(long N);
  void (*sgemm_pack)(long K, long N, const float *B, long b_rs, long b_cs, void *packed, long panel0, long panel1);
  /// sgemm, bit for bit, of the columns that panels panel0..<panel1 hold: columns panel0*w..<min(N, panel1*w), where w =
  /// `sgemm_panel_columns(N)`. N is the width of the whole packed B; C and the epilogue's bias point at the first of the
  /// columns that the call computes.
  void (*sgemm_prepacked)(long M, long N, long K, const float *A, long a_rs, long a_cs, const void *packed, long panel0,
                          long panel1, float *C, long ldc, bool accumulate, const AccEpilogue *ep, void *scratch);
  /// Columns in one panel (fewer in the last).
  long (*sgemm_panel_columns)(long N);

  /// One row: C[n] = sum over k of a[k*a_cs] * B[k*b_rs + n*b_cs], then the epilogue. For lowest latency each element is the
  /// sum of several chains, in an order that only K and the strides decide: split-invariant over N, but not the bits of sgemm.
  void (*sgemv)(long N, long K, const float *a, long a_cs, const float *B, long b_rs, long b_cs, float *C,
                const AccEpilogue *ep, void *scratch);
  /// sgemm for a B of few columns that lie along k, as rows of A do: C[m][n] = sum over k of A[m*a_rs + k] * B[n*b_cs + k],
  /// then the epilogue. Lanes are k, so the sums have an order of their own, which only K decides: split-invariant over M and
  /// N, but not the bits of sgemm.
  void (*sgemm_dots)(long M, long N, long K, const float *A, long a_rs, const float *B, long b_cs, float *C, long ldc,
                     const AccEpilogue *ep, void *scratch);

  // ---- product with a matrix of many zeros, which are left out: what they would be multiplied with does not matter, not even if
  // it is infinite

  /// The elements of B[k*b_rs + n*b_cs] that are not zero.
  long (*sparse_nonzeros)(long K, long N, const float *B, long b_rs, long b_cs);
  /// Bytes for a packed B of any form; a matrix that does not fit has too few zeros to gain by it.
  long (*sparse_bytes)(long K, long N);
  /// Packs B, beginning with an AccSparse. False, and the form is none, if it does not fit, or if that is what was asked for.
  /// The layout is private to the instruction set. Scratch: sparse_pack_scratch_bytes.
  bool (*sparse_pack)(int form, long K, long N, const float *B, long b_rs, long b_cs, void *packed, void *scratch);
  long (*sparse_pack_scratch_bytes)(long K, long N);
  /// Into how many panels the columns are cut, 64 each.
  long (*sparse_panels)(long N);
  /// C[m][n] = sum over k of A[m*a_rs + k] * B[k][n], then the epilogue, for the columns of panels panel0..<panel1; C and the
  /// epilogue's bias point at column 0. Not for a B of form none. Split-invariant over rows and panels; the sums have orders
  /// of their own, which B and the form decide.
  void (*sparse_product)(long M, const float *A, long a_rs, const void *packed, long panel0, long panel1, float *C, long ldc,
                         const AccEpilogue *ep, void *scratch);
  /// Grows with its arguments.
  long (*sparse_scratch_bytes)(long M, long N, long K);

  // ---- convolution

  // Weights are used packed: laid out for the tiles or transformed, with the tables of offsets. Pack once and call the
  // `_packed` functions wherever the same weights serve more than one call; the plain ones pack into scratch in every call,
  // which costs as much as 16 to 64 output pixels and gives the same bits.

  /// Bytes of the packed weights for a direction (AccConvDirection), a multiple of 64; 0 for backward weights, which packs
  /// nothing. The geometry that packs, N included, is the one to compute with.
  long (*conv_packed_bytes)(const AccConv *c, int direction);
  /// Packs part `part` of `parts` of w into `packed` (64-byte aligned). The parts are independent of each other; all must be
  /// packed before use, in any order, by any threads, and any number of parts gives the same result. For the forward direction
  /// weights are multiplied by scale[output] on the way; `scale` may be NULL, and is NULL for the gradient of the input.
  void (*conv_pack)(const AccConv *c, int direction, const float *w, const float *scale, void *packed, long part, long parts);
  /// y for samples n0..<n1. x and y point at sample 0. The epilogue's bias is per output channel. Split-invariant over
  /// samples; a call for one sample costs no more than its share of a call for many.
  void (*conv_forward_packed)(const AccConv *c, const float *x, const void *packed, float *y, long n0, long n1,
                              const AccEpilogue *ep, void *scratch);
  /// A part of what conv_forward_packed computes, with the same bits: several threads can share one sample. Bounds of rows are
  /// multiples of conv_part_rows, those of outputs multiples of conv_part_outputs; the last ones may be OH and O. A part of the
  /// rows reads all weights, a part of the outputs all of the sample. x, y and the residual point at sample 0.
  void (*conv_forward_part)(const AccConv *c, const float *x, const void *packed, float *y, const AccConvPart *part,
                            const AccEpilogue *ep, void *scratch);
  long (*conv_part_rows)(const AccConv *c);
  long (*conv_part_outputs)(const AccConv *c);
  /// dx for samples n0..<n1 (overwritten). Split-invariant over samples.
  void (*conv_backward_data_packed)(const AccConv *c, const float *dy, const void *packed, float *dx, long n0, long n1, void *scratch);
  /// The same with weights [KH][KW][C/groups][O].
  void (*conv_forward)(const AccConv *c, const float *x, const float *w, float *y, long n0, long n1, const AccEpilogue *ep,
                       void *scratch);
  void (*conv_backward_data)(const AccConv *c, const float *dy, const float *w, float *dx, long n0, long n1, void *scratch);
  /// dw (+)= sum over samples n0..<n1, one chain over n; with `accumulate` it goes on from what dw holds, so consecutive
  /// ranges added one after another give the bits of one call, at its speed.
  void (*conv_backward_weights)(const AccConv *c, const float *x, const float *dy, float *dw, long n0, long n1, bool accumulate,
                                void *scratch);
  /// Enough for each of the five above.
  long (*conv_scratch_bytes)(const AccConv *c);

  /// Whether `conv_taps` is quicker for a direction, forward or backward data, than packing the weights and conv_forward_packed or
  /// conv_backward_data_packed: with many weights and few pixels.
  bool (*conv_taps_pay)(const AccConv *c, int direction);
  /// Channels o0..<o1 of samples n0..<n1 of y (`from` is x) or of dx (`from` is dy), from the weights [KH][KW][C][O] as they are; the
  /// epilogue is for y. Only for one group. One chain over taps and channels, split-invariant over samples and channels; best are
  /// multiples of 32 channels. Pixels outside the image do not count even for infinite weights.
  void (*conv_taps)(const AccConv *c, int direction, const float *from, const float *w, float *to, long n0, long n1, long o0, long o1,
                    const AccEpilogue *ep, void *scratch);
  long (*conv_taps_scratch_bytes)(const AccConv *c);

  /// Whether `conv_backward_weight_rows` is quicker than conv_backward_weights with the N samples in `parts` separate sums, which
  /// are then added: with many weights and few pixels.
  bool (*conv_weight_rows_pay)(const AccConv *c, long parts);
  /// Rows r0..<r1 of dw, seen as [KH*KW*C][O], from all N samples: one chain over the samples and their pixels. Only for one
  /// group. Pixels outside the image do not count even for infinite dy. Split-invariant over rows; best are hundreds at a time.
  void (*conv_backward_weight_rows)(const AccConv *c, const float *x, const float *dy, float *dw, long r0, long r1, void *scratch);
  long (*conv_weight_rows_scratch_bytes)(const AccConv *c);

  /// Whether `conv_winners_backward_weights` can do, and is quicker than, conv_backward_weights after maxpool_backward_index.
  bool (*conv_winners_fit)(const AccConv *c, const AccPool *p);
  /// The gradient of the weights of a convolution whose result was only max-pooled, from the positions of the winners and the
  /// gradient of the pooled values: conv_backward_weights of maxpool_backward_index, up to the order of sums (one chain over
  /// samples and windows, so ranges of samples may be added one after another), but that pixels which no winner saw do not
  /// count even where they are infinite. Only where it fits.
  void (*conv_winners_backward_weights)(const AccConv *c, const AccPool *p, const float *x, const uint8_t *index, const float *dy,
                                        float *dw, long n0, long n1, bool accumulate, void *scratch);
  long (*conv_winners_scratch_bytes)(const AccConv *c, const AccPool *p);

  /// Convolution, epilogue and max pooling in one: exactly conv_forward_packed followed by maxpool_forward_index, without the
  /// unpooled values ever leaving the cache. p->H, W and C are c->OH, OW and O. `index` may be NULL. Only pooled rows row0..<row1
  /// of each sample are computed; rows where two parts meet may be convolved by both.
  void (*conv_forward_pool)(const AccConv *c, const AccPool *p, const float *x, const void *packed, float *y, uint8_t *index, long n0,
                            long n1, long row0, long row1, const AccEpilogue *ep, void *scratch);
  long (*conv_pool_scratch_bytes)(const AccConv *c, const AccPool *p);

  // ---- elementwise programs

  /// Evaluates output elements begin..<end (the flat row-major index of the fused loop). Split-invariant.
  /// A store may alias a contiguous load of the same element type at the same index.
  void (*vm_run)(const AccVM *program, void *const *pointers, long begin, long end, void *scratch);
  long (*vm_scratch_bytes)(const AccVM *program);

  // ---- reductions. Split-invariant; NaN propagates; an empty reduction gives 0, 1, -inf, +inf.

  /// x is [outer][reduce][inner]; writes out[outer][inner] for outer o0..<o1. AccReduce kind.
  void (*reduce_f32)(int kind, const float *x, float *out, long outer, long reduce, long inner, long o0, long o1);
  /// x is [reduce][inner]; writes out[i0..<i1]. The same bits as reduce_f32 with outer = 1.
  void (*reduce_columns)(int kind, const float *x, float *out, long reduce, long inner, long i0, long i1);

  /// x is [outer][reduce][inner], reduce at least 1; writes the index of the largest (or smallest) element along the middle
  /// to out[outer][inner] for outer o0..<o1. A NaN is the extreme; of equals the first is chosen.
  void (*arg_extreme_f32)(int is_max, const float *x, int32_t *out, long reduce, long inner, long o0, long o1);

  // ---- attention, units u0..<u1: unit n*H + h is head h of sample n. Pointers are to unit 0. Split-invariant over units.

  /// o [N][T][H][E]: what each query gathers; log_sum [N][H][T]: log of the sum of e^score over the keys that it sees.
  void (*attention_forward)(const AccAttention *a, const float *q, const float *k, const float *v, float *o, float *log_sum,
                            long u0, long u1, void *scratch);
  /// From the results o and log_sum of the forward pass and their gradients g and g_log_sum (NULL: zeros).
  void (*attention_backward)(const AccAttention *a, const float *q, const float *k, const float *v, const float *o,
                             const float *log_sum, const float *g, const float *g_log_sum, float *dq, float *dk, float *dv,
                             long u0, long u1, void *scratch);
  /// Enough for both of the above.
  long (*attention_scratch_bytes)(const AccAttention *a);

  // ---- softmax over the last axis, row by row. y may be x.

  void (*softmax_f32)(const float *x, float *y, long rows, long cols);
  void (*log_softmax_f32)(const float *x, float *y, long rows, long cols);
  /// dx = y * (dy - sum(dy * y)). dx may be dy or y.
  void (*softmax_backward_f32)(const float *y, const float *dy, float *dx, long rows, long cols);
  /// dx = dy - exp(y) * sum(dy), where y is the log-softmax. dx may be dy or y.
  void (*log_softmax_backward_f32)(const float *y, const float *dy, float *dx, long rows, long cols);

  /// loss[r] = log sum(e^x) - x[label] and log_sum[r] = log sum(e^x) of row r; a label outside 0..<cols gives NaN.
  void (*sparse_cross_entropy_f32)(const float *x, const int32_t *labels, float *loss, float *log_sum, long rows, long cols);
  /// dx = (e^(x - log_sum) - (1 at the label)) * g[r * g_stride]; zeros for a label outside 0..<cols. dx may be x.
  void (*sparse_cross_entropy_backward_f32)(const float *x, const float *log_sum, const int32_t *labels, const float *g,
                                            long g_stride, float *dx, long rows, long cols);

  // ---- layer normalization, row by row: y = (x - mean) / sqrt(variance + eps) * scale + offset

  /// y may be x.
  void (*layer_norm_f32)(const float *x, const float *scale, const float *offset, float *y, long rows, long cols, float eps);
  /// From the gradient g of y; dx may be x or g. moments[2*r] is the mean of row r, moments[2*r+1] its 1 / sqrt(variance + eps).
  void (*layer_norm_backward_f32)(const float *x, const float *scale, const float *g, float *dx, float *moments, long rows, long cols,
                                  float eps);
  /// dscale[c] (+)= sum over the rows of g * (x - mean) / sqrt(variance + eps), for columns c0..<c1. Split-invariant over columns.
  void (*layer_norm_scale_backward_f32)(const float *x, const float *g, const float *moments, float *dscale, long rows, long cols,
                                        long c0, long c1, bool accumulate);

  // ---- rows of channels, x is [rows][cols]: what batch normalization computes. Sums go over the rows in order, columns
  // c0..<c1 only. Split-invariant over columns.

  /// The mean of each column and the sum of squared deviations from it. With before > 0, mean and squares hold those of so many
  /// earlier rows, and become those of all.
  void (*channel_moments)(const float *x, long rows, long cols, long c0, long c1, long before, float *mean, float *squares);
  /// Mean and (biased) variance from `count` parts, one after another, each [mean][squares][rows, an int64_t], in order.
  void (*channel_moments_fold)(const float *parts, long count, long cols, long c0, long c1, float *mean, float *variance);
  /// sums (+)= sum of g, products (+)= sum of g * (x - mean). Where `mask` (or NULL), one byte per element, is 0, g counts as 0.
  void (*channel_sums)(const float *g, const uint8_t *mask, const float *x, const float *mean, long rows, long cols, long c0, long c1,
                       bool accumulate, float *sums, float *products);
  /// The sums of `count` parts, one after another, each [sums][products], in order.
  void (*channel_sums_fold)(const float *parts, long count, long cols, long c0, long c1, float *sums, float *products);
  /// y = (x - mean) * factor + offset + residual (or NULL); with `relu`, at least 0 and at most `limit`, which may be infinite;
  /// NaN stays. mask (or NULL, and without relu): 1 where 0 < y < limit, else 0. y may be x or the residual.
  void (*channel_scale)(const float *x, const float *residual, const float *mean, const float *factor, const float *offset, float *y,
                        uint8_t *mask, long rows, long cols, bool relu, float limit);
  /// dx = g * factor + (x - mean) * slope + constant, g as in channel_sums. dx may be g or x.
  void (*channel_gradient)(const float *g, const uint8_t *mask, const float *x, const float *mean, const float *factor,
                           const float *slope, const float *constant, float *dx, long rows, long cols);

  // ---- pooling, samples n0..<n1; x, y, dx, dy point at sample 0

  /// Padding counts as -inf. NaN propagates.
  void (*maxpool_forward)(const AccPool *p, const float *x, float *y, long n0, long n1);
  /// dx (overwritten): each dy goes to the first maximal position of its window in row-major order; overlaps add.
  void (*maxpool_backward)(const AccPool *p, const float *x, const float *dy, float *dx, long n0, long n1);
  /// maxpool_forward, and for each output the position kh*window_w + kw of the element that maxpool_backward would choose
  /// (0 where the window holds nothing but padding). The window has at most 255 positions; beyond that `index` must be NULL.
  void (*maxpool_forward_index)(const AccPool *p, const float *x, float *y, uint8_t *index, long n0, long n1);
  /// maxpool_backward from the positions, without the input: the same bits, dx overwritten.
  void (*maxpool_backward_index)(const AccPool *p, const uint8_t *index, const float *dy, float *dx, long n0, long n1);
  void (*sumpool_forward)(const AccPool *p, const float *x, float *y, long n0, long n1);
  /// dx (overwritten): each dy goes to every position of its window inside the image.
  void (*sumpool_backward)(const AccPool *p, const float *dy, float *dx, long n0, long n1);

  // ---- optimizers, n elements; outputs may be the matching inputs. Split-invariant.

  /// m' = m + (g-m)*one_minus_beta1; v' = v + (g*g-v)*one_minus_beta2; w' = (w - wd*w) - alpha*m'/(sqrt(v')+eps).
  /// `weight_decay_times_lr` is wd. Every product and sum is rounded on its own; sqrt and division are correctly rounded.
  void (*adam)(const float *w, const float *m, const float *v, const float *g, float *w_out, float *m_out, float *v_out, long n,
               float alpha, float one_minus_beta1, float one_minus_beta2, float eps, float weight_decay_times_lr);
  /// vel' = momentum*vel - lr*g; w' = w + (nesterov ? momentum*vel' - lr*g : vel').
  void (*sgd_momentum)(const float *w, const float *vel, const float *g, float *w_out, float *vel_out, long n, float lr,
                       float momentum, bool nesterov);
  /// w' = w - lr*g.
  void (*sgd)(const float *w, const float *g, float *w_out, long n, float lr);

  // ---- moving data

  /// dst row indices[i] += src row i, in the order of i, only for columns c0..<c1 (so threads may split the columns);
  /// indices outside 0..<dst_rows are skipped.
  void (*scatter_add_rows_i32)(float *dst, long dst_rows, long cols, const int32_t *indices, long count, const float *src, long c0,
                               long c1);
  void (*scatter_add_rows_i64)(float *dst, long dst_rows, long cols, const int64_t *indices, long count, const float *src, long c0,
                               long c1);
};

#ifdef __cplusplus
}
#endif
#endif
