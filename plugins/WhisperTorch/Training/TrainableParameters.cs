using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>
/// Parameters that are trained. Their values lie in one contiguous tensor and their gradients in another, so that clearing, norm and
/// update are a few operations however many parameters there are.
/// </summary>
/// <remarks>
/// Blocks keep their tensor objects, which from now on are views of <see cref="Values"/>; backward passes add to views of
/// <see cref="Gradients"/>. Belongs to the model's thread. <see cref="Dispose"/> leaves the blocks usable, without gradients.
/// </remarks>
internal sealed class TrainableParameters : IDisposable
{
    /// <summary>Blocks begin at multiples of this many values (64 bytes), where vector loads are aligned.</summary>
    private const long Alignment = 16;

    /// <summary>Values whose norm is taken at once: float32 sums of more lose digits.</summary>
    private const long NormLength = 4096;

    private readonly IReadOnlyList<ParameterBlock> _blocks;
    private readonly List<Tensor> _holes = [];
    private readonly List<Tensor> _owned = [];
    private readonly Dictionary<string, TrainableParameter> _byName = new(StringComparer.Ordinal);

    /// <param name="blocks">What to train, float32 and on one device; at least one.</param>
    /// <param name="shared">The same blocks of another model, whose values these become; their gradients stay apart. Outlives this.</param>
    public TrainableParameters(IReadOnlyList<ParameterBlock> blocks, TrainableParameters? shared = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(blocks.Count, nameof(blocks));
        _blocks = [.. blocks.Where(Decays), .. blocks.Where(block => !Decays(block))];
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var offsets = new long[_blocks.Count];
        var end = 0L;
        for (var i = 0; i < offsets.Length; i++)
        {
            offsets[i] = end;
            end += (_blocks[i].Tensor.numel() + Alignment - 1) / Alignment * Alignment;
            if (Decays(_blocks[i]))
            {
                DecayedLength = end;
            }
        }

        var device = _blocks[0].Tensor.device;
        var length = (end + NormLength - 1) / NormLength * NormLength;
        Values = shared?.Values ?? Keep(zeros(length, ScalarType.Float32, device));
        Gradients = Keep(zeros(length, ScalarType.Float32, device));
        for (var i = 0; i < offsets.Length; i++)
        {
            Place(_blocks[i], offsets[i], copies: shared is null);
        }
    }

    /// <summary>All values, with zeros between the blocks.</summary>
    public Tensor Values { get; }

    /// <summary>All gradients, as <see cref="Values"/>.</summary>
    public Tensor Gradients { get; }

    /// <summary>The leading values that weight decay shrinks; none behind.</summary>
    public long DecayedLength { get; }

    /// <summary>The parameters by their checkpoint names.</summary>
    public IReadOnlyDictionary<string, TrainableParameter> ByName => _byName;

    /// <summary>Hugging Face's rule: everything but biases and the weights of LayerNorm.</summary>
    public static bool Decays(string name) =>
        !name.Contains("bias", StringComparison.Ordinal) && !name.Contains("layer_norm", StringComparison.Ordinal);

    /// <summary>Clears what backward passes left where there is no parameter.</summary>
    public void ClearHoles()
    {
        foreach (var hole in _holes)
        {
            hole.zero_();
        }
    }

    /// <summary>The Euclidean norm of all gradients; not a number or infinite where one of them is.</summary>
    public double GradientNorm()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return Gradients.view(-1, NormLength).norm(1).to(ScalarType.Float64).norm().ToDouble();
    }

    /// <summary>A parameter's part of a tensor that is laid out as <see cref="Values"/>; the caller's.</summary>
    public static Tensor Part(Tensor all, TrainableParameter parameter) =>
        all.narrow(0, parameter.Offset, parameter.Length).view(parameter.Shape);

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var block in _blocks)
        {
            block.Tensor.requires_grad = false;
            block.Tensor.grad = null;
        }

        _owned.ForEach(tensor => tensor.Dispose());
    }

    private static bool Decays(ParameterBlock block) => Decays(block.Slices[0].Name);

    private Tensor Keep(Tensor tensor)
    {
        _owned.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private void Place(ParameterBlock block, long offset, bool copies)
    {
        var shape = block.Tensor.shape;
        var size = block.Tensor.numel();
        var values = Values.narrow(0, offset, size).view(shape);
        var gradients = Keep(Gradients.narrow(0, offset, size).view(shape));
        if (copies)
        {
            values.copy_(block.Tensor);
        }

        block.Tensor.set_(values);
        var rowLength = size / shape[0];
        var row = 0L;
        foreach (var slice in block.Slices)
        {
            if (!ReferenceEquals(slice.Tensor, block.Tensor))
            {
                slice.Tensor.set_(values.narrow(0, slice.Start, slice.Rows));
            }

            AddHole(gradients, row, slice.Start);
            row = slice.Start + slice.Rows;
            _byName.Add(slice.Name, new TrainableParameter(slice.Name, offset + (slice.Start * rowLength), slice.Tensor.shape));
        }

        AddHole(gradients, row, shape[0]);
        block.Tensor.requires_grad = true;
        block.Tensor.grad = gradients;
    }

    private void AddHole(Tensor gradients, long from, long to)
    {
        if (from < to)
        {
            _holes.Add(Keep(gradients.narrow(0, from, to - from)));
        }
    }
}

/// <summary>A trained parameter.</summary>
/// <param name="Name">Its checkpoint name.</param>
/// <param name="Offset">Its first value in <see cref="TrainableParameters.Values"/>.</param>
/// <param name="Shape">Its shape.</param>
internal sealed record TrainableParameter(string Name, long Offset, long[] Shape)
{
    /// <summary>Number of its values.</summary>
    public long Length => Shape.Aggregate(1L, (product, size) => product * size);
}
