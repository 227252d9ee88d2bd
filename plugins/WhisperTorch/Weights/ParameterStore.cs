using System.Runtime.InteropServices;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Weights;

/// <summary>Makes the parameters of one model on its device and owns them.</summary>
/// <remarks>Belongs to the model's thread. The layers that it makes borrow its tensors.</remarks>
internal sealed class ParameterStore(WeightSource source, Device device, ScalarType type, CancellationToken cancellationToken) : IDisposable
{
    private readonly List<Tensor> _owned = [];
    private readonly List<ParameterBlock> _blocks = [];

    /// <summary>The adapters of the model whose parameters these are.</summary>
    public AdapterRows Adapters { get; } = new();

    /// <summary>Number of values that were read.</summary>
    public long Count { get; private set; }

    /// <summary>Everything that was read, in that order.</summary>
    public IReadOnlyList<ParameterBlock> Blocks => _blocks;

    /// <summary>A parameter in C order.</summary>
    public Tensor Parameter(string name, params long[] shape)
    {
        using var scope = NewDisposeScope();
        var parameter = Keep(Read(name, shape).to(type, device));
        _blocks.Add(new ParameterBlock(parameter, [new ParameterSlice(name, parameter, 0, shape[0])]));
        return parameter;
    }

    public LayerNorm Norm(string name, long width) => new(name, Parameter($"{name}.weight", width), Parameter($"{name}.bias", width), Adapters);

    public Linear Linear(string name, long outputs, long inputs) =>
        new(name, Parameter($"{name}.weight", outputs, inputs), Parameter($"{name}.bias", outputs), Adapters);

    public Convolution Convolution(string name, long outputs, long inputs, int stride) =>
        new(name, Parameter($"{name}.weight", outputs, inputs, Model.Convolution.Kernel), Parameter($"{name}.bias", outputs), stride, Adapters);

    /// <summary>A table under the name of its weight.</summary>
    public Embedding Embedding(string weightName, long entries, long width) =>
        new(ModuleOf(weightName), Parameter(weightName, entries, width), Adapters);

    /// <summary>The projection onto the model's outputs, under the name of its weight.</summary>
    /// <param name="weightName">Its name in a checkpoint that has it.</param>
    /// <param name="outputs">Outputs.</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="tied">The embedding's weight where the two are one.</param>
    public Linear Projection(string weightName, long outputs, long inputs, Tensor? tied) =>
        new(ModuleOf(weightName), tied ?? Parameter(weightName, outputs, inputs), bias: null, Adapters, isOutput: true);

    /// <summary>Linear layers of one input; those whose name ends in <c>k_proj</c> have no bias, as in Whisper.</summary>
    public LinearGroup Group(string prefix, long inputs, params (string Name, long Outputs)[] members)
    {
        using var scope = NewDisposeScope();
        var total = members.Sum(member => member.Outputs);
        var weight = Keep(empty(total, inputs, type, device));
        var bias = Keep(zeros(total, type, device));
        var layers = new List<Linear>();
        var weights = new List<ParameterSlice>();
        var biases = new List<ParameterSlice>();
        var start = 0L;
        foreach (var (member, outputs) in members)
        {
            var name = $"{prefix}.{member}";
            var ownWeight = Keep(weight.narrow(0, start, outputs).copy_(Read($"{name}.weight", outputs, inputs)));
            var ownBias = name.EndsWith("k_proj", StringComparison.Ordinal)
                ? null
                : Keep(bias.narrow(0, start, outputs).copy_(Read($"{name}.bias", outputs)));
            layers.Add(new Linear(name, ownWeight, ownBias, Adapters));
            weights.Add(new ParameterSlice($"{name}.weight", ownWeight, start, outputs));
            if (ownBias is not null)
            {
                biases.Add(new ParameterSlice($"{name}.bias", ownBias, start, outputs));
            }

            start += outputs;
        }

        _blocks.Add(new ParameterBlock(weight, weights));
        _blocks.Add(new ParameterBlock(bias, biases));

        return new LinearGroup(layers, weight, bias);
    }

    /// <summary>Takes a tensor over from the scope that is open.</summary>
    public Tensor Keep(Tensor tensor)
    {
        _owned.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in _owned)
        {
            tensor.Dispose();
        }

        _owned.Clear();
    }

    private static string ModuleOf(string weightName) => weightName[..^".weight".Length];

    private Tensor Read(string name, params long[] shape)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var values = empty(shape, ScalarType.Float32);
        source.Read(name, MemoryMarshal.Cast<byte, float>(values.bytes));
        Count += values.NumberOfElements;
        return values;
    }
}

/// <summary>One tensor of parameters that is a leaf of the graph: a parameter, or several on top of each other.</summary>
/// <param name="Tensor">All of it. Rows that belong to no slice are no parameters: their values stay 0.</param>
/// <param name="Slices">The parameters in it, by rising start.</param>
internal sealed record ParameterBlock(Tensor Tensor, IReadOnlyList<ParameterSlice> Slices);

/// <summary>A parameter's place in its block.</summary>
/// <param name="Name">Its checkpoint name.</param>
/// <param name="Tensor">The block itself, or a view of some of its rows.</param>
/// <param name="Start">Its first row.</param>
/// <param name="Rows">Its rows.</param>
internal sealed record ParameterSlice(string Name, Tensor Tensor, long Start, long Rows);
