using System.Buffers;
using System.Numerics;
using System.Numerics.Tensors;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Features;

/// <summary>
/// Whisper's features: log10 of mel power, at most 8 below the utterance's maximum, (x + 4) / 4; equal to Hugging Face's
/// <c>WhisperFeatureExtractor</c> within its own rounding.
/// </summary>
/// <remarks>
/// 16 kHz; periodic Hann window of 400 samples every 160, centred, the signal mirrored at both ends as NumPy's <c>reflect</c> does,
/// the last frame dropped. Immutable and safe for concurrent calls; a call allocates its result alone.
/// </remarks>
public sealed class LogMelExtractor : IFeatureExtractor
{
    /// <summary>log10 of the smallest power that is told from silence (OpenAI's clamp at 1e-10).</summary>
    internal const float SilenceLog10 = -10;

    /// <summary>Samples on each side of a frame's centre.</summary>
    public const int HalfWindow = PowerSpectrum.Length / 2;

    private const int WhisperHop = 160;

    /// <summary>Frames computed between two uses of the scratch memory; a multiple of every vector width.</summary>
    private const int BlockFrames = 128;

    private const int BlockSamples = ((BlockFrames - 1) * WhisperHop) + PowerSpectrum.Length;

    private readonly MelFilterBank _filters;
    private readonly bool _normalize;

    /// <summary>Makes an extractor.</summary>
    /// <param name="featureSize">Mel bins, such as 80 or 128.</param>
    /// <param name="normalize">Whether samples are brought to zero mean and unit variance first (no released Whisper wants it).</param>
    public LogMelExtractor(int featureSize, bool normalize = false)
    {
        _filters = new MelFilterBank(featureSize, SampleRateHz);
        _normalize = normalize;
    }

    /// <summary>Makes the extractor that a checkpoint was trained with.</summary>
    public static LogMelExtractor Of(PreprocessorConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return new LogMelExtractor(config.FeatureSize, config.DoNormalize);
    }

    /// <inheritdoc />
    public int SampleRateHz => 16000;

    /// <inheritdoc />
    public int FeatureSize => _filters.Bins;

    /// <inheritdoc />
    public int HopLength => WhisperHop;

    /// <summary>Whether samples are brought to zero mean and unit variance first.</summary>
    public bool NormalizesSamples => _normalize;

    /// <inheritdoc />
    /// <remarks>Frames = samples / 160, rounded down, after padding; valid frames = audio samples / 160, rounded up, at most all.</remarks>
    public FeatureMatrix Extract(ReadOnlySpan<float> samples, int? padToSamples = null)
    {
        if (padToSamples is { } length)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(padToSamples));
            samples = samples[..Math.Min(length, samples.Length)];
        }

        return _normalize ? ExtractNormalized(samples, padToSamples) : ExtractPadded(samples, padToSamples ?? samples.Length);
    }

    /// <summary>Computes the features of several utterances, all padded with silence to the longest of them.</summary>
    /// <returns>Matrices of the same shape; the attention mask of each is 1 for its <see cref="FeatureMatrix.ValidFrames"/>.</returns>
    public FeatureMatrix[] ExtractBatch(IReadOnlyList<ReadOnlyMemory<float>> utterances)
    {
        ArgumentNullException.ThrowIfNull(utterances);
        var longest = utterances.Count == 0 ? 0 : utterances.Max(samples => samples.Length);
        return [.. utterances.Select(samples => Extract(samples.Span, longest))];
    }

    /// <summary>Brings un-normalised log10 mel values to the range that the model was trained on.</summary>
    /// <param name="values">Changed in place.</param>
    /// <param name="maximum">The largest value of the whole utterance.</param>
    internal static void Normalize(Span<float> values, float maximum)
    {
        TensorPrimitives.Max(values, maximum - 8, values);
        TensorPrimitives.Add(values, 4, values);
        TensorPrimitives.Multiply(values, 0.25f, values);
    }

    /// <summary>Computes un-normalised log10 mel values of adjoining frames.</summary>
    /// <param name="samples">From the first frame's first sample on: (frames − 1) · 160 + 400 samples, mirrored where needed.</param>
    /// <param name="frames">Number of frames.</param>
    /// <param name="destination"><c>[mel, frame]</c> with rows <paramref name="stride"/> apart.</param>
    /// <param name="stride">Distance of two rows.</param>
    internal unsafe void LogMel(ReadOnlySpan<float> samples, int frames, Span<float> destination, int stride)
    {
        var lanes = PowerSpectrum.Lanes;
        var powerLength = PowerSpectrum.Frequencies * lanes;
        var doubles = ArrayPool<double>.Shared.Rent(PowerSpectrum.ScratchLength + powerLength + lanes);
        var singles = ArrayPool<float>.Shared.Rent(BlockSamples + (FeatureSize * BlockFrames));
        fixed (double* scratch = doubles)
        fixed (float* block = singles)
        {
            var power = scratch + PowerSpectrum.ScratchLength;
            var mel = block + BlockSamples; // [mel, BlockFrames]
            for (var first = 0; first < frames; first += BlockFrames)
            {
                var count = Math.Min(BlockFrames, frames - first);
                var needed = ((count - 1) * WhisperHop) + PowerSpectrum.Length;
                samples.Slice(first * WhisperHop, needed).CopyTo(new Span<float>(block, needed));
                var read = ((((count + lanes - 1) / lanes * lanes) - 1) * WhisperHop) + PowerSpectrum.Length;
                new Span<float>(block + needed, read - needed).Clear();
                for (var frame = 0; frame < count; frame += lanes)
                {
                    PowerSpectrum.Compute(block + (frame * WhisperHop), WhisperHop, scratch, power);
                    ApplyFilters(power, mel + frame, power + powerLength);
                }

                for (var bin = 0; bin < FeatureSize; bin++)
                {
                    TensorPrimitives.Log10(new ReadOnlySpan<float>(mel + (bin * BlockFrames), count), destination.Slice((bin * stride) + first, count));
                }
            }
        }

        ArrayPool<double>.Shared.Return(doubles);
        ArrayPool<float>.Shared.Return(singles);
    }

    /// <summary>Writes mel power, clamped to 1e-10…1e38, of <see cref="PowerSpectrum.Lanes"/> frames.</summary>
    private unsafe void ApplyFilters(double* power, float* mel, double* lanesOut)
    {
        var lanes = PowerSpectrum.Lanes;
        var floor = new Vector<double>(1e-10);
        var ceiling = new Vector<double>(1e38); // What float32 can hold: absurd levels stay numbers.
        for (var bin = 0; bin < FeatureSize; bin++)
        {
            var weights = _filters.Filter(bin, out var start);
            var sum = Vector<double>.Zero;
            for (var k = 0; k < weights.Length; k++)
            {
                sum += weights[k] * Vector.Load(power + ((start + k) * lanes));
            }

            Vector.Min(Vector.Max(sum, floor), ceiling).Store(lanesOut);
            for (var lane = 0; lane < lanes; lane++)
            {
                mel[(bin * BlockFrames) + lane] = (float)lanesOut[lane];
            }
        }
    }

    /// <summary>Subtracts the mean and divides by the deviation (with Hugging Face's 1e-7 under the root) of the audio without its padding.</summary>
    private FeatureMatrix ExtractNormalized(ReadOnlySpan<float> samples, int? padToSamples)
    {
        double sum = 0;
        foreach (var sample in samples)
        {
            sum += sample;
        }

        var mean = sum / Math.Max(1, samples.Length);
        double squares = 0;
        foreach (var sample in samples)
        {
            squares += (sample - mean) * (sample - mean);
        }

        var scale = 1 / Math.Sqrt((squares / Math.Max(1, samples.Length)) + 1e-7);
        var scaled = ArrayPool<float>.Shared.Rent(samples.Length);
        for (var i = 0; i < samples.Length; i++)
        {
            scaled[i] = (float)((samples[i] - mean) * scale);
        }

        var result = ExtractPadded(scaled.AsSpan(0, samples.Length), padToSamples ?? samples.Length);
        ArrayPool<float>.Shared.Return(scaled);
        return result;
    }

    private FeatureMatrix ExtractPadded(ReadOnlySpan<float> samples, int length)
    {
        var frames = length / WhisperHop;
        var values = new float[FeatureSize * frames];
        var edge = ArrayPool<float>.Shared.Rent(PowerSpectrum.Length);

        // Frames that lie in padding alone are silence. Where audio ends near the end, its mirror image is heard there.
        var audible = length - samples.Length > HalfWindow ? Math.Min(frames, (samples.Length + HalfWindow + WhisperHop - 1) / WhisperHop) : frames;
        var frame = 0;
        while (frame < audible)
        {
            var start = (frame * WhisperHop) - HalfWindow;
            var inner = start < 0 ? 0 : Math.Min(audible - frame, (samples.Length - start - PowerSpectrum.Length + WhisperHop) / WhisperHop);
            if (inner > 0)
            {
                LogMel(samples[start..], inner, values.AsSpan(frame), frames);
                frame += inner;
                continue;
            }

            for (var i = 0; i < PowerSpectrum.Length; i++)
            {
                var index = Mirror(start + i, length);
                edge[i] = index < samples.Length ? samples[index] : 0;
            }

            LogMel(edge, 1, values.AsSpan(frame), frames);
            frame++;
        }

        ArrayPool<float>.Shared.Return(edge);
        for (var bin = 0; bin < FeatureSize && audible < frames; bin++)
        {
            values.AsSpan((bin * frames) + audible, frames - audible).Fill(SilenceLog10);
        }

        if (values.Length > 0)
        {
            Normalize(values, TensorPrimitives.Max<float>(values));
        }

        return new FeatureMatrix(values, FeatureSize, frames, Math.Min(frames, (samples.Length + WhisperHop - 1) / WhisperHop));
    }

    /// <summary>NumPy's <c>reflect</c>: to and fro between the first and the last sample, neither repeated; a lone sample stays.</summary>
    private static int Mirror(int index, int length)
    {
        if (length == 1)
        {
            return 0;
        }

        var period = 2 * (length - 1);
        index = ((index % period) + period) % period;
        return index < length ? index : period - index;
    }
}
