using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    public static class nn
    {
        /// <summary>What a loss makes of its terms.</summary>
        [System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "TorchSharp's type.")]
        public enum Reduction : long
        {
            None = 0,
            Mean = 1,
            Sum = 2,
        }

        /// <summary>The operations of neural networks, as functions of their weights.</summary>
        public static class functional
        {
            /// <summary>input [*, in] times the transpose of weights [out, in], plus bias [out].</summary>
            public static Tensor linear(Tensor input, Tensor weights, Tensor? bias = null) =>
                Shim.Wrap(asrt_linear(input.Handle, weights.Handle, bias?.Handle ?? 0), input, weights, bias);

            /// <summary>input [batch, in, time], weight [out, in / groups, kernel], bias [out].</summary>
            public static Tensor conv1d(Tensor input, Tensor weight, Tensor? bias = null, long? stride = null, long? padding = null, long? dilation = null, long groups = 1) =>
                Shim.Wrap(asrt_conv1d(input.Handle, weight.Handle, bias?.Handle ?? 0, stride ?? 1, padding ?? 0, dilation ?? 1, groups), input, weight, bias);

            /// <summary>Mean 0 and (biased) variance 1 over the last dimensions, then weight and bias.</summary>
            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-05)
            {
                fixed (long* p = normalized_shape)
                {
                    return Shim.Wrap(asrt_layer_norm(input.Handle, p, normalized_shape.Length, weight?.Handle ?? 0, bias?.Handle ?? 0, eps), input, weight, bias);
                }
            }

            /// <inheritdoc cref="Tensor.gelu"/>
            public static Tensor gelu(Tensor x) => x.gelu();

            public static Tensor relu(Tensor x, bool inplace = false) => inplace ? x.relu_().alias() : x.relu();

            public static Tensor silu(Tensor x, bool inplace = false) => inplace ? x.silu_().alias() : x.silu();

            public static Tensor tanh(Tensor x, bool inplace = false) => inplace ? x.tanh_().alias() : x.tanh();

            public static Tensor sigmoid(Tensor x) => x.sigmoid();

            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => input.softmax(dim, dtype);

            public static Tensor log_softmax(Tensor x, long dim) => x.log_softmax(dim);

            /// <summary>
            /// softmax(query key^T / sqrt E + mask) value, for query [..., L, E], key [..., S, E], value [..., S, V].
            /// </summary>
            /// <param name="attn_mask">[..., L, S]: bool, true where a key takes part; or numbers added to the scores.</param>
            /// <param name="p">Dropout of the weights, always applied when above 0.</param>
            /// <param name="is_casual">Position i sees keys up to i; not with a mask. (TorchSharp's spelling.)</param>
            /// <remarks>LibTorch 1.13 lacks the operation: it is composed of others there.</remarks>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0, bool is_casual = false) =>
                Shim.Wrap(asrt_scaled_dot_product_attention(query.Handle, key.Handle, value.Handle, attn_mask?.Handle ?? 0, p, is_casual ? 1 : 0), query, key, value, attn_mask);

            /// <summary>input [batch, classes, …] of logits, target [batch, …] of class numbers (or as the input, of probabilities).</summary>
            /// <remarks>The mean counts targets that are not <paramref name="ignore_index"/>.</remarks>
            public static Tensor cross_entropy(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0) =>
                Shim.Wrap(asrt_cross_entropy(input.Handle, target.Handle, weight?.Handle ?? 0, (long)reduction, ignore_index, label_smoothing), input, target, weight);

            /// <summary>As <see cref="cross_entropy"/>, of logarithms of probabilities.</summary>
            public static Tensor nll_loss(Tensor input, Tensor target, Tensor? weight = null, Reduction reduction = Reduction.Mean) =>
                Shim.Wrap(asrt_nll_loss(input.Handle, target.Handle, weight?.Handle ?? 0, (long)reduction), input, target, weight);

            public static Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean) =>
                Shim.Wrap(asrt_mse_loss(input.Handle, target.Handle, (long)reduction), input, target);

            /// <summary>The input is always a logarithm, the target by default (as in TorchSharp, not as in Python).</summary>
            public static Tensor kl_div(Tensor input, Tensor target, bool log_target = true, Reduction reduction = Reduction.Mean) =>
                Shim.Wrap(asrt_kl_div(input.Handle, target.Handle, (long)reduction, log_target ? 1 : 0), input, target);

            /// <summary>log_probs [time, batch, classes], targets [batch, length] (or all in a row), both lengths [batch].</summary>
            /// <remarks>The mean divides each loss by its target's length (at least 1) first.</remarks>
            public static Tensor ctc_loss(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, long blank = 0, bool zero_infinity = false, Reduction reduction = Reduction.Mean) =>
                Shim.Wrap(asrt_ctc_loss(log_probs.Handle, targets.Handle, input_lengths.Handle, target_lengths.Handle, blank, (long)reduction, zero_infinity ? 1 : 0), log_probs, targets, input_lengths, target_lengths);

            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true, bool inplace = false) => inplace
                ? Shim.Done(asrt_dropout_(input.Handle, p, training ? 1 : 0), input).alias()
                : Shim.Wrap(asrt_dropout(input.Handle, p, training ? 1 : 0), input);

            /// <summary>Class numbers as rows of zeros with a one; -1: as many classes as the largest number asks for.</summary>
            public static Tensor one_hot(Tensor x, long num_classes = -1) => Shim.Wrap(asrt_one_hot(x.Handle, num_classes), x);

            /// <param name="pad">Before and after the last dimension, then the one before it, and so on.</param>
            public static Tensor pad(Tensor input, long[] pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, (ReadOnlySpan<long>)pad, mode, value);

            public static Tensor pad(Tensor input, ReadOnlySpan<long> pad, PaddingModes mode = PaddingModes.Constant, double value = 0)
            {
                fixed (long* p = pad)
                {
                    return Shim.Wrap(asrt_pad(input.Handle, p, pad.Length, (int)mode, value), input);
                }
            }

            public static Tensor pad(Tensor input, (long, long) pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, [pad.Item1, pad.Item2], mode, value);
        }
    }
}
