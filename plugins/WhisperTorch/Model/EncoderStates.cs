using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Encoder output on the device, with what cross-attention makes of it.</summary>
internal sealed class EncoderStates : IEncoderStates
{
    private readonly List<SourceMemory> _memories = [];

    /// <param name="model">The model that made it.</param>
    /// <param name="states"><c>[batch, position, width]</c>; taken over.</param>
    /// <param name="adapters">The adapter of each row.</param>
    public EncoderStates(WhisperModel model, Tensor states, int[] adapters)
    {
        Model = model;
        States = states;
        Adapters = adapters;
        var size = states.shape;
        (Batch, Positions) = ((int)size[0], (int)size[1]);
    }

    public WhisperModel Model { get; }

    public Tensor States { get; }

    /// <summary>The adapter of each row: it made the row and decodes it.</summary>
    public int[] Adapters { get; }

    public bool IsDisposed { get; private set; }

    /// <inheritdoc />
    public int Batch { get; }

    /// <inheritdoc />
    public int Positions { get; }

    /// <summary>Keys and values for cross-attention with the deltas that are set now; lives as long as the states.</summary>
    public SourceMemory Memory()
    {
        var version = Model.SourceMemoryVersion;
        var memory = _memories.Find(known => known.Version == version);
        if (memory is null)
        {
            memory = Model.ComputeMemory(States, AdapterRun.Of(Adapters), version);
            _memories.Add(memory);
        }

        return memory;
    }

    /// <inheritdoc />
    public void CopyTo(Span<float> destination)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        var count = Batch * Positions * Model.Info.Width;
        if (destination.Length < count)
        {
            throw new ArgumentException($"{destination.Length} values cannot hold [{Batch}, {Positions}, {Model.Info.Width}].", nameof(destination));
        }

        HostMemory.Copy(States, destination);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!IsDisposed)
        {
            IsDisposed = true;
            States.Dispose();
            _memories.ForEach(memory => memory.Dispose());
        }
    }
}

/// <summary>Copies from the device.</summary>
internal static class HostMemory
{
    /// <summary>Copies all values in C order, as float32.</summary>
    public static void Copy(Tensor source, Span<float> destination)
    {
        using var scope = NewDisposeScope();
        var values = source;
        if (source.device_type != DeviceType.CPU || source.dtype != ScalarType.Float32)
        {
            values = source.to(ScalarType.Float32, CPU);
        }

        MemoryMarshal.Cast<byte, float>(values.contiguous().bytes).CopyTo(destination);
    }
}
