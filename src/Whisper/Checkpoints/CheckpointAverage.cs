using System.Numerics.Tensors;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>Writes the mean of checkpoints of one training run.</summary>
/// <remarks>
/// Weights that a constant learning rate keeps moving about a minimum average to a point nearer to it, where the model is about as good as
/// after a decay of the rate, at no cost (stochastic weight averaging: Izmailov et al., arXiv 1803.05407). Models that were not trained from
/// common weights average to nothing useful.
/// </remarks>
public static class CheckpointAverage
{
    /// <summary>
    /// Writes the folder: everything but the weights is the last source's. It is written aside and renamed, so that it is either whole or not there.
    /// </summary>
    /// <param name="sources">Folders of two checkpoints or more, with tensors of the same names and shapes.</param>
    /// <param name="target">The folder to write; it must be missing or empty.</param>
    /// <param name="type">Type of the weights; null for that of each tensor in the last source. Sums are float32.</param>
    /// <param name="cancellationToken">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="AsrException">A source is broken or of another shape, or the target is in use or cannot be written.</exception>
    public static void Write(IReadOnlyList<string> sources, string target, TensorElementType? type, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        if (sources.Count < 2)
        {
            throw new AsrException("a mean is of two checkpoints or more: name their folders.");
        }

        using var others = new Others(sources);
        CheckpointExport.Write(sources[^1], target, new CheckpointExportOptions { ElementType = type, Merger = others }, cancellationToken);
    }

    /// <summary>All sources but the last, as something that is merged into it.</summary>
    private sealed class Others : ICheckpointMerger
    {
        private readonly List<WhisperCheckpoint> _checkpoints = [];
        private readonly List<Dictionary<string, SafetensorsTensor>> _tensors = [];

        public Others(IReadOnlyList<string> sources)
        {
            try
            {
                using var last = WhisperCheckpoint.Open(sources[^1]);
                var expected = CheckpointExport.TensorsOf(last);
                Changed = [.. expected.Select(tensor => tensor.Name)];
                foreach (var source in sources.SkipLast(1))
                {
                    var checkpoint = WhisperCheckpoint.Open(source);
                    _checkpoints.Add(checkpoint);
                    var tensors = CheckpointExport.Tensors(checkpoint).ToDictionary(pair => pair.Name, pair => pair.Tensor);
                    Compare(source, tensors, sources[^1], expected);
                    _tensors.Add(tensors);
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public IReadOnlyCollection<string> Changed { get; }

        public IReadOnlyList<string> Warnings => [];

        public void Merge(string tensor, Span<float> values)
        {
            foreach (var tensors in _tensors)
            {
                TensorPrimitives.Add(values, tensors[tensor].ToSingle(), values);
            }

            TensorPrimitives.Divide(values, _tensors.Count + 1, values);
        }

        public void Dispose()
        {
            foreach (var checkpoint in _checkpoints)
            {
                checkpoint.Dispose();
            }
        }

        private static void Compare(string source, Dictionary<string, SafetensorsTensor> tensors, string last, IReadOnlyList<CheckpointTensor> expected)
        {
            foreach (var (name, shape) in expected)
            {
                if (!tensors.TryGetValue(name, out var tensor) || !tensor.Shape.SequenceEqual(shape.ToArray()))
                {
                    var found = tensor is null ? "has none" : $"has [{string.Join(", ", tensor.Shape.ToArray())}]";
                    throw new AsrException($"{last} has {name} of [{string.Join(", ", shape)}], {source} {found}: the mean is of checkpoints of one model.");
                }
            }

            if (tensors.Count > expected.Count)
            {
                throw new AsrException($"{source} has {tensors.Count} tensors, {last} {expected.Count}: the mean is of checkpoints of one model.");
            }
        }
    }
}
