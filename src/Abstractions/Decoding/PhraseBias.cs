namespace AsrPlatform.Abstractions.Decoding;

/// <summary>Words and names that may be said: where the audio sounds like one of them, it is preferred to what else it could be.</summary>
/// <remarks>Immutable. Recognisers that know no bias ignore it.</remarks>
public sealed class PhraseBias
{
    /// <summary>Takes phrases over.</summary>
    /// <param name="phrases">Words or short phrases as they are to be written, in any case; no order.</param>
    /// <param name="weight">How much they are preferred: 1 is as much as the recogniser holds for right, 0 not at all.</param>
    /// <exception cref="ArgumentOutOfRangeException">The weight is negative or no number.</exception>
    public PhraseBias(IEnumerable<string> phrases, double weight = 1)
    {
        ArgumentNullException.ThrowIfNull(phrases);
        ArgumentOutOfRangeException.ThrowIfNegative(weight);
        if (!double.IsFinite(weight))
        {
            throw new ArgumentOutOfRangeException(nameof(weight));
        }

        Phrases = [.. phrases];
        Weight = weight;
    }

    /// <summary>The phrases.</summary>
    public IReadOnlyList<string> Phrases { get; }

    /// <summary>How much they are preferred; 1 is usual.</summary>
    public double Weight { get; }
}
