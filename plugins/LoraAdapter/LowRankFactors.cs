using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.LoraAdapter;

/// <summary>The low-rank factors of one module: its weight's delta is s·B·A.</summary>
/// <remarks>
/// Linear: A <c>[r, in]</c>, B <c>[out, r]</c>; convolution: A <c>[r, in, kernel]</c>, B <c>[out, r, 1]</c>; embedding: A <c>[r, entry]</c>,
/// B <c>[out, r]</c>, and the delta is transposed. Sources: LoRA (Hu et al. 2021), rsLoRA (Kalajdzievski 2023), DoRA (Liu et al. 2024)
/// as PEFT computes them.
/// </remarks>
internal sealed record LowRankFactors
{
    public required AdaptableLayerKind Kind { get; init; }

    /// <summary>The first factor; null where <see cref="Shared"/> has it.</summary>
    public Parameter? A { get; init; }

    /// <summary>The second factor; null where <see cref="Shared"/> has it.</summary>
    public Parameter? B { get; init; }

    /// <summary>The bias of B, <c>[out]</c>, scaled as its products are; or null.</summary>
    public Parameter? BBias { get; init; }

    /// <summary>DoRA's magnitude of each output, <c>[out]</c> (convolution: <c>[1, out, 1]</c>); or null.</summary>
    public Parameter? Magnitude { get; init; }

    /// <summary>The embedding whose factors, transposed, are these: those of the output projection that shares its weight.</summary>
    public LowRankFactors? Shared { get; init; }

    public required double Scale { get; init; }

    public bool IsShared => Shared is not null;

    /// <summary>The first factor in a type; borrowed.</summary>
    public Tensor First(ScalarType type) => Shared is null ? A!.As(type) : Shared.B!.As(type).t();

    /// <summary>The second factor in a type; borrowed.</summary>
    public Tensor Second(ScalarType type) => Shared is null ? B!.As(type) : Shared.A!.As(type).t();

    /// <summary>s·B·A shaped as the weight, float32.</summary>
    public Tensor Delta()
    {
        var first = First(ScalarType.Float32);
        var product = Second(ScalarType.Float32).flatten(1).mm(first.flatten(1)).mul(Scale);
        return Kind switch
        {
            AdaptableLayerKind.Embedding => product.t(),
            AdaptableLayerKind.Convolution => product.view([product.shape[0], .. first.shape[1..]]),
            _ => product,
        };
    }

    /// <summary>DoRA's factor of each output, m/‖W + s·B·A‖, <c>[out]</c>, float32. The norm counts as a constant for gradients.</summary>
    public Tensor OutputFactor(Tensor weight)
    {
        using var scope = NewDisposeScope();
        Tensor norm;
        using (no_grad())
        {
            norm = weight.to(ScalarType.Float32).add(Delta()).flatten(1).norm(1);
        }

        return Magnitude!.Value.flatten().div(norm).MoveToOuterDisposeScope();
    }

    /// <summary>W + s·B·A, with DoRA's factor; float32.</summary>
    public Tensor Merged(Tensor weight)
    {
        var merged = weight.to(ScalarType.Float32).add(Delta());
        return Magnitude is null
            ? merged
            : merged.mul(OutputFactor(weight).view(Kind == AdaptableLayerKind.Convolution ? [-1, 1, 1] : [-1, 1]));
    }
}
