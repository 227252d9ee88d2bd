using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.LoraAdapter.Configuration;

namespace AsrPlatform.LoraAdapter;

/// <summary>What an adapter holds for one module.</summary>
/// <param name="Info">The module.</param>
internal sealed record AdaptedModule(ModuleInfo Info)
{
    /// <summary>Low-rank factors, or null.</summary>
    public LowRankFactors? Factors { get; init; }

    /// <summary>The bias that replaces the base's, or null.</summary>
    public Parameter? Bias { get; init; }

    /// <summary>The weight that replaces the base's, or null. <see cref="Bias"/> then replaces the bias.</summary>
    public Parameter? Weight { get; init; }

    /// <summary>Everything that it owns. Factors that are views of another module's are that module's.</summary>
    public IEnumerable<Parameter> Parameters =>
        new[] { Factors?.A, Factors?.B, Factors?.BBias, Factors?.Magnitude, Weight, Bias }.OfType<Parameter>();

    /// <summary>The merged weight for a base weight: new, float32.</summary>
    public Tensor MergedWeight(Tensor weight)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return (Weight is { } replaced ? replaced.Value.clone() : Factors is { } factors ? factors.Merged(weight) : weight.to(ScalarType.Float32).clone())
            .MoveToOuterDisposeScope();
    }

    /// <summary>The merged bias for a base bias: new, float32; null where the bias stays.</summary>
    public Tensor? MergedBias(Tensor? bias)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var merged = Bias?.Value ?? bias?.to(ScalarType.Float32);
        if (Factors?.BBias is { } added)
        {
            merged = merged!.add(added.Value, Factors.Scale);
        }

        return Bias is null && Factors?.BBias is null ? null : merged!.clone().MoveToOuterDisposeScope();
    }

    /// <summary>Whether merging changes the weight.</summary>
    public bool ChangesWeight => Weight is not null || Factors is { IsShared: false };

    /// <summary>Whether merging changes the bias.</summary>
    public bool ChangesBias => Bias is not null || Factors?.BBias is not null;

    public bool IsNormalization => Info.Kind == AdaptableLayerKind.Normalization;
}
