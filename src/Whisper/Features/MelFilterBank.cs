namespace AsrPlatform.Whisper.Features;

/// <summary>Slaney's mel filters.</summary>
public sealed class MelFilterBank
{
    /// <summary>Largest number of bins: one for each frequency of the transform.</summary>
    public const int MaxBins = 201;
}
