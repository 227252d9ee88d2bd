using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Cli;

/// <summary>What all exports share: an adapter is opened for merging, where there is one.</summary>
internal static class AdapterMerging
{
    /// <summary>Opens the adapter with the plugin that knows it, and hands it over.</summary>
    /// <param name="model">Says where plugins lie.</param>
    /// <param name="parsed">The options.</param>
    /// <param name="source">The checkpoint that the adapter is of.</param>
    /// <param name="adapterDirectory">The adapter; null for none.</param>
    /// <param name="write">Gets the merger, null without an adapter, on a thread of its own.</param>
    /// <exception cref="AsrException">No plugin knows the adapter, or it does not fit the checkpoint.</exception>
    public static async Task RunAsync(ModelOptions model, ParseResult parsed, string source, string? adapterDirectory, Action<ICheckpointMerger?> write)
    {
        if (adapterDirectory is null)
        {
            write(null);
            return;
        }

        await using var catalog = model.Plugins.Load(parsed);
        var provider = AdapterLoader.FindProvider(catalog, adapterDirectory);
        await DedicatedThread.RunAsync(() =>
        {
            using var merger = provider.OpenMerger(adapterDirectory, TensorsOf(source));
            foreach (var warning in merger.Warnings)
            {
                Console.Error.WriteLine($"asr: warning: {warning}");
            }

            write(merger);
            return 0;
        });
    }

    private static IReadOnlyList<CheckpointTensor> TensorsOf(string source)
    {
        using var checkpoint = WhisperCheckpoint.Open(source);
        return CheckpointExport.TensorsOf(checkpoint);
    }
}
