using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Onnx.Export;

/// <summary>The weights of a checkpoint, an adapter merged where there is one, as float32.</summary>
/// <param name="checkpoint">The checkpoint; must stay open as long as this is used.</param>
/// <param name="merger">The adapter, or null.</param>
internal sealed class CheckpointValues(WhisperCheckpoint checkpoint, ICheckpointMerger? merger)
{
    private readonly HashSet<string> _changed = [.. merger?.Changed ?? []];

    public WhisperConfig Config => checkpoint.Config;

    public long[] ShapeOf(string name) => checkpoint.Weights[name].Shape.ToArray();

    public float[] Read(string name)
    {
        var values = checkpoint.Weights[name].ToSingle();
        if (_changed.Contains(name))
        {
            merger!.Merge(name, values);
        }

        return values;
    }
}
