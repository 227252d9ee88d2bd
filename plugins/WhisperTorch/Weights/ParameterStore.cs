using System.Runtime.InteropServices;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Weights;

/// <summary>Makes the parameters of one model on its device and owns them.</summary>
/// <remarks>Belongs to the model's thread. The layers that it makes borrow its tensors.</remarks>
internal sealed class ParameterStore(WeightSource source, Device device, ScalarType type, CancellationToken cancellationToken) : IDisposable
{
    private readonly List<Tensor> _owned = [];

    /// <summary>Number of values that were read.</summary>
    public long Count { get; private set; }

    /// <summary>A parameter in C order.</summary>
    public Tensor Parameter(string name, params long[] shape)
    {
        using var scope = NewDisposeScope();
        return Keep(Read(name, shape).to(type, device));
    }

    public LayerNorm Norm(string name, long width) => new(Parameter($"{name}.weight", width), Parameter($"{name}.bias", width));

    public Linear Linear(string name, long outputs, long inputs)
    {
        using var scope = NewDisposeScope();
        var (weight, transposed) = Matrix([(name, outputs)], inputs);
        return new Linear(name, Keep(weight), Keep(transposed), Parameter($"{name}.bias", outputs));
    }

    /// <summary>A linear layer without bias under the name of its weight.</summary>
    public Linear Projection(string weightName, long outputs, long inputs)
    {
        using var scope = NewDisposeScope();
        const string Suffix = ".weight";
        var (weight, transposed) = Matrix([(weightName[..^Suffix.Length], outputs)], inputs);
        return new Linear(weightName[..^Suffix.Length], Keep(weight), Keep(transposed), null);
    }

    /// <summary>Linear layers of one input; those whose name ends in <c>k_proj</c> have no bias, as in Whisper.</summary>
    public LinearGroup Group(string prefix, long inputs, params (string Name, long Outputs)[] members)
    {
        using var scope = NewDisposeScope();
        (string Name, long Outputs)[] named = [.. members.Select(member => ($"{prefix}.{member.Name}", member.Outputs))];
        var (weight, transposed) = Matrix(named, inputs);
        var bias = zeros(members.Sum(member => member.Outputs), type, device);
        var layers = new List<Linear>();
        var start = 0L;
        foreach (var (name, outputs) in named)
        {
            Tensor? own = null;
            if (!name.EndsWith("k_proj", StringComparison.Ordinal))
            {
                own = Keep(bias.narrow(0, start, outputs).copy_(Read($"{name}.bias", outputs)));
            }

            layers.Add(new Linear(name, Keep(weight.narrow(0, start, outputs)), Keep(transposed.narrow(1, start, outputs)), own));
            start += outputs;
        }

        return new LinearGroup(layers, Keep(weight), Keep(transposed), Keep(bias));
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

    /// <summary>
    /// Weights on top of each other, as <c>[Σ out, in]</c> and its transpose. On the processor the transpose is what lies in memory:
    /// OpenBLAS reads it 10–25 % faster in a matrix-vector product, and equally fast in a matrix product.
    /// </summary>
    private (Tensor Weight, Tensor Transposed) Matrix(ReadOnlySpan<(string Name, long Outputs)> parts, long inputs)
    {
        var total = 0L;
        foreach (var part in parts)
        {
            total += part.Outputs;
        }

        var onProcessor = device.type == DeviceType.CPU;
        var stored = onProcessor ? empty(inputs, total, dtype: type) : empty(total, inputs, dtype: type, device: device);
        var weight = onProcessor ? stored.t() : stored;
        var start = 0L;
        foreach (var (name, outputs) in parts)
        {
            using var scope = NewDisposeScope();
            weight.narrow(0, start, outputs).copy_(Read($"{name}.weight", outputs, inputs));
            start += outputs;
        }

        return onProcessor ? (weight, stored) : (stored, stored.t());
    }

    private Tensor Read(string name, params long[] shape)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var values = empty(shape, ScalarType.Float32);
        source.Read(name, MemoryMarshal.Cast<byte, float>(values.bytes));
        Count += values.NumberOfElements;
        return values;
    }
}
