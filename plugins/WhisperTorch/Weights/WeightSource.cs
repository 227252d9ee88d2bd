using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.WhisperTorch.Weights;

/// <summary>Where the values of parameters come from, under their checkpoint names.</summary>
internal abstract class WeightSource
{
    /// <summary>Writes all values of a parameter, C order.</summary>
    /// <param name="name">Its checkpoint name.</param>
    /// <param name="destination">As long as the parameter has elements.</param>
    public abstract void Read(string name, Span<float> destination);
}

/// <summary>Values of an opened checkpoint, which must outlive the reading.</summary>
internal sealed class CheckpointWeightSource(CheckpointWeights weights) : WeightSource
{
    public override void Read(string name, Span<float> destination) => weights[name].CopyTo(destination);
}

/// <summary>Repeatable pseudo-random values for benchmarks: matrices uniform with a given deviation, norms 1, biases 0.</summary>
internal sealed class RandomWeightSource(double deviation) : WeightSource
{
    private uint _state = 0x9E3779B9;

    public override void Read(string name, Span<float> destination)
    {
        if (name.EndsWith("bias", StringComparison.Ordinal))
        {
            destination.Clear();
        }
        else if (name.Contains("layer_norm", StringComparison.Ordinal))
        {
            destination.Fill(1f);
        }
        else
        {
            // Xorshift (Marsaglia 2003); a uniform variable in −½…½ has the deviation 1/√12.
            var scale = (float)(deviation * Math.Sqrt(12) / (1L << 32));
            for (var i = 0; i < destination.Length; i++)
            {
                _state ^= _state << 13;
                _state ^= _state >> 17;
                _state ^= _state << 5;
                destination[i] = (int)_state * scale;
            }
        }
    }
}
