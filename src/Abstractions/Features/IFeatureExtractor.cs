namespace AsrPlatform.Abstractions.Features;

/// <summary>Turns samples into the features that a model was trained on.</summary>
/// <remarks>Stateless and safe for concurrent calls.</remarks>
public interface IFeatureExtractor
{
    /// <summary>The rate that the samples must have, in hertz.</summary>
    int SampleRateHz { get; }

    /// <summary>Values per frame (mel bins).</summary>
    int FeatureSize { get; }

    /// <summary>Samples between two frames.</summary>
    int HopLength { get; }

    /// <summary>Computes the features of one utterance.</summary>
    /// <param name="samples">Mono samples in −1…1 at <see cref="SampleRateHz"/>.</param>
    /// <param name="padToSamples">
    /// Pads the audio with silence to this length first; longer audio is cut there (Hugging Face's short form). Null takes it as it is.
    /// </param>
    /// <returns>A matrix that the caller owns.</returns>
    FeatureMatrix Extract(ReadOnlySpan<float> samples, int? padToSamples = null);
}
