using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Cli;

/// <summary>What <c>adapters merge</c> and <c>export hf</c> share: a checkpoint in, a plain checkpoint out.</summary>
internal sealed class CheckpointWriting
{
    public Option<string> OutputDirectory { get; } = new("--output-dir") { Description = "the folder to write; new or empty", HelpName = "DIR", Required = true };

    public Option<string> Precision { get; } = new("--precision")
    {
        Description = "fp32, fp16, bf16, or keep: as the checkpoint has it",
        HelpName = "TYPE",
        DefaultValueFactory = _ => "keep",
    };

    public ModelOptions Model { get; } = new();

    public void AddTo(Command command)
    {
        Precision.AcceptOnlyFromAmong("fp32", "fp16", "bf16", "keep");
        command.Options.Add(Model.Model);
        command.Options.Add(OutputDirectory);
        command.Options.Add(Precision);
        command.Options.Add(Model.DataDirectory);
        command.Options.Add(Model.Plugins.Directory);
    }

    /// <summary>Writes the checkpoint.</summary>
    /// <param name="parsed">The options.</param>
    /// <param name="adapterDirectory">An adapter to merge; null for none.</param>
    /// <param name="cancellationToken">Stops between two tensors.</param>
    /// <exception cref="AsrException">Something cannot be read, merged or written.</exception>
    public async Task<int> RunAsync(ParseResult parsed, string? adapterDirectory, CancellationToken cancellationToken)
    {
        var source = Model.ReadDirectory(parsed);
        var target = parsed.GetValue(OutputDirectory)!;
        TensorElementType? type = parsed.GetValue(Precision) switch
        {
            "fp32" => TensorElementType.F32,
            "fp16" => TensorElementType.F16,
            "bf16" => TensorElementType.BF16,
            _ => null,
        };
        await AdapterMerging.RunAsync(Model, parsed, source, adapterDirectory, merger =>
            CheckpointExport.Write(source, target, new CheckpointExportOptions { ElementType = type, Merger = merger }, cancellationToken));
        Console.WriteLine(target);
        return 0;
    }
}
