using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Gate;

/// <summary>What a candidate has to show.</summary>
internal sealed record GateSettings
{
    /// <summary>Default of <see cref="MinimumCorrections"/>.</summary>
    public const int FewestCorrections = 5;

    /// <summary>How sure it must be that a candidate is better, one-sided: 0.5…1, both excluded.</summary>
    public double Level { get; init; } = 0.95;

    /// <summary>Held-out utterances from which on their word error rate decides; below, cross-validation does.</summary>
    public int MinimumHeldOut { get; init; } = 10;

    /// <summary>Corrections below which nothing can be told: were a candidate useless, all of 5 would speak for it once in 32 times.</summary>
    public int MinimumCorrections { get; init; } = FewestCorrections;

    /// <summary>Parts of a cross-validation, each with a training of its own.</summary>
    public int Folds { get; init; } = 4;

    /// <summary>How much the word error rate on the anchor set may rise, relative.</summary>
    public double AnchorTolerance { get; init; } = 0.02;

    /// <summary>As <see cref="AnchorTolerance"/>, for a speaker or a domain.</summary>
    public double SliceTolerance { get; init; } = 0.1;

    /// <summary>Utterances that a slice has at least, to be looked at.</summary>
    public int MinimumSlice { get; init; } = 5;

    /// <summary>As <see cref="AnchorTolerance"/>, against the base model: what several versions lost together.</summary>
    public double DriftTolerance { get; init; } = 0.05;

    /// <summary>How sure it must be that a rise beyond a tolerance is one at all, one-sided.</summary>
    public double HarmLevel { get; init; } = 0.9;

    /// <summary>The share of silent clips in which a candidate may hear words where the active version hears none.</summary>
    public double SilenceTolerance { get; init; } = 0.05;

    /// <summary>Of a text: by how much its own audio must make it likelier than other audio does, in nats per word, on average.</summary>
    public double MinimumInformation { get; init; } = 0.5;

    /// <summary>Nats per word that texts which were not trained on have to gain on average: what is sure but next to nothing is not worth a promotion.</summary>
    public double MinimumGain { get; init; } = 0.02;

    /// <summary>Resamplings of a bootstrap.</summary>
    public int Resamples { get; init; } = 4000;

    /// <summary>The same seed gives the same decision.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Checks the values.</summary>
    /// <exception cref="AsrException">One is out of its range.</exception>
    public void Validate()
    {
        Require(Level is > 0.5 and < 1, nameof(Level), "between 0.5 and 1");
        Require(HarmLevel is > 0.5 and < 1, nameof(HarmLevel), "between 0.5 and 1");
        Require(MinimumHeldOut >= 5, nameof(MinimumHeldOut), "5 or more");
        Require(MinimumCorrections >= 3, nameof(MinimumCorrections), "3 or more");
        Require(Folds >= 2, nameof(Folds), "2 or more");
        Require(AnchorTolerance >= 0 && DriftTolerance >= 0 && SliceTolerance >= 0 && SilenceTolerance is >= 0 and <= 1, nameof(AnchorTolerance), "0 or more, as the other tolerances");
        Require(MinimumGain >= 0, nameof(MinimumGain), "0 or more");
        Require(MinimumSlice >= 2, nameof(MinimumSlice), "2 or more");
        Require(Resamples >= 200, nameof(Resamples), "200 or more");
    }

    private static void Require(bool holds, string name, string range)
    {
        if (!holds)
        {
            throw new AsrException($"the gate's {name} must be {range}");
        }
    }
}
